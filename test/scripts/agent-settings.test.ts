import { expect } from 'chai';
import { partNames, plannedJobs, settingsSection } from '../../scripts/study/agent-settings.ts';
import { outcomesOf } from '../../scripts/study/paired.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';

describe("the study of AGENT's settings", () => {
  const jobs = plannedJobs(partNames);

  it('trains ten seeds of the main arms and five of the others, seed by seed', () => {
    const seeds = jobs.map(({ config }) => config.seed);
    expect(seeds).to.deep.equal(seeds.toSorted((a, b) => a - b));
    const count = (name: string) => jobs.filter((job) => job.name.startsWith(`${name}-seed`)).length;
    for (const arm of ['sgd', 'published', 'matched', 'stable']) expect(count(`digits-${arm}`), arm).to.equal(10);
    for (const arm of ['digits-first-2', 'digits-memory', 'digits-fixed', 'aligned-empty', 'aligned-sgd']) {
      expect(count(arm), arm).to.equal(5);
    }
    expect(new Set(jobs.map(({ id }) => id)).size).to.equal(jobs.length);
  });

  it('lets runs of one cell and seed differ in the correction and in fixed batches alone', () => {
    for (const cell of ['digits', 'aligned']) {
      const shared = jobs
        .filter(({ name, config }) => name.startsWith(`${cell}-`) && config.seed === 0)
        .map(({ config }) =>
          JSON.stringify(Object.entries(config).filter(([name]) => !/^(agent|optimizer$|fixedBatches$)/.test(name))),
        );
      expect(new Set(shared).size, cell).to.equal(1);
    }
  });

  it('sets differences of paired seeds with their intervals, variance and ĉ beside them', () => {
    const record = (name: string, robust: number, ratio: number | null): RunRecord =>
      ({
        name,
        evaluations: [
          { target: { checkpoint: 'last' }, clean: { value: 0.9 }, attacks: [{ robust: { value: robust } }] },
        ],
        config: { objective: 'at' },
        metrics: [{ variance_ratio: ratio, c_hat: ratio && -2 * ratio }],
      }) as unknown as RunRecord;
    const records = [0, 1, 2].flatMap((seed) => [
      record(`digits-sgd-seed${seed}`, 0.5 + 0.1 * seed, null),
      record(`digits-published-seed${seed}`, 0.52 + 0.11 * seed, 0.5 + seed),
    ]);
    const text = settingsSection(outcomesOf(records), ['quickstart']);
    // Differences 0.02, 0.03, 0.04: mean 3 points, t(2) · 1 / √3 = 2.48
    expect(text).to.include(
      '| mask update every 19 steps | `published` | SGD | 3 | +3.0 [+0.5, +5.5] | 0.0 [0.0, 0.0] | 1.5; – | 2.5; – | −5 to −1; – |',
    );
    expect(text).to.include('| mask update every 19 steps | SGD | 3 | 90.0 ± 0.0 | 60.0 ± 10.0 |');
    expect(text).to.match(/`stable` \| SGD \| 0 \| – \|/);
  });
});
