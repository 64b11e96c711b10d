import { expect } from 'chai';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { packBits } from '../../src/evaluation/results/bits.ts';
import { acrossNorms, withUnions } from '../../src/evaluation/results/union.ts';
import type { AttackResult } from '../../src/evaluation/types.ts';
import { severalNormsSection } from '../../src/reporting/page/sections/several-norms-section.ts';
import { collectReport } from '../../src/reporting/report-data.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { formatResults, parseResults } from '../../src/reporting/tables/results.ts';
import { sampleRuns } from './sample.ts';

const THREATS = [
  { norm: 'linf', epsilon: 8 / 255 },
  { norm: 'l1', epsilon: 12 },
] as const;

/** Of ten images, the first `count` from `from` on survive. */
const result = (norm: 'linf' | 'l1', epsilon: number, from: number, count: number): AttackResult => ({
  attack: 'fgsm',
  norm,
  epsilon,
  steps: 1,
  stepSize: epsilon,
  restarts: 1,
  robust: accuracyOf(count, 10),
  survived: packBits(Array.from({ length: 10 }, (_, i) => i >= from && i < from + count)),
  forwardPasses: 20,
  inputGradients: 10,
});

/** Runs of which the first was evaluated in two norms at once: images 0 … 5 and 2 … 8 survive. */
function runs(): readonly RunRecord[] {
  const [first, ...others] = sampleRuns();
  const attacks = withUnions([result('linf', 8 / 255, 0, 6), result('l1', 12, 2, 7)]);
  const [evaluation] = first.evaluations;
  const several = {
    ...evaluation,
    clean: accuracyOf(9, 10),
    attacks,
    acrossNorms: [acrossNorms(attacks, THREATS)],
  };
  return [{ ...first, name: '<first>', evaluations: [several] }, ...others];
}

describe('a report on several norms', () => {
  it('has a section with each norm and all of them, and a row of results.csv', async () => {
    const data = collectReport(runs(), 'report');
    const group = data.groups.find(({ runs: members }) => members.some(({ name }) => name === '<first>'));
    if (group === undefined) throw new Error('The run is in no group.');
    const text = severalNormsSection(group)?.body.text ?? '';
    expect(text).to.contain('&lt;first&gt;').and.not.contain('<first>');
    for (const title of ['linf 8/255', 'l1 12', 'all norms']) expect(text).to.contain(title);
    const cells = [...text.matchAll(/(\d+\.\d) % \[/g)].map(([, share]) => share);
    expect(cells).to.deep.equal(['90.0', '60.0', '70.0', '40.0']);

    const rows = (await parseResults(formatResults(data.results))).filter(({ attack }) => attack === 'all norms');
    expect(rows).to.have.length(1);
    expect(rows[0]).to.include({
      norm: 'linf 8/255 + l1 12',
      epsilon: null,
      attacks: 'fgsm',
      robust_accuracy: 0.4,
      clean_accuracy: 0.9,
      n: 10,
    });
  });

  it('has no such section where nothing was evaluated in several norms', () => {
    const [group] = collectReport(sampleRuns(), 'report').groups;
    expect(severalNormsSection(group)).to.equal(null);
  });
});
