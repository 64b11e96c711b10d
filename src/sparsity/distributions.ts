import { InputError } from '../core/errors.ts';
import { isKernel, isSparse, type Params } from '../core/params.ts';
import { sizeOf } from '../core/structure.ts';

/** A convolution or fully connected kernel, as a distribution sees it. */
export interface Kernel {
  readonly name: string;
  /** [height, width, inputs, outputs] or [inputs, outputs] */
  readonly shape: readonly number[];
}

export interface DistributionOptions {
  /** Keeps the first convolution dense; a network without convolutions has none. */
  readonly firstConvolutionDense?: boolean;
  /** Keeps the last kernel dense, the one that gives the logits. */
  readonly lastLayerDense?: boolean;
}

/** The number of nonzeros of every kernel, by its name. */
export type WeightCounts = Readonly<Record<string, number>>;

/**
 * Where the weights of a sparse network are: how many nonzeros each kernel has.
 *
 * @param kernels in order of execution
 * @param sparsity the share of zeros, in [0, 1)
 * @throws InputError for a sparsity outside [0, 1), or one that the kernels kept dense leave no room for
 */
export type Distribution = (
  kernels: readonly Kernel[],
  sparsity: number,
  options?: DistributionOptions,
) => WeightCounts;

/** The kernels of `params`, in the order in which the model declares them. */
export const kernelsOf = (params: Params): Kernel[] =>
  Object.entries(params)
    .filter(([name]) => isKernel(name))
    .map(([name, param]) => ({ name, shape: isSparse(param) ? param.structure.shape : param.shape }));

/** @throws InputError unless `sparsity` is a fraction in [0, 1) */
export function checkSparsity(sparsity: number): void {
  if (sparsity >= 0 && sparsity < 1) return;
  const meant = sparsity > 1 && sparsity < 100 ? ` Did you mean ${Number((sparsity / 100).toPrecision(12))}?` : '';
  const nothingLeft =
    sparsity === 1 || sparsity === 100 ? ' At 1 no weight would be left; 0.99 keeps one in a hundred.' : '';
  throw new InputError(
    `Sparsity is the fraction of zero weights, at least 0 and below 1; ${sparsity} came.${meant}${nothingLeft}`,
  );
}

const isConvolution = ({ shape }: Kernel): boolean => shape.length === 4;

/** The names of the kernels that the options keep dense. */
function keptDense(
  kernels: readonly Kernel[],
  { firstConvolutionDense = false, lastLayerDense = false }: DistributionOptions,
): ReadonlySet<string> {
  const first = firstConvolutionDense ? kernels.find(isConvolution) : undefined;
  const last = lastLayerDense ? kernels.at(-1) : undefined;
  return new Set([first, last].flatMap((kernel) => (kernel ? [kernel.name] : [])));
}

/** Products such as 0.57 · 100 fall just below the integer that is meant. */
const ROUNDING_SLACK = 1e-6;

/**
 * Every sparse kernel has the same sparsity S: nonzeros = size − ⌊S · size⌋, as google-research/rigl rounds, so at least
 * one. The first convolution stays dense unless told otherwise, so the network's own sparsity is below S.
 */
export const uniform: Distribution = (kernels, sparsity, options = {}) => {
  checkSparsity(sparsity);
  const dense = keptDense(kernels, { firstConvolutionDense: true, ...options });
  return Object.fromEntries(
    kernels.map(({ name, shape }) => {
      const size = sizeOf(shape);
      return [name, dense.has(name) ? size : size - Math.floor(sparsity * size + ROUNDING_SLACK)];
    }),
  );
};

/** (inputs + outputs) / (inputs · outputs): Erdős–Rényi (Mocanu et al. 2018). */
const erdosRenyi = ({ shape }: Kernel): number => {
  const [inputs, outputs] = shape.slice(-2);
  return (inputs + outputs) / (inputs * outputs);
};

/** (height + width + inputs + outputs) / (height · width · inputs · outputs): Erdős–Rényi kernel (Evci et al. 2020). */
const erdosRenyiKernel = ({ shape }: Kernel): number => shape.reduce((sum, extent) => sum + extent, 0) / sizeOf(shape);

