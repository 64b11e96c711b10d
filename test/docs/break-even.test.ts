import '@tensorflow/tfjs-backend-cpu';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { PrepassName } from '../../src/optimizers/prepasses.ts';
import { parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { train } from '../../src/training/train.ts';

const PAGE = fileURLToPath(new URL('../../../docs/agent.md', import.meta.url));

describe('the break-even on the page on AGENT', () => {
  let base = '';
  before(async () => {
    await tf.setBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-'));
  });
  after(() => rm(base, { recursive: true }));

  const known = new Map<string, number>();
  /** Forward passes, input gradients and weight gradients that a run counts, for each image of its epoch. */
  async function cost(options: TrainOptions): Promise<number> {
    const key = JSON.stringify(options);
    if (!known.has(key)) {
      const config = parseConfig({
        ...{ dataset: 'synthetic', model: 'mlp', width: 0.1, sparsity: 0.9, method: 'static' },
        ...{ trainLimit: 8, batchSize: 4, epochs: 1, ...options },
      });
      const { last } = await train(config, { out: join(base, `run-${known.size}`) });
      const passes = ['forward_passes', 'input_gradients', 'weight_gradients'] as const;
      known.set(key, passes.reduce((sum, name) => sum + (last?.[name] ?? Number.NaN), 0) / 8);
    }
    return known.get(key) ?? Number.NaN;
  }

  const TRAININGS: Readonly<Record<string, TrainOptions>> = {
    standard: { objective: 'natural' },
    'one-step attack': { objective: 'at', steps: 1 },
    'PGD-10': { objective: 'at', steps: 10 },
  };

  it('is what runs count', async () => {
    const [, table = ''] = /<!-- break-even -->\n(.*?)<!-- end -->/s.exec(await readFile(PAGE, 'utf8')) ?? [];
    const rows = table.trim().split('\n').slice(2);
    expect(rows.length).to.be.above(8);
    for (const row of rows) {
      const [training, prepass, ...figures] = row
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      const [, name, steps] = /^`([\w-]+)`(?:, (\d+) attack steps?)?$/.exec(prepass) ?? [];
      const plain = await cost(TRAININGS[training]);
      const corrected = await cost({
        ...TRAININGS[training],
        ...{ optimizer: 'agent', agentPrepass: name as PrepassName },
        ...(steps !== undefined && { agentAttackSteps: Number(steps) }),
      });
      const ratio = corrected / plain;
      expect(figures, row).to.deep.equal([
        ...[String(plain), String(corrected), ratio.toFixed(2), `${Math.round(100 * (1 - 1 / ratio))} %`],
      ]);
    }
  });
});
