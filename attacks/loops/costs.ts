// What attacks ask of a model, added up and weighed.
import type { Attack, Cost } from '../types.ts';

export const NO_COST: Cost = { forwardPasses: 0, inputGradients: 0 };

export const addCosts = (a: Cost, b: Cost): Cost => ({
  forwardPasses: a.forwardPasses + b.forwardPasses,
  inputGradients: a.inputGradients + b.inputGradients,
});

export const timesCost = (times: number, { forwardPasses, inputGradients }: Cost): Cost => ({
  forwardPasses: times * forwardPasses,
  inputGradients: times * inputGradients,
});

/** The most work that an attack is for one image, in forward passes; a gradient takes about two beside its own. */
export function workOf({ budget }: Attack, classes: number): number {
  const { forwardPasses, inputGradients } = budget?.(classes) ?? { forwardPasses: 1, inputGradients: 0 };
  return forwardPasses + 2 * inputGradients;
}
