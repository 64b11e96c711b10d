import { expect } from 'chai';
import { type ARMS, CELLS, furtherSection, partNames, plannedJobs } from '../../scripts/study/further.ts';
import { outcomesOf } from '../../scripts/study/paired.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';

describe('the second part of the study of AGENT', () => {
  const jobs = plannedJobs(partNames);

  it('trains five seeds of six arms in four cells of standard training, and of four arms in one of adversarial training', () => {
    expect(jobs).to.have.length(5 * (4 * 6 + 4));
    const seeds = jobs.map(({ config }) => config.seed);
    expect(seeds).to.deep.equal(seeds.toSorted((a, b) => a - b));
    expect(new Set(jobs.map(({ id }) => id)).size).to.equal(jobs.length);
  });

  it('lets runs of one cell and seed differ in the correction, in fixed batches and in the number of epochs alone', () => {
    for (const cell of Object.keys(CELLS)) {
      const shared = jobs
        .filter(({ name, config }) => name.startsWith(`${cell}-`) && config.seed === 0)
        .map(({ config }) =>
          JSON.stringify(
            Object.entries(config).filter(([name]) => !/^(agent|optimizer$|fixedBatches$|epochs$)/.test(name)),
          ),
        );
      expect(new Set(shared).size, cell).to.equal(1);
    }
  });

  /** Runs of one cell, seed by seed: `accuracies[seed]` is that of the arm. */
  const records = (cell: string, arm: keyof typeof ARMS, accuracies: readonly number[]): RunRecord[] =>
    accuracies.map(
      (value, seed) =>
        ({
          name: `${cell}-${arm}-seed${seed}`,
          evaluations: [{ target: { checkpoint: 'last' }, clean: { value }, attacks: [{ robust: { value: 0.01 } }] }],
          metrics: [],
        }) as unknown as RunRecord,
    );

  it('judges a comparison that has all of its seeds, by a p that is adjusted over all questions of both parts', () => {
    const all = [
      ...records('standard-rigl-99', 'sgd', [0.7, 0.71, 0.69, 0.7, 0.72]),
      ...records('standard-rigl-99', 'published', [0.75, 0.762, 0.738, 0.75, 0.77]),
      ...records('standard-rigl-99', 'stable', [0.7, 0.72, 0.68, 0.7, 0.72]),
      ...records('standard-rigl-99', 'memory', [0.75, 0.76, 0.739]),
    ];
    const text = furtherSection(outcomesOf(all), ['standard']);
    // 5.0, 5.2, 4.8, 5.0, 5.0 points: s 0.141, t = 79.1 with 4 degrees, p = 1.5e-7, of 23 questions the first
    expect(text).to.match(
      /RigL 99 % \| `published` \| SGD \| 5 of 5 \| \+5\.0 \[\+4\.8, \+5\.2\] \| < 0\.001 \| .* \| distinguishable \|/,
    );
    expect(text).to.match(
      /RigL 99 % \| `stable` \| SGD \| 5 of 5 \| 0\.0 \[.*\] \| 1\.000 \| .* \| not distinguishable \|/,
    );
    expect(text).to.match(/RigL 99 % \| `memory` \| SGD \| 3 of 5 \| .* \| – \| .* \| open \|/);
    expect(text).to.match(/RigL 90 % \| `published` \| SGD \| 0 of 5 \| – \| – \| – \| open \|/);
  });
});
