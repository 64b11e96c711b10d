import { expect } from 'chai';
import fc from 'fast-check';
import { parseNumber } from '../../src/cli/flags/expression.ts';
import { UsageError } from '../../src/core/errors.ts';

describe('numbers on the command line', () => {
  const values: readonly (readonly [string, number])[] = [
    ['8/255', 8 / 255],
    ['0.95', 0.95],
    ['.5', 0.5],
    ['1e-3', 1e-3],
    ['-1', -1],
    ['2.5*8/255/20', (2.5 * 8) / 255 / 20],
    ['(1 + 2) * 3', 9],
    ['2^-3', 0.125],
    ['-(4-1)', -3],
    [' 7 ', 7],
  ];
  for (const [text, value] of values) {
    it(`reads ${text}`, () => expect(parseNumber(text, '--epsilon')).to.equal(value));
  }

  const refused = [
    '',
    ' ',
    'x',
    'pi',
    'sqrt(2)',
    '95%',
    '2 3',
    '2(3)',
    '1;2',
    '[1,2]',
    'a=1',
    '"1"',
    '1 m',
    '1 == 1',
    '5!',
    '1/0',
    '10^999',
    'i',
    'import("fs")',
    '1 ? 2 : 3',
    '8/',
    `1${'+1'.repeat(99)}`,
    '0x10',
    'NaN',
    'Infinity',
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () =>
      expect(() => parseNumber(text, '--epsilon')).to.throw(
        UsageError,
        /^--epsilon must be a number or arithmetic such as 8\/255, got .*/,
      ));
  }

  it('reads back every number that JavaScript prints', () =>
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(parseNumber(String(value), '--lr')).to.equal(value);
      }),
    ));
});
