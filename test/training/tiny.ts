// A tiny configuration for tests of training.
import { readFile } from 'node:fs/promises';
import { methods } from '../../src/sparsity/methods.ts';
import { parseConfig, type TrainConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { METRIC_COLUMNS, type MetricColumn } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';

/** Four steps an epoch of a small network on generated images, a mask update after every third. */
export function tinyConfig(options: TrainOptions = {}): TrainConfig {
  const { method = 'rigl', sparsity = 0.8, objective = 'at', trainingAttack = 'pgd', stepsSchedule } = options;
  const choosesSteps = trainingAttack === 'pgd' && stepsSchedule === undefined;
  return parseConfig({
    dataset: 'synthetic',
    model: 'mlp',
    width: 0.1,
    sparsity,
    trainLimit: 64,
    batchSize: 16,
    epochs: 2,
    lr: 0.05,
    augment: 'shift',
    ...(objective !== 'natural' && { guard: false, ...(choosesSteps && { steps: 2 }) }),
    ...(sparsity > 0 && methods[method].defaults?.interval !== undefined && { updateInterval: 3, updateEnd: 1 }),
    ...options,
  });
}

const TIMED: readonly MetricColumn[] = ['seconds', 'attack_share'];

/** The rows of a run's metrics.csv without the columns that measure time. */
export async function untimedMetrics(out: string): Promise<string[][]> {
  const kept = METRIC_COLUMNS.flatMap((column, i) => (TIMED.includes(column) ? [] : [i]));
  const lines = (await readFile(runFolder(out).metrics, 'utf8')).trimEnd().split('\n');
  return lines.map((line) => kept.map((i) => line.split(',')[i]));
}

/** What a run left behind, apart from times: equal for equal runs. */
export async function outcome(
  out: string,
): Promise<{ last: string; best: string; ema: string | null; metrics: string[][]; kinds: string[] }> {
  const { last, best, ema, events } = runFolder(out);
  const [lastBytes, bestBytes, lines] = await Promise.all([readFile(last), readFile(best), readFile(events, 'utf8')]);
  const averaged = await readFile(ema, 'base64').catch(() => null);
  const kinds = lines
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; epoch?: number; step?: number })
    .filter(({ kind }) => !['resume', 'interrupted', 'checkpoint', 'warning'].includes(kind))
    .map(({ kind, epoch, step }) => `${kind} ${epoch} ${step}`);
  return {
    last: lastBytes.toString('base64'),
    best: bestBytes.toString('base64'),
    ema: averaged,
    metrics: await untimedMetrics(out),
    kinds,
  };
}
