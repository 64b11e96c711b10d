import { expect } from 'chai';
import { spreadLabels } from '../../../../src/reporting/page/charts.ts';
import { entriesOf, plainRows, toLatex, toMarkdown } from '../../../../src/reporting/page/sections/leaderboard.ts';
import { collectReport, headlineCells } from '../../../../src/reporting/report-data.ts';
import { sampleRuns } from '../../sample.ts';

describe('the leaderboard', () => {
  const [group] = collectReport(sampleRuns(), 'T').groups;
  const rows = plainRows(entriesOf(group));

  it('has every network, the most robust first, with the figures of the summary', () => {
    const cells = headlineCells(group).toSorted((a, b) => b.robust.mean - a.robust.mean);
    expect(rows.map((row) => row['robust (%)'])).to.deep.equal(
      cells.map(({ robust }) => Number((100 * robust.mean).toFixed(1))),
    );
    expect(rows.map(({ rank }) => rank)).to.deep.equal([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(rows[0]).to.include({ network: 'cnn', training: 'AGENT', method: 'dense', seeds: 3, weights: 100000 });
  });

  it('draws the interval from the lowest to the highest end of those of the seeds', () => {
    for (const { cell, low, high } of entriesOf(group)) {
      expect(low).to.equal(Math.min(...cell.rows.map((row) => row.robust_low ?? 1)));
      expect(high).to.equal(Math.max(...cell.rows.map((row) => row.robust_high ?? 0)));
      expect(low).to.be.below(cell.robust.mean);
    }
  });

  it('counts the alarms of a network', () => {
    expect(rows.at(-1)).to.include({ training: 'undefended', 'alarms raised': 3 });
    expect(rows[0]).to.include({ 'alarms raised': 0 });
  });

  it('is Markdown whose cells end where they should', () => {
    const [row] = plainRows(entriesOf(group));
    const lines = toMarkdown([{ ...row, training: 'a|b `c`\n*d*' }]).split('\n');
    expect(lines[0]).to.match(/^\| rank \| network \| training \|/);
    expect(lines[1]).to.match(/^\| ---: \| --- \| --- \|/);
    expect(lines[2]).to.contain('| a\\|b \\`c\\` \\*d\\* |');
    expect(lines).to.have.length(4);
  });

  it('is LaTeX without a sign that LaTeX would take for its own', () => {
    const [row] = plainRows(entriesOf(group));
    const text = toLatex([{ ...row, training: '50% & a_b #1 $x$ {y} ~^\\ γ 0.5' }]);
    expect(text).to.contain(
      '50\\% \\& a\\_b \\#1 \\$x\\$ \\{y\\} \\textasciitilde{}\\textasciicircum{}\\textbackslash{} $\\gamma$ 0.5',
    );
    expect(text)
      .to.match(/^\\begin\{tabular\}\{rlll[lr]+\}\n {2}\\toprule\n/)
      .and.to.match(/\\bottomrule\n\\end\{tabular\}\n$/);
  });
});

describe('labels at the ends of lines', () => {
  it('are moved apart no further than their gap asks, and stay inside', () => {
    const ys = (values: readonly number[], gap: number) =>
      spreadLabels(
        values.map((y) => ({ y })),
        gap,
      ).map(({ y }) => Number(y.toFixed(6)));
    expect(ys([0.5, 0.2, 0.9], 0.1)).to.deep.equal([0.2, 0.5, 0.9]);
    expect(ys([0.5, 0.5, 0.52], 0.1)).to.deep.equal([0.5, 0.6, 0.7]);
    expect(ys([0.98, 1, 0.99], 0.1)).to.deep.equal([0.8, 0.9, 1]);
    expect(ys([0, 0], 0.05)).to.deep.equal([0, 0.05]);
  });
});
