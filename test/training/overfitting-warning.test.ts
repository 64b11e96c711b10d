import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import {
  formatMetricRow,
  METRIC_COLUMNS,
  METRICS_HEADER,
  type MetricRow,
  parseMetrics,
} from '../../src/training/run/metrics.ts';
import { overfittingWarning } from '../../src/training/run/overfitting-warning.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { useBackend } from '../backend.ts';
import { tinyConfig } from './tiny.ts';

describe('the warning of robust overfitting', () => {
  const at = { objective: 'at' } as const;
  const row = (epoch: number, training: number, heldOut: number): MetricRow => ({
    ...(Object.fromEntries(METRIC_COLUMNS.map((column) => [column, null])) as MetricRow),
    epoch,
    train_robust_accuracy: training,
    validation_robust_accuracy: heldOut,
  });
  /** Both accuracies rise for ten epochs, then they part. */
  const parting = Array.from({ length: 20 }, (_, i) =>
    row(i + 1, 0.2 + 0.02 * i, i < 10 ? 0.2 + 0.02 * i : 0.4 - 0.02 * (i - 9)),
  );
  const warned = (rows: readonly MetricRow[], config: Parameters<typeof overfittingWarning>[0] = at) =>
    rows.flatMap((_, i) => (overfittingWarning(config, rows.slice(0, i + 1)) === null ? [] : [i + 1]));

  it('is given once, after the first epoch that shows it', () => {
    const epochs = warned(parting);
    expect(epochs).to.have.length(1);
    expect(epochs[0]).to.be.within(12, 15);
    expect(overfittingWarning(at, parting.slice(0, epochs[0]))).to.match(/^Robust overfitting: .* around epoch 1\d /);
  });

  it('is not given again where the accuracy has recovered and falls once more', () => {
    const again = [...parting, ...parting.map((one) => ({ ...one, epoch: (one.epoch ?? 0) + 20 }))];
    expect(warned(again)).to.deep.equal(warned(parting));
  });

  it('is not given of training that does not attack', () => {
    expect(warned(parting, { objective: 'natural' })).to.deep.equal([]);
  });

  it('is an event of the run, in a resumed one too', async () => {
    await useBackend('cpu');
    const base = await mkdtemp(join(tmpdir(), 'equipoise-'));
    const out = join(base, 'run');
    const config = tinyConfig({ method: 'static', epochs: 9 });
    const controller = new AbortController();
    await train(config, {
      out,
      signal: controller.signal,
      onProgress: ({ kind, epoch }) => kind === 'epoch' && epoch === 8 && controller.abort(),
    });
    // Beside these epochs the last one, as it really is, is better on training images and worse on held-out ones.
    const { metrics } = runFolder(out);
    const rows = parseMetrics(await readFile(metrics, 'utf8'), metrics);
    expect(rows).to.have.length(8);
    const good = rows.map((one) => ({ ...one, train_robust_accuracy: 0, validation_robust_accuracy: 1 }));
    await writeFile(metrics, METRICS_HEADER + good.map(formatMetricRow).join(''));
    const events: TrainEvent[] = [];
    const { last } = await train(config, { out, resume: true, onProgress: (event) => events.push(event) });
    expect(last?.validation_robust_accuracy).to.be.below(0.9);
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event] : []));
    expect(warnings.map(({ epoch }) => epoch)).to.deep.equal([9]);
    expect(warnings[0].message).to.match(/^Robust overfitting: /);
    await rm(base, { recursive: true });
  });
});
