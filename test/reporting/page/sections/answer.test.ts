import { expect } from 'chai';
import { answer, shareInWords } from '../../../../src/reporting/page/sections/answer.ts';
import { collectReport, type ReportGroup } from '../../../../src/reporting/report-data.ts';
import type { RunRecord } from '../../../../src/reporting/runs/runs.ts';
import { parseCsv } from '../../../../src/reporting/tables/csv.ts';
import { formatSummary } from '../../../../src/reporting/tables/summary.ts';
import { sampleRuns } from '../../sample.ts';

const runs = sampleRuns();
const groupOf = (some: readonly RunRecord[]): ReportGroup => collectReport(some, 'T').groups[0];
const plain = (group: ReportGroup): string => answer(group).replaceAll('\u00a0', ' ');

describe('the sentence that a page opens with', () => {
  it('has the numbers of summary.csv', async () => {
    const group = groupOf(runs);
    const rows = await parseCsv(formatSummary(collectReport(runs, 'T').cells));
    const found = (sparsity: number) => {
      const cells = rows.filter(
        (row) =>
          Number(row.sparsity) === sparsity &&
          row.optimizer === 'sgd' &&
          row.objective === 'at' &&
          row.attack === 'union' &&
          row.checkpoint === 'best' &&
          Number(row.epsilon) === 0.1,
      );
      expect(cells).to.have.length(1);
      return { robust: 100 * Number(cells[0].robust_accuracy_mean), flops: Number(cells[0].flops_mean) };
    };
    const [dense, least, most] = [0, 0.9, 0.99].map(found);
    expect([least.flops / dense.flops, most.flops / dense.flops].map((share) => share.toFixed(2))).to.deep.equal([
      '0.10',
      '0.01',
    ]);
    expect(plain(group)).to.equal(
      `At 90 % sparsity robust accuracy falls by ${(dense.robust - least.robust).toFixed(1)} points to ${least.robust.toFixed(1)} %, ` +
        `at a tenth of the multiply-adds; at 99 % it falls by ${(dense.robust - most.robust).toFixed(1)} points to ` +
        `${most.robust.toFixed(1)} %, at a hundredth.`,
    );
  });

  it('is about clean accuracy where nothing was trained on adversarial examples', () => {
    const natural = runs
      .filter(({ config }) => config.optimizer === 'sgd' && config.objective === 'at')
      .map((run) => ({ ...run, config: { ...run.config, objective: 'natural' as const } }));
    expect(plain(groupOf(natural))).to.match(/^At 90 % sparsity clean accuracy falls by \d+\.\d points to/);
  });

  it('says where accuracy stays or rises, and compares with the least sparse network where none is dense', () => {
    const sparse = runs.filter(({ config }) => config.optimizer === 'sgd' && config.sparsity > 0.9);
    expect(plain(groupOf(sparse))).to.match(
      /^At 99 % sparsity robust accuracy falls by \d+\.\d points to \d+\.\d % from that at 95 %, at a fifth of the multiply-adds\.$/,
    );
    const same = runs
      .filter(({ config }) => config.optimizer === 'sgd' && config.objective === 'at' && config.sparsity <= 0.9)
      .map((run) => ({
        ...run,
        evaluations: runs.find(({ config }) => config.seed === run.config.seed)?.evaluations ?? [],
      }));
    expect(plain(groupOf(same))).to.match(/^At 90 % sparsity robust accuracy stays at \d+\.\d %/);
  });

  it('says of one network what it withstands', () => {
    expect(
      plain(groupOf(runs.filter(({ config }) => config.sparsity === 0 && config.objective === 'at').slice(0, 1))),
    ).to.match(
      /^The dense network withstands the attack with ε 0\.1 on \d+\.\d % of the images, and is right on \d+\.\d % without it\.$/,
    );
  });

  it('says what is missing where nothing was evaluated', () => {
    const bare = runs.map((run) => ({ ...run, evaluations: [] }));
    expect(answer(groupOf(bare))).to.equal('None of these 27 runs was evaluated yet.');
    const half = bare.map((run, i) => (i < 20 ? run : { ...run, last: { epoch: 4, datasetSha256: 'abc' } }));
    expect(answer(groupOf(half))).to.equal('20 of 27 runs are complete, and none of them was evaluated yet.');
    const writer = { name: 'process 1 on host', lives: true };
    const one = { ...bare[0], last: { epoch: 4, datasetSha256: 'abc' } };
    expect(answer(groupOf([one]))).to.equal('This run is unfinished: stopped after 4 of 10 epochs.');
    expect(answer(groupOf([{ ...one, writer }]))).to.equal('This run is unfinished: epoch 5 of 10, running.');
  });
});

describe('a share in words', () => {
  it('is a fraction that English has a word for where one is near, else per cent', () => {
    expect([0.5, 0.331, 0.1, 0.0101, 0.05].map(shareInWords)).to.deep.equal([
      'half',
      'a third',
      'a tenth',
      'a hundredth',
      'a twentieth',
    ]);
    expect([0.42, 0.0042, 1.3].map(shareInWords)).to.deep.equal(['42 %', '0.42 %', '130 %']);
  });
});
