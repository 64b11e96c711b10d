import { expect } from 'chai';
import fc from 'fast-check';
import { jsonValue } from '../../src/core/parse-json.ts';

describe('a JSON text from outside', () => {
  it('is read as JSON.parse reads it, brackets and quotes inside of texts included', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(jsonValue(text)).to.deep.equal(JSON.parse(text));
      }),
    );
    const tricky = ['[', ']', '"', '\\', '{"'].map((text) => text.repeat(2000));
    expect(jsonValue(JSON.stringify(tricky))).to.deep.equal(tricky);
  });

  it('is refused if it is nested so deeply that walking through it would overflow the stack', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ]) {
      const nested = (depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;
      expect(JSON.stringify(jsonValue(nested(500)))).to.equal(nested(500));
      expect(() => jsonValue(nested(501))).to.throw(SyntaxError, 'nested more than 500 levels');
      expect(() => jsonValue(nested(1_000_000))).to.throw(SyntaxError, 'nested more than 500 levels');
    }
  });
});
