// How the learning curves of a page are laid out.
import { expect } from 'chai';
import { learningSection } from '../../../../src/reporting/page/sections/curve-sections.ts';
import { collectReport } from '../../../../src/reporting/report-data.ts';
import type { RunRecord } from '../../../../src/reporting/runs/runs.ts';
import { sampleRuns } from '../../sample.ts';

describe('the learning curves of a page', () => {
  /** Titles above rows, and how many charts each row has. */
  async function layoutOf(runs: readonly RunRecord[]) {
    const { text } = (await learningSection(collectReport(runs, 'A report').groups[0]))?.body ?? { text: '' };
    const [before, ...rows] = text.split('class="charts small-multiples"');
    return {
      titles: [before, ...rows].flatMap((part) => [...part.matchAll(/<h3>(.*?)<\/h3>/g)].map(([, title]) => title)),
      captions: rows.map((row) => [...row.matchAll(/<figcaption[^>]*>(.*?)<\/figcaption>/g)].map(([, name]) => name)),
    };
  }
  const names = ['Robust accuracy', 'Clean accuracy', 'Training loss'];

  it('share one row if all runs are of one sparsity', async () => {
    expect(await layoutOf(sampleRuns().slice(0, 1))).to.deep.equal({ titles: [], captions: [names] });
  });

  it('have a row each, with a chart for each sparsity', async () => {
    const { titles, captions } = await layoutOf(sampleRuns());
    expect(titles).to.deep.equal(names);
    for (const row of captions) expect(row).to.have.length.above(1).and.to.include('0 % sparsity');
  });
});
