// What a run of a study in pairs came to.

import { z } from 'zod';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { measureOf } from '../../src/training/run/best-epoch.ts';
import type { MetricColumn } from '../../src/training/run/metrics.ts';

const fraction = z.number().min(0).max(1);
const accuracies = z.object({ clean: fraction, robust: fraction }).readonly();
const numbers = z.array(z.number()).readonly();

/** Accuracies are fractions. */
export const OUTCOME = z
  .object({
    /** On test images, by the last step's weights and by the averaged ones. */
    raw: accuracies,
    averaged: accuracies.nullable(),
    /** On held-out training images, by epoch: clean under natural training, else robust. */
    validation: z.array(fraction).readonly(),
    /** Corrected over plain variance, by epoch, where it was measured. */
    ratios: numbers,
    /** AGENT's ĉ, by epoch. */
    estimates: numbers,
    multiplyAdds: z.number(),
    /** How often the guard put the run back. */
    collapses: z.number(),
  })
  .readonly();

export type Accuracies = z.infer<typeof accuracies>;
export type Outcome = z.infer<typeof OUTCOME>;

/** What a run came to; null if it is not evaluated yet. */
export function outcomeOf({ config, evaluations, metrics }: RunRecord): Outcome | null {
  const measured = (checkpoint: 'last' | 'ema'): Accuracies | null => {
    const found = evaluations.find(({ target }) => target.checkpoint === checkpoint);
    const attack = found?.attacks[0];
    return found && attack ? { clean: found.clean.value, robust: attack.robust.value } : null;
  };
  const [raw, averaged] = [measured('last'), measured('ema')];
  if (raw === null || (config.ema !== undefined && averaged === null)) return null;
  const column = (name: MetricColumn) => metrics.flatMap((row) => row[name] ?? []);
  return {
    raw,
    averaged,
    validation: column(measureOf(config)),
    ratios: column('variance_ratio'),
    estimates: column('c_hat'),
    multiplyAdds: column('flops').at(-1) ?? 0,
    collapses: column('collapses').at(-1) ?? 0,
  };
}
