// The study of seconds to robust accuracy: what its runs share, and its tables.
import { expect } from 'chai';
import { outcomesOf } from '../../scripts/study/paired.ts';
import { plannedJobs, secondsSection } from '../../scripts/study/seconds.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { parseConfig } from '../../src/training/config/config.ts';

describe('the study of seconds to robust accuracy', () => {
  const jobs = plannedJobs();

  it('trains three seeds of four arms, which differ in the training attack and the number of epochs alone', () => {
    expect(jobs).to.have.length(12);
    expect(new Set(jobs.map(({ id }) => id)).size).to.equal(12);
    const shared = jobs.map(({ config }) =>
      JSON.stringify(
        Object.entries(config).filter(
          ([name]) => !['seed', 'trainingAttack', 'steps', 'stepSize', 'epochs', 'guard'].includes(name),
        ),
      ),
    );
    expect(new Set(shared).size).to.equal(1);
  });

  it('trains as the recipe fast does, at half the width and for 15 epochs', () => {
    const { config } = jobs.find(({ name }) => name === 'half-n-fgsm-seed0') ?? jobs[0];
    expect(config).to.deep.equal(parseConfig({ recipe: 'fast', width: 0.5, epochs: 15 }));
  });

  /** A run with its robust accuracies by raw and by averaged weights. */
  const record = (arm: string, seed: number, raw: number, averaged: number | null): RunRecord => {
    const evaluated = (checkpoint: string, robust: number) => ({
      target: { checkpoint },
      clean: { value: 0.6 },
      attacks: [{ robust: { value: robust } }],
    });
    return {
      name: `half-${arm}-seed${seed}`,
      config: { objective: 'at', ema: 0.999 },
      evaluations: [evaluated('last', raw), ...(averaged === null ? [] : [evaluated('ema', averaged)])],
      metrics: [{ flops: 2e12, collapses: 1 }],
    } as unknown as RunRecord;
  };

  it('compares averaged weights seed by seed, with an interval from three pairs on', () => {
    const two = [0, 1].flatMap((seed) => [
      record('n-fgsm', seed, 0.39, 0.4 + 0.01 * seed),
      record('pgd-10', seed, 0.38, 0.41),
    ]);
    expect(secondsSection(outcomesOf(two))).to.match(/N-FGSM \| PGD-10 \| 2 of 3 \| −1\.0 0\.0 \|/);
    const three = [...two, record('n-fgsm', 2, 0.39, 0.42), record('pgd-10', 2, 0.38, 0.41)];
    expect(secondsSection(outcomesOf(three))).to.match(/N-FGSM \| PGD-10 \| 3 of 3 \| 0\.0 \[−2\.5, \+2\.5\] \| 0\.0/);
  });

  it('says what an arm cost, what averaging gained and how often the guard put a run back', () => {
    const text = secondsSection(outcomesOf([record('n-fgsm', 0, 0.39, 0.4), record('n-fgsm', 1, 0.38, 0.4)]));
    expect(text).to.match(
      /\| N-FGSM \| 2 \| 2\.0 \| 60\.0 ± 0\.0 \| 38\.5 ± 0\.7 \| .* \| 40\.0 ± 0\.0 \| \+1\.5 \| 2 \|/,
    );
  });

  it('takes a run as done when both of its checkpoints are evaluated', () => {
    expect(outcomesOf([record('n-fgsm', 0, 0.39, null)]).size).to.equal(0);
  });
});
