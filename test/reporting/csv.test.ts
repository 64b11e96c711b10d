import { expect } from 'chai';
import fc from 'fast-check';
import { formatCsv, parseCsv } from '../../src/reporting/tables/csv.ts';

describe('comma-separated values', () => {
  it('keep a text from being taken for a formula, and numbers numbers', () => {
    const texts = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', "'=1", 'a=1', '＝1', "it's"];
    const rows = texts.map((text) => ({ text, number: -0.5 }));
    const lines = formatCsv(['text', 'number'], rows).trim().split('\n').slice(1);
    expect(lines).to.deep.equal([
      "'=1+1,-0.5",
      "'+1,-0.5",
      "'-1,-0.5",
      "'@SUM(A1),-0.5",
      "'\t=1,-0.5",
      "''=1,-0.5",
      'a=1,-0.5',
      "'＝1,-0.5",
      "it's,-0.5",
    ]);
    expect(formatCsv(['text'], [{ text: '\n=1' }])).to.equal('text\n"\'\n=1"\n');
  });

  it('read back any text as it was, and no cell begins as a formula does', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'=+-@\'", \t\r\n<&a') })), {
          minLength: 1,
        }),
        async (texts) => {
          const text = formatCsv(
            ['number', 'text'],
            texts.map((text, number) => ({ number, text })),
          );
          const read = await parseCsv(text);
          expect(read.map((row) => row.text)).to.deep.equal(texts);
          for (const cell of text.matchAll(/^\d+,"?(.)/gm)) expect(cell[1]).not.to.match(/[=+\-@]/);
        },
      ),
      { numRuns: 300 },
    ));
});