/**
 * The density of each kernel, min(1, ε · score), with the one ε that gives `budget` weights in all: kernels that would
 * exceed 1 are made dense and ε is solved again for the others.
 */
export function scaledDensities(
  kernels: readonly Kernel[],
  score: (kernel: Kernel) => number,
  budget: number,
  dense: ReadonlySet<string>,
): number[] {
  const saturated = new Set(dense);
  for (;;) {
    const open = kernels.filter(({ name }) => !saturated.has(name));
    const taken = kernels.reduce((sum, { name, shape }) => sum + (saturated.has(name) ? sizeOf(shape) : 0), 0);
    const epsilon = (budget - taken) / open.reduce((sum, kernel) => sum + score(kernel) * sizeOf(kernel.shape), 0);
    const exceeding = open.filter((kernel) => epsilon * score(kernel) > 1);
    if (exceeding.length === 0) {
      return kernels.map((kernel) => (saturated.has(kernel.name) ? 1 : epsilon * score(kernel)));
    }
    for (const { name } of exceeding) saturated.add(name);
  }
}

const indexOfLargest = (numbers: readonly number[]): number => numbers.indexOf(Math.max(...numbers));

/**
 * Whole numbers that sum to `total`, near `shares` and within `least` and `most`: each is rounded down, and the largest
 * remainders are rounded up. Where `least` has raised too many, the largest numbers give way.
 */
function apportion(
  shares: readonly number[],
  least: readonly number[],
  most: readonly number[],
  total: number,
): readonly number[] {
  const counts = shares.map((share, i) => Math.min(most[i], Math.max(least[i], Math.floor(share + ROUNDING_SLACK))));
  let missing = total - counts.reduce((sum, count) => sum + count, 0);
  const remainder = (count: number, i: number) => (count < most[i] ? shares[i] - count : Number.NEGATIVE_INFINITY);
  for (; missing > 0; missing--) counts[indexOfLargest(counts.map(remainder))]++;
  const spare = (count: number, i: number) => (count > least[i] ? count : Number.NEGATIVE_INFINITY);
  for (; missing < 0; missing++) counts[indexOfLargest(counts.map(spare))]--;
  return counts;
}

/** A distribution of round((1 − sparsity) · size) weights over all kernels by the scores of each. */
const scaled =
  (score: (kernel: Kernel) => number): Distribution =>
  (kernels, sparsity, options = {}) => {
    checkSparsity(sparsity);
    const sizes = kernels.map(({ shape }) => sizeOf(shape));
    const size = sizes.reduce((sum, count) => sum + count, 0);
    const total = Math.round((1 - sparsity) * size);
    const dense = keptDense(kernels, options);
    const least = kernels.map(({ name }, i) => (dense.has(name) ? sizes[i] : 1));
    const needed = least.reduce((sum, count) => sum + count, 0);
    if (total < needed) {
      const kept = dense.size > 0 ? ` with ${[...dense].join(', ')} dense` : '';
      throw new InputError(
        `A sparsity of ${sparsity} leaves ${total} of ${size} weights, and ${needed} are needed for one weight a kernel${kept}; lower the sparsity${kept ? ' or keep no kernel dense' : ''}.`,
      );
    }
    const densities = scaledDensities(kernels, score, (1 - sparsity) * size, dense);
    const shares = densities.map((density, i) => density * sizes[i]);
    const counts = apportion(shares, least, sizes, total);
    return Object.fromEntries(kernels.map(({ name }, i) => [name, counts[i]]));
  };

/**
 * Erdős–Rényi: density ε · (inputs + outputs) / (inputs · outputs), at least what a random bipartite graph needs to be
 * connected (Mocanu et al. 2018, https://arxiv.org/abs/1707.04780). The sparsity is that of the whole network.
 */
export const er: Distribution = scaled(erdosRenyi);

/**
 * Erdős–Rényi kernel: as `er`, with height and width of a convolution kernel in sum and product
 * (Evci et al. 2020, https://arxiv.org/abs/1911.11134). The sparsity is that of the whole network.
 */
export const erk: Distribution = scaled(erdosRenyiKernel);

export type DistributionName = 'uniform' | 'er' | 'erk';

export const distributions: { readonly [Name in DistributionName]: Distribution } = { uniform, er, erk };
