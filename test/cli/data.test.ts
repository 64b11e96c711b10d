// What `equipoise data info` prints of a data set that is there.
import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { equipoise } from './equipoise.ts';
import { temporaryFolder } from './folder.ts';

describe('equipoise data info NAME', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  it('names the classes and counts the images of each', () => {
    const { code, stdout } = equipoise(['data', 'info', 'mnist10k'], folder);
    expect(code).to.equal(0);
    const rows = [...stdout.matchAll(/^ {2}(\S+) +(\d+) +(\d+)$/gm)].map(([, ...cells]) => cells);
    expect(rows.map(([name]) => name)).to.deep.equal(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
    const totals = [1, 2].map((column) => rows.reduce((total, row) => total + Number(row[column]), 0));
    expect(totals).to.deep.equal([8000, 2000]);
    // The 10,000 MNIST test digits hold 980 zeros and 1135 ones.
    expect(rows.slice(0, 2).map(([, train, test]) => Number(train) + Number(test))).to.deep.equal([980, 1135]);
  });
});
