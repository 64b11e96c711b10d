// What is measured on the first images only, for the alarms: the probe of the model, and a short Square attack.

import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Classifier } from '../../../attacks/types.ts';
import { foldIn, type Key } from '../../core/key.ts';
import { needsNoGradient } from '../alarms/alarms.ts';
import { probeModel } from '../alarms/probe.ts';
import { shortSquare } from '../alarms/short-square.ts';
import { eotOf } from '../attacks/named-attacks.ts';
import type { Cell, MeasureOptions, MeasureState } from './types.ts';

/** How many images the alarms that need extra work look at. */
export const PROBED = 64;

/** What an evaluation has found, and by which settings. */
interface Evaluated {
  readonly labels: Int32Array;
  readonly cells: readonly Cell[];
  readonly state: MeasureState;
  readonly key: Key;
  readonly options: Pick<MeasureOptions, 'signal'>;
}

/** Probes the model on its first images, and attacks those that are left by a short Square attack. */
export async function probeFirst(
  model: Classifier,
  first: Tensor4D,
  { labels, cells, state, key, options: { signal } }: Evaluated,
) {
  // A model that is random is asked as often as by the attacks of the evaluation.
  const eot = Math.max(...cells.map(({ spec }) => eotOf(spec)));
  return {
    ...(await probeModel(model, first, labels, key, eot, signal)),
    squares: await shortSquares(model, first, labels, cells, state, { eot, key: foldIn(key, 'beside'), signal }),
  };
}

/**
 * In each norm a short Square attack on the first images that every attack at its largest radius left right, if no attack was of
 * its kind.
 */
async function shortSquares(
  model: Classifier,
  first: Tensor4D,
  labels: Int32Array,
  cells: readonly Cell[],
  state: MeasureState,
  options: Pick<Parameters<typeof shortSquare>[4], 'eot' | 'key' | 'signal'>,
): Promise<readonly Awaited<ReturnType<typeof shortSquare>>[]> {
  if (cells.some(({ spec }) => needsNoGradient(spec))) return [];
  const found: Awaited<ReturnType<typeof shortSquare>>[] = [];
  for (const norm of new Set(cells.map((cell) => cell.norm))) {
    const epsilon = Math.max(...cells.filter((cell) => cell.norm === norm).map((cell) => cell.epsilon));
    if (epsilon === 0) continue;
    const left = Array.from({ length: first.shape[0] }, (_, place) => place).filter((place) =>
      cells.every((cell, i) => cell.norm !== norm || cell.epsilon < epsilon || state.cells[i].survived[place]),
    );
    found.push(await shortSquare(model, first, labels, left, { ...options, norm, epsilon }));
  }
  return found;
}
