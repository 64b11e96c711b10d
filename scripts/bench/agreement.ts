// Checks that two implementations compute the same before they are timed.
import { isSparse } from '../../src/core/params.ts';
import { gatherValues } from '../../src/core/structure.ts';
import { computed } from './actions.ts';
import { type Batch, type Net, storedNet } from './nets.ts';
import type { Arrays, Rival } from './rival.ts';
import { relativeDistance } from './statistics.ts';

/**
 * Largest relative l2 differences between implementations that count as agreement. A whole ReLU network magnifies
 * rounding, which flips single ReLU and pooling decisions; a single layer does not.
 */
const LIMITS = { logits: 1e-4, networkGradient: 2e-2, layer: 1e-5 } as const;

export class Disagreement extends Error {}

function check(what: string, difference: number, limit: number): number {
  if (difference <= limit) return difference;
  throw new Disagreement(
    `The sides disagree on ${what}: relative l2 difference ${difference.toExponential(1)}, allowed ${limit}. Nothing is timed.`,
  );
}

/** The relative l2 difference of logits or of a network's gradient. @throws Disagreement */
export const checkedDistance = (
  what: 'logits' | 'networkGradient',
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
): number => check(what, relativeDistance(ours, theirs), LIMITS[what]);

/** Relative l2 differences of a whole network by what was compared; weight gradients are those of all kernels as one. */
export type Differences = ReadonlyMap<string, number>;

export interface CompareOptions {
  /** The forms of the rival that may be timed; those of PyTorch are memory formats. */
  readonly sides?: readonly string[];
  /** Where no gradient of the rival will be timed. */
  readonly logitsOnly?: boolean;
}

/**
 * Loads a network into a rival and compares what both compute, each form of the rival for itself.
 *
 * @throws Disagreement
 */
export async function loadAndCompare(
  rival: Rival,
  net: Net,
  batch: Batch,
  { sides = [''], logitsOnly = false }: CompareOptions = {},
): Promise<Differences[]> {
  const { name, program } = net;
  await rival.ask({ do: 'load', net: name, file: rival.store('net', storedNet(net, batch)), program, sides });
  const ours = computed(net, batch);
  const all: Differences[] = [];
  for (const side of sides) {
    all.push(compareNetwork(net, ours, await rival.askForTensors({ do: 'check', net: name, side }), logitsOnly));
  }
  return all;
}

function compareNetwork({ params }: Net, ours: Arrays, theirs: Arrays, logitsOnly: boolean): Differences {
  const differences = new Map([
    ['logits', check('logits', relativeDistance(ours.logits, theirs.logits), LIMITS.logits)],
  ]);
  if (logitsOnly) return differences;
  const compare = (what: string, ours: ArrayLike<number>, theirs: ArrayLike<number>): void =>
    void differences.set(what, check(what, relativeDistance(ours, theirs), LIMITS.networkGradient));
  compare('input gradient', ours.images, theirs.images);
  const kernels = Object.entries(params).filter(([name]) => name in theirs);
  if (kernels.length > 0) {
    const expected = kernels.map(([name, param]) =>
      isSparse(param) ? gatherValues(param.structure, theirs[name]) : theirs[name],
    );
    compare('weight gradients', concatenated(kernels.map(([name]) => ours[name])), concatenated(expected));
  }
  return differences;
}

function concatenated(arrays: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(arrays.reduce((length, array) => length + array.length, 0));
  let offset = 0;
  for (const array of arrays) {
    all.set(array, offset);
    offset += array.length;
  }
  return all;
}

/** Compares a layer's y, dx and dw. @throws Disagreement */
export const compareLayer = (what: string, ours: Arrays, theirs: Arrays): number =>
  Math.max(
    ...Object.entries(ours).map(([name, values]) =>
      check(`${name} of ${what}`, relativeDistance(values, theirs[name]), LIMITS.layer),
    ),
  );

/** The largest of each, such as `logits 5e-7, input gradient 8e-5`. */
export function describeDifferences(all: readonly Differences[]): string {
  const names = new Set(all.flatMap((differences) => [...differences.keys()]));
  const largest = (name: string): number => Math.max(...all.map((differences) => differences.get(name) ?? 0));
  return [...names].map((name) => `${name} ${largest(name).toExponential(0)}`).join(', ');
}

/** A rival's side of an action. */
export const rivalSide = (rival: Rival, name: string, request: Record<string, unknown>) => ({
  name,
  run: async (): Promise<number> => Number((await rival.ask({ do: 'time', ...request })).milliseconds),
});
