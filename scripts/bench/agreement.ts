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

/** Relative l2 differences of a whole network. */
export interface Differences {
  readonly logits: number;
  readonly inputGradient: number;
  /** The largest over the kernels. */
  readonly weightGradient: number;
}

/**
 * Loads a network into a rival and compares what both compute.
 *
 * @throws Disagreement
 */
export async function loadAndCompare(rival: Rival, net: Net, batch: Batch): Promise<Differences> {
  const { program } = net;
  await rival.ask({ do: 'load', net: net.name, file: rival.store('net', storedNet(net, batch)), program });
  const theirs = await rival.askForTensors({ do: 'check', net: net.name });
  const ours = computed(net, batch);
  const differences = {
    logits: check('logits', relativeDistance(ours.logits, theirs.logits), LIMITS.logits),
    inputGradient: check('the input gradient', relativeDistance(ours.images, theirs.images), LIMITS.networkGradient),
  };
  const kernels = Object.entries(net.params).filter(([name]) => name in theirs);
  const distances = kernels.map(([name, param]) => {
    const expected = isSparse(param) ? gatherValues(param.structure, theirs[name]) : theirs[name];
    return check(`the gradient of ${name}`, relativeDistance(ours[name], expected), LIMITS.networkGradient);
  });
  return { ...differences, weightGradient: Math.max(0, ...distances) };
}

/** Compares a layer's y, dx and dw. @throws Disagreement */
export const compareLayer = (what: string, ours: Arrays, theirs: Arrays): number =>
  Math.max(
    ...Object.entries(ours).map(([name, values]) =>
      check(`${name} of ${what}`, relativeDistance(values, theirs[name]), LIMITS.layer),
    ),
  );

export const describeDifferences = (all: readonly Differences[]): string => {
  const largest = (of: (d: Differences) => number): string => Math.max(...all.map(of)).toExponential(0);
  return `logits ${largest((d) => d.logits)}, input gradient ${largest((d) => d.inputGradient)}, weight gradients ${largest((d) => d.weightGradient)}`;
};

/** A rival's side of an action. */
export const rivalSide = (rival: Rival, name: string, request: Record<string, unknown>) => ({
  name,
  run: async (): Promise<number> => Number((await rival.ask({ do: 'time', ...request })).milliseconds),
});
