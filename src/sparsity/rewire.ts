// Rewiring: drops weights by one rule and grows as many by another. RigL and SET are choices of rules.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { foldIn, type Key } from '../core/key.ts';
import { copyParam, isSparse, type Param, type SparseParam, type Tensors } from '../core/params.ts';
import { indexMap, pick, sizeOf } from '../core/structure.ts';
import {
  checkUpdateSchedule,
  type DropFractionName,
  dropFractions,
  type UpdateSchedule,
  updatesAt,
  updateTime,
} from './schedules.ts';
import { type DropRuleName, dropRules, type GrowRuleName, growRules } from './scores.ts';
import { mergeSorted } from './select.ts';
import type { Sparsifier } from './types.ts';

/** Options of rewiring: which weights go, which come, and how many. */
export interface RewireOptions extends UpdateSchedule {
  readonly drop: DropRuleName;
  readonly grow: GrowRuleName;
  /** The share of each kernel's weights that the first update drops, in (0, 1). */
  readonly dropFraction: number;
  readonly dropFractionSchedule: DropFractionName;
  /** Where a schedule that falls ends. */
  readonly finalDropFraction: number;
  /** How dropFraction · weights becomes a whole number: google-research/rigl rounds down, ITOP up. */
  readonly rounding: 'floor' | 'ceil';
}

/** The number of weights that one update drops, and grows, in a kernel with `nonzeros` weights. */
export const dropCount = (nonzeros: number, fraction: number, rounding: RewireOptions['rounding']): number =>
  rounding === 'floor' ? Math.floor(Math.fround(nonzeros * Math.fround(fraction))) : Math.ceil(fraction * nonzeros);

/**
 * Dynamic sparse training: at times each sparse kernel drops a share of its weights and grows as many elsewhere, so its
 * number of weights never changes.
 *
 * A place just dropped is free and may grow again; that weight then keeps its value and its momentum, as in
 * google-research/rigl. Every other grown weight starts at 0. Dense kernels are left alone.
 */
export function rewire(name: string, options: RewireOptions): Sparsifier {
  checkOptions(options);
  const { needsGradient } = growRules[options.grow];
  return {
    name,
    preserves: 'kernels',
    needsDenseGradients: needsGradient,
    updatesAt: (progress) => updatesAt(options, progress),
    update: async (params, progress, denseGradients, key) => {
      const fraction = dropFractions[options.dropFractionSchedule](
        options.dropFraction,
        updateTime(options, progress),
        options.finalDropFraction,
      );
      const updated: Record<string, Param> = {};
      const carried: Record<string, Int32Array> = {};
      for (const [kernel, param] of Object.entries(params)) {
        const count = isSparse(param) ? dropCount(param.values.size, fraction, options.rounding) : 0;
        if (!isSparse(param) || count === 0) {
          updated[kernel] = copyParam(param);
          continue;
        }
        const gradient = needsGradient ? await readGradient(kernel, param, denseGradients) : new Float32Array(0);
        const rewired = await rewireKernel(param, count, gradient, options, foldIn(key, kernel));
        updated[kernel] = rewired.param;
        carried[kernel] = rewired.carried;
      }
      return { params: updated, carried };
    },
  };
}

/** One kernel after dropping and growing `count` weights, and where each of its weights was before. */
async function rewireKernel(
  { structure, values }: SparseParam,
  count: number,
  gradient: Float32Array,
  { drop, grow }: Pick<RewireOptions, 'drop' | 'grow'>,
  key: Key,
): Promise<{ param: SparseParam; carried: Int32Array }> {
  const before = (await values.data()) as Float32Array;
  const keep = dropRules[drop](before, before.length - count, foldIn(key, 'drop'));
  const kept = pick(structure.positions, keep);
  const site = { size: sizeOf(structure.shape), kept, gradient, key: foldIn(key, 'grow') };
  const grown = growRules[grow].choose(site, count);
  const after = { shape: structure.shape, positions: mergeSorted(kept, grown) };
  const carried = indexMap(structure, after);
  const weights = new Float32Array(carried.length);
  for (let i = 0; i < weights.length; i++) if (carried[i] >= 0) weights[i] = before[carried[i]];
  return { param: { structure: after, values: tf.tensor1d(weights) }, carried };
}

async function readGradient(kernel: string, { structure }: SparseParam, gradients: Tensors): Promise<Float32Array> {
  const gradient = gradients[kernel];
  const size = sizeOf(structure.shape);
  if (gradient?.size !== size) {
    throw new InputError(
      `Growth by gradient needs the dense gradient [${structure.shape}] of ${kernel}, got ${gradient ? `[${gradient.shape}]` : 'none'}.`,
    );
  }
  return (await gradient.data()) as Float32Array;
}

function checkOptions(options: RewireOptions): void {
  checkUpdateSchedule(options);
  const { dropFraction, finalDropFraction } = options;
  if (!(dropFraction > 0 && dropFraction < 1)) {
    throw new InputError(`dropFraction must be between 0 and 1, got ${dropFraction}.`);
  }
  if (!(finalDropFraction >= 0 && finalDropFraction < 1)) {
    throw new InputError(`finalDropFraction must be in [0, 1), got ${finalDropFraction}.`);
  }
}
