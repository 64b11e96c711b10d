// BSR-Net: sparse training by connection strengths with fixed signs.
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { foldIn, type Key, normal, sample, uniform } from '../core/key.ts';
import { copyParam, disposeParams, isSparse, type Param, type Params, type SparseParam } from '../core/params.ts';
import { type Structure, sizeOf } from '../core/structure.ts';
import { gather } from '../ops/sparse-kernel.ts';
import type { WeightCounts } from './distributions.ts';
import { freePositions } from './scores.ts';
import type { SignOf, Signs } from './signs.ts';
import { sparsify } from './sparsify.ts';
import type { Sparsifier } from './types.ts';

/*
 * BSR-Net writes each weight as W = sign · θ where θ > 0, else 0, with a sign that never changes, and trains θ. Here
 * sign · θ is what a sparse kernel stores, so nothing else need know of θ: with s = ±1 fixed, ∂L/∂θ = s · ∂L/∂W, and
 * every linear update of θ (momentum, weight decay, AGENT's correction) is the same update of s · θ. A step may carry
 * s · θ across 0. Then θ ≤ 0, the weight is gone, and this sparsifier, which acts after every step, puts another one in
 * its place.
 */

/** θ of a weight just connected: next to nothing, so that the network computes what it did. */
export const NEW_THETA = 1e-12;

/** Options of BSR-Net. */
export interface BsrNetOptions {
  /** The fixed signs of all weights: `fixedSigns(key)`. */
  readonly signs: Signs;
  /** σ ≥ 0: after each step every active θ moves by learning rate · σ · N(0, 1). */
  readonly noise: number;
}

/** The weights of a kernel that are active. */
export interface Connected {
  /** ascending */
  readonly positions: Int32Array;
  /** s · θ, θ > 0 */
  readonly values: Float32Array;
  /** The index of each weight among the weights before. */
  readonly from: Int32Array;
}

/**
 * The weights with θ > 0, out of the values s · θ of a kernel.
 *
 * @param noise added to each θ first; none if left out
 */
export function connectedWeights(
  { positions }: Structure,
  values: Float32Array,
  signOf: SignOf,
  noise?: Float32Array,
): Connected {
  const from = new Int32Array(positions.length);
  const stay = new Int32Array(positions.length);
  const moved = new Float32Array(positions.length);
  let count = 0;
  for (let i = 0; i < positions.length; i++) {
    const sign = signOf(positions[i]);
    const value = noise ? Math.fround(values[i] + sign * noise[i]) : values[i];
    if (!(sign * value > 0)) continue;
    from[count] = i;
    stay[count] = positions[i];
    moved[count++] = value;
  }
  return { from: from.slice(0, count), positions: stay.slice(0, count), values: moved.slice(0, count) };
}

/**
 * How many of `count` new weights each kernel gets: drawn one by one in proportion to the kernels' sizes. What falls on a
 * kernel beyond its free places is drawn again among the others.
 *
 * @throws InputError if there are fewer free places than `count`
 */
export function drawKernels(sizes: readonly number[], free: readonly number[], count: number, key: Key): Int32Array {
  const places = free.reduce((sum, some) => sum + some, 0);
  if (count > places) throw new InputError(`${count} weights cannot be connected at ${places} free places.`);
  const drawn = new Int32Array(sizes.length);
  for (let round = 0, left = count; left > 0; round++) {
    let total = 0;
    const upTo = sizes.map((size, i) => {
      if (drawn[i] < free[i]) total += size;
      return total;
    });
    for (const draw of uniform(foldIn(key, round), left)) drawn[upTo.findIndex((bound) => draw * total < bound)]++;
    left = 0;
    for (const [i, places] of free.entries()) {
      left += Math.max(0, drawn[i] - places);
      drawn[i] = Math.min(drawn[i], places);
    }
  }
  return drawn;
}

/** A sparse kernel and what of it is connected. */
interface Site {
  readonly name: string;
  readonly structure: Structure;
  readonly connected: Connected;
}

interface Reconnected {
  readonly param: SparseParam;
  /** null if the structure is the one before. */
  readonly carried: Int32Array | null;
}

/** The kernels with `count` more weights, of θ = 1e-12, at free places drawn at random: those just left are free too. */
function reconnect(sites: readonly Site[], count: number, signs: Signs, key: Key): Record<string, Reconnected> {
  const sizes = sites.map(({ structure }) => sizeOf(structure.shape));
  const free = sites.map(({ connected }, i) => sizes[i] - connected.positions.length);
  const drawn = drawKernels(sizes, free, count, foldIn(key, 'kernels'));
  return Object.fromEntries(
    sites.map(({ name, structure, connected }, i) => {
      const ranks = sample(foldIn(foldIn(key, name), 'places'), drawn[i], free[i]);
      const grown = freePositions(ranks, connected.positions);
      return [name, merge(structure, connected, grown, signs(name, sizes[i]))];
    }),
  );
}

