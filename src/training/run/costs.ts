// The costs of training, added up.

/** What training took, counted in images; `flops` are multiply-adds at the nonzeros. */
export interface Costs {
  readonly forwardPasses: number;
  readonly inputGradients: number;
  readonly weightGradients: number;
  readonly flops: number;
}

export const NO_COSTS: Costs = { forwardPasses: 0, inputGradients: 0, weightGradients: 0, flops: 0 };

export const addCosts = (a: Costs, b: Costs): Costs => ({
  forwardPasses: a.forwardPasses + b.forwardPasses,
  inputGradients: a.inputGradients + b.inputGradients,
  weightGradients: a.weightGradients + b.weightGradients,
  flops: a.flops + b.flops,
});

/** The cost of passing `images` forward only; each image takes `flops`. */
export const forwardCosts = (images: number, flops: number): Costs => ({
  ...NO_COSTS,
  forwardPasses: images,
  flops: images * flops,
});

/** The cost of the weight gradient of `images`: forward, gradients of the activations, gradients of the weights. */
export const gradientCosts = (images: number, flops: number): Costs => ({
  forwardPasses: images,
  inputGradients: images,
  weightGradients: images,
  flops: 3 * images * flops,
});

/** The cost of an attack's forward passes and input gradients. */
export const attackCosts = (
  { forwardPasses, inputGradients }: Pick<Costs, 'forwardPasses' | 'inputGradients'>,
  flops: number,
): Costs => ({ forwardPasses, inputGradients, weightGradients: 0, flops: (forwardPasses + inputGradients) * flops });
