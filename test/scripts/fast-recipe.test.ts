// The study behind the recipe `fast`: what its runs share, and its table.
import { expect } from 'chai';
import { fastJobs, fastParts, fastSection } from '../../scripts/study/fast-recipe.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { parseConfig } from '../../src/training/config/config.ts';

describe('the study behind the recipe fast', () => {
  const jobs = fastJobs(fastParts);

  it('trains the recipe once for all parts, and each alternative once', () => {
    expect(jobs.map(({ name }) => name)).to.deep.equal([
      'recipe-seed0',
      'lr-0.2-seed0',
      'rs-fgsm-seed0',
      'erk-short-seed0',
      'erk-seed0',
    ]);
    expect(new Set(jobs.map(({ id }) => id)).size).to.equal(jobs.length);
  });

  it('trains the recipe as it is, on a smaller network, fewer images and fewer epochs', () => {
    const { width, trainLimit, epochs, ...rest } = jobs[0].config;
    expect({ width, trainLimit, epochs }).to.deep.equal({ width: 0.25, trainLimit: 20_000, epochs: 6 });
    const { width: _, epochs: __, ...recipe } = parseConfig({ recipe: 'fast' });
    expect(rest).to.deep.equal(recipe);
  });

  it('lists runs that are done by their last epoch, and leaves out the others', () => {
    const { name, config } = jobs[2];
    const row = {
      flops: 1.5e12,
      validation_clean_accuracy: 0.5,
      validation_robust_accuracy: 0.25,
      ema_validation_clean_accuracy: 0.51,
      ema_validation_robust_accuracy: 0.26,
    };
    const record = { name, config, metrics: Array(6).fill(row) } as unknown as RunRecord;
    const unfinished = { ...record, name: 'lr-0.2-seed0', metrics: [row] } as unknown as RunRecord;
    const lines = fastSection([record, unfinished], fastParts).split('\n');
    expect(lines).to.have.length(3);
    expect(lines[2]).to.equal('| `rs-fgsm` | 6 | 1.50 | 50.0 % | 25.0 % | 51.0 % | 26.0 % |');
    expect(fastSection([record], ['distribution']).split('\n')).to.have.length(2);
  });
});