function merge(structure: Structure, connected: Connected, grown: Int32Array, signOf: SignOf): Reconnected {
  if (grown.length === 0 && connected.positions.length === structure.positions.length) {
    return { param: { structure, values: tf.tensor1d(connected.values) }, carried: null };
  }
  const count = connected.positions.length + grown.length;
  const positions = new Int32Array(count);
  const values = new Float32Array(count);
  const carried = new Int32Array(count);
  let stays = 0;
  let grows = 0;
  for (let i = 0; i < count; i++) {
    if (grows >= grown.length || connected.positions[stays] < grown[grows]) {
      positions[i] = connected.positions[stays];
      values[i] = connected.values[stays];
      carried[i] = connected.from[stays++];
    } else {
      positions[i] = grown[grows++];
      values[i] = signOf(positions[i]) * NEW_THETA;
      carried[i] = -1;
    }
  }
  return { param: { structure: { shape: structure.shape, positions }, values: tf.tensor1d(values) }, carried };
}

/** Multiplies numbers by a factor, in place. */
function scaled(xs: Float32Array, factor: number): Float32Array {
  for (let i = 0; i < xs.length; i++) xs[i] *= factor;
  return xs;
}

/**
 * BSR-Net's rewiring (Özdenizci and Legenstein 2021, http://proceedings.mlr.press/v139/ozdenizci21a.html), after Deep
 * Rewiring (Bellec et al. 2018): after every step noise is added to the active θ, weights with θ ≤ 0 are gone, and as
 * many are connected again, over the sparse kernels in proportion to size, at random places, with θ = 1e-12. So the
 * network's number of weights never changes, and kernels may gain and lose. Dense kernels are left alone.
 *
 * A place just left may be drawn at once; its weight starts anew there, and so does its momentum.
 *
 * @throws InputError if the noise is negative
 */
export function bsrNet({ signs, noise }: BsrNetOptions): Sparsifier {
  if (!(noise >= 0)) throw new InputError(`noise of BSR-Net must be 0 or larger, usually 1e-6, got ${noise}.`);
  return {
    name: 'bsr-net',
    preserves: 'network',
    continuous: true,
    needsDenseGradients: false,
    updatesAt: ({ step }) => step > 0,
    update: async (params, { learningRate = 1 }, _denseGradients, key) => {
      const scale = learningRate * noise;
      const sites: Site[] = [];
      let gone = 0;
      for (const [name, param] of Object.entries(params)) {
        if (!isSparse(param)) continue;
        const { structure } = param;
        const before = (await param.values.data()) as Float32Array;
        const jitter = scale > 0 ? scaled(normal(foldIn(foldIn(key, name), 'noise'), before.length), scale) : undefined;
        const connected = connectedWeights(structure, before, signs(name, sizeOf(structure.shape)), jitter);
        gone += before.length - connected.positions.length;
        sites.push({ name, structure, connected });
      }
      const rewired = reconnect(sites, gone, signs, key);
      const updated: Record<string, Param> = {};
      const carried: Record<string, Int32Array> = {};
      for (const [name, param] of Object.entries(params)) {
        updated[name] = rewired[name]?.param ?? copyParam(param);
        const map = rewired[name]?.carried;
        if (map) carried[name] = map;
      }
      return { params: updated, carried };
    },
  };
}

/** What BSR-Net starts from. */
export interface BsrNetStart {
  readonly signs: Signs;
  /** How many weights of each kernel have θ = |initial weight| at random positions. */
  readonly connected: WeightCounts;
  /** The weights of the network; those that `connected` leaves out are connected at random with θ = 1e-12. */
  readonly total: number;
}

/**
 * BSR-Net before its first step, with exactly `total` weights.
 *
 * @param dense initial weights; borrowed
 * @returns parameters owned by the caller
 * @throws InputError if there are fewer places than weights
 */
export function startBsrNet(dense: Params, { signs, connected, total }: BsrNetStart, key: Key): Params {
  const chosen = sparsify(dense, connected, key);
  const sites = Object.entries(chosen).flatMap(([name, param]): Site[] => {
    if (!isSparse(param)) return [];
    const { structure } = param;
    const { positions } = structure;
    const signOf = signs(name, sizeOf(structure.shape));
    const from = new Int32Array(positions.length);
    const values = new Float32Array(positions.length);
    for (let i = 0; i < positions.length; i++) {
      from[i] = i;
      values[i] = signOf(positions[i]);
    }
    return [{ name, structure, connected: { positions, values, from } }];
  });
  const there = Object.values(connected).reduce((sum, count) => sum + count, 0);
  const rewired = reconnect(sites, total - there, signs, foldIn(key, 'reconnect'));
  const params = Object.fromEntries(
    Object.entries(chosen).map(([name, param]) => [
      name,
      name in rewired ? withInitialTheta(rewired[name], dense[name]) : copyParam(param),
    ]),
  );
  disposeParams(chosen);
  return params;
}

/** θ = |initial weight| instead of 1 at the connected weights; the kernel is taken over. */
function withInitialTheta({ param: { structure, values }, carried }: Reconnected, initial: Param): SparseParam {
  const theta = tf.tidy(() => {
    const isNew = Array.from(structure.positions, (_, i) => (carried !== null && carried[i] < 0 ? 1 : 0));
    const magnitudes = tf.maximum(tf.abs(gather(structure, initial as tf.Tensor)), NEW_THETA);
    return tf.where(tf.tensor1d(isNew, 'bool'), values, tf.mul(values, magnitudes)) as tf.Tensor1D;
  });
  values.dispose();
  return { structure, values: theta };
}
