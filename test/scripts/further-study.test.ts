import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type ARMS, CELLS, furtherSection, partNames, plannedJobs } from '../../scripts/study/further.ts';
import { ofPlan, readOutcomes, writeOutcomes } from '../../scripts/study/kept-outcomes.ts';
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
  const records = (
    cell: string,
    arm: keyof typeof ARMS,
    accuracies: readonly number[],
    validation: readonly number[] = [],
  ): RunRecord[] =>
    accuracies.map(
      (value, seed) =>
        ({
          name: `${cell}-${arm}-seed${seed}`,
          evaluations: [{ target: { checkpoint: 'last' }, clean: { value }, attacks: [{ robust: { value: 0.01 } }] }],
          config: { objective: 'natural' },
          metrics: validation.map((accuracy) => ({ validation_clean_accuracy: accuracy })),
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

  it('tells in which epoch a run reached what SGD ended with, and how many did', () => {
    const all = [
      ...records('standard-rigl-99', 'sgd', [0.6], [0.5, 0.6]),
      // Once is chance; twice in a row counts.
      ...records('standard-rigl-99', 'published', [0.6, 0.6], [0.61, 0.59, 0.6, 0.62]),
      ...records('standard-rigl-99', 'memory', [0.5], [0.6, 0.5]),
    ];
    const text = furtherSection(outcomesOf(all), ['standard']);
    expect(text).to.match(/RigL 99 % \| `published` \| 2 \| .* \| 3\.0 \(2 of 2\) \| – \|/);
    expect(text).to.match(/RigL 99 % \| `memory` \| 1 \| .* \| – \(0 of 1\) \| – \|/);
  });

  describe('outcomes that are kept', () => {
    let folder: string;
    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'equipoise-outcomes-'));
    });
    afterEach(() => rm(folder, { recursive: true }));
    const file = () => join(folder, 'kept.jsonl');

    it('are read as they were written, in the order of the plan', async () => {
      const outcomes = outcomesOf([
        ...records('standard-rigl-99', 'published', [0.75, 0.76], [0.5, 0.7]),
        ...records('standard-rigl-90', 'sgd', [0.8]),
      ]);
      await writeOutcomes(file(), outcomes, jobs);
      expect(await readOutcomes(file(), jobs)).to.deep.equal(outcomes);
      const names = (await readFile(file(), 'utf8')).trimEnd().split('\n');
      expect(names.map((line) => JSON.parse(line).run)).to.deep.equal([
        'standard-rigl-90-sgd-seed0',
        'standard-rigl-99-published-seed0',
        'standard-rigl-99-published-seed1',
      ]);
    });

    it('are of runs that are trained as the plan says, whatever their names', () => {
      const [{ name, config }, other] = jobs;
      const record = (of: Pick<typeof config, 'epochs'>) => ({ name, config: { ...config, ...of } }) as RunRecord;
      expect(ofPlan([record({ epochs: config.epochs })], jobs)).to.have.length(1);
      expect(ofPlan([record({ epochs: 3 })], jobs)).to.deep.equal([]);
      expect(ofPlan([record({ epochs: config.epochs })], [other])).to.deep.equal([]);
    });

    it('are none without a file', async () => {
      expect((await readOutcomes(file(), jobs)).size).to.equal(0);
    });

    it('are refused if the plan has another configuration for the run, and if they are damaged', async () => {
      await writeOutcomes(file(), outcomesOf(records('standard-rigl-99', 'sgd', [0.7])), jobs);
      const text = await readFile(file(), 'utf8');
      const read = () =>
        readOutcomes(file(), jobs).then(
          () => 'read',
          (error: Error) => error.message,
        );
      await writeFile(file(), text.replace(/"config":"..../, '"config":"0000'));
      expect(await read()).to.match(/^Expected line 1 of .* Remove the line to make the run again\.$/);
      await writeFile(file(), text.replace('0.7', '7'));
      expect(await read()).to.match(/line 1 of .*clean/);
    });
  });
});
