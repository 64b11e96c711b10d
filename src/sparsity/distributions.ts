// The table of distributions: how many weights each kernel gets at a given sparsity.
import { InputError } from '../core/errors.ts';
import { sizeOf } from '../core/structure.ts';

/** What a distribution needs of a kernel: those that `kernelsOf` of src/models lists have it. */
export interface KernelShape {
  readonly name: string;
  /** [height, width, inputs, outputs] or [inputs, outputs] */
  readonly shape: readonly number[];
}

/** Options of the distributions; each uses those that apply to it. */
export interface DistributionOptions {
  /** Keeps the first convolution dense; a network without convolutions has none. */
  readonly firstConvolutionDense?: boolean;
  /** Keeps the last kernel dense, the one that gives the logits. */
  readonly lastLayerDense?: boolean;
  /** `per-layer` alone: the sparsity of each kernel that is named here, in [0, 1). */
  readonly sparsities?: Readonly<Record<string, number>>;
  /** `bsr-net` alone: the density of the convolutions of the first stage, in (0, 1]; 0.2, and 0.1 in wide residual nets. */
  readonly firstStageDensity?: number;
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
  kernels: readonly KernelShape[],
  sparsity: number,
  options?: DistributionOptions,
) => WeightCounts;

/** @throws InputError unless `sparsity` is a fraction in [0, 1) */
export function checkSparsity(sparsity: number): void {
  if (sparsity >= 0 && sparsity < 1) return;
  const meant = sparsity > 1 && sparsity < 100 ? ` Did you mean ${Number((sparsity / 100).toPrecision(12))}?` : '';
  const nothingLeft =
    sparsity === 1 || sparsity === 100 ? ' At 1 no weight would be left; 0.99 keeps one in a hundred.' : '';
  throw new InputError(
    `Sparsity is the fraction of zero weights and must be in [0, 1), got ${sparsity}.${meant}${nothingLeft}`,
  );
}

const isConvolution = ({ shape }: KernelShape): boolean => shape.length === 4;

/** The names of the kernels that the options keep dense. */
export function keptDense(
  kernels: readonly KernelShape[],
  { firstConvolutionDense = false, lastLayerDense = false }: DistributionOptions,
): ReadonlySet<string> {
  const first = firstConvolutionDense ? kernels.find(isConvolution) : undefined;
  const last = lastLayerDense ? kernels.at(-1) : undefined;
  return new Set([first, last].flatMap((kernel) => (kernel ? [kernel.name] : [])));
}

/** Products such as 0.57 · 100 fall just below the integer that is meant. */
const ROUNDING_SLACK = 1e-6;

/** The weights of a kernel at a sparsity of its own: size − ⌊S · size⌋, as google-research/rigl rounds, so at least one. */
const countAt = (sparsity: number, size: number): number => size - Math.floor(sparsity * size + ROUNDING_SLACK);

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
      return [name, dense.has(name) ? size : countAt(sparsity, size)];
    }),
  );
};

/** (inputs + outputs) / (inputs · outputs): Erdős–Rényi (Mocanu et al. 2018). */
const erdosRenyi = ({ shape }: KernelShape): number => {
  const [inputs, outputs] = shape.slice(-2);
  return (inputs + outputs) / (inputs * outputs);
};

/** (height + width + inputs + outputs) / (height · width · inputs · outputs): Erdős–Rényi kernel (Evci et al. 2020). */
const erdosRenyiKernel = ({ shape }: KernelShape): number =>
  shape.reduce((sum, extent) => sum + extent, 0) / sizeOf(shape);

/**
 * The density of each kernel, min(1, ε · score), with the one ε that gives `budget` weights in all: kernels that would
 * exceed 1 are made dense and ε is solved again for the others.
 */
export function scaledDensities(
  kernels: readonly KernelShape[],
  score: (kernel: KernelShape) => number,
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

/** The weights of a network at a sparsity of the whole, over kernels of these sizes: round((1 − S) · size). */
function budgetOf(
  kernels: readonly KernelShape[],
  sparsity: number,
  dense: ReadonlySet<string>,
): {
  readonly sizes: readonly number[];
  readonly size: number;
  readonly least: readonly number[];
  readonly total: number;
} {
  checkSparsity(sparsity);
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  const sizes = kernels.map(({ shape }) => sizeOf(shape));
  const size = sum(sizes);
  const total = Math.round((1 - sparsity) * size);
  const least = kernels.map(({ name }, i) => (dense.has(name) ? sizes[i] : 1));
  const needed = sum(least);
  if (total < needed) {
    const kept = dense.size > 0 ? ` with ${[...dense].join(', ')} dense` : '';
    throw new InputError(
      `A sparsity of ${sparsity} leaves ${total} of ${size} weights, and ${needed} are needed for one weight a kernel${kept}; lower the sparsity${kept ? ' or keep no kernel dense' : ''}.`,
    );
  }
  return { sizes, size, least, total };
}

const byName = (kernels: readonly KernelShape[], counts: readonly number[]): WeightCounts =>
  Object.fromEntries(kernels.map(({ name }, i) => [name, counts[i]]));

/** A distribution of round((1 − sparsity) · size) weights over all kernels by the scores of each. */
const scaled =
  (score: (kernel: KernelShape) => number): Distribution =>
  (kernels, sparsity, options = {}) => {
    const dense = keptDense(kernels, options);
    const { sizes, size, least, total } = budgetOf(kernels, sparsity, dense);
    const densities = scaledDensities(kernels, score, (1 - sparsity) * size, dense);
    const shares = densities.map((density, i) => density * sizes[i]);
    return byName(kernels, apportion(shares, least, sizes, total));
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

/**
 * Kernels named in `sparsities` have these, every other one the sparsity given; each keeps at least one weight. The first
 * convolution is as any other kernel.
 *
 * @throws InputError without `sparsities`, or if they name no kernel of the network
 */
export const perLayer: Distribution = (kernels, sparsity, options = {}) => {
  checkSparsity(sparsity);
  const { sparsities } = options;
  if (sparsities === undefined) {
    throw new InputError('The distribution per-layer needs `sparsities`, such as { "conv1.kernel": 0.4 }, got none.');
  }
  const names = new Set(kernels.map(({ name }) => name));
  const unknown = Object.keys(sparsities).filter((name) => !names.has(name));
  if (unknown.length > 0) {
    throw new InputError(`The network has no kernel ${unknown.join(', ')}; its kernels are ${[...names].join(', ')}.`);
  }
  for (const own of Object.values(sparsities)) checkSparsity(own);
  const dense = keptDense(kernels, options);
  return Object.fromEntries(
    kernels.map(({ name, shape }) => {
      const size = sizeOf(shape);
      return [name, dense.has(name) ? size : countAt(sparsities[name] ?? sparsity, size)];
    }),
  );
};

/**
 * The stage of a kernel: the block it is named after (`layer1` of `layer1.0.conv2.kernel`), or, of a network without
 * blocks, its number of outputs.
 */
function stageOf({ name, shape }: KernelShape): string {
  const path = name.split('.');
  return path.length > 2 ? path[0] : `${shape[shape.length - 1]}`;
}

/** BSR-Net's densities that do not depend on the sparsity: of the stage of the first convolution, and of the last kernel. */
const BSR_NET_ENDS = 0.6;

/**
 * The weights that BSR-Net connects before its first step, with p = 1 − S: density 0.6 in the stage of the first
 * convolution and in the last kernel, `firstStageDensity` in the convolutions of the stage after it, p / 2 elsewhere
 * (Özdenizci and Legenstein 2021, http://proceedings.mlr.press/v139/ozdenizci21a.html; as their code for VGG16 and
 * residual nets). At high sparsity in a small network the fixed densities shrink by one factor until the budget holds.
 */
export const bsrNetConnected: Distribution = (kernels, sparsity, options = {}) => {
  const dense = keptDense(kernels, options);
  const { sizes, least, total } = budgetOf(kernels, sparsity, dense);
  const { firstStageDensity = 0.2 } = options;
  if (!(firstStageDensity > 0 && firstStageDensity <= 1)) {
    throw new InputError(`firstStageDensity must be in (0, 1], got ${firstStageDensity}.`);
  }
  const stages = [...new Set(kernels.filter(isConvolution).map(stageOf))];
  const densityOf = (kernel: KernelShape): number | null => {
    const stage = isConvolution(kernel) ? stages.indexOf(stageOf(kernel)) : -1;
    if (stage === 0 || kernel === kernels[kernels.length - 1]) return BSR_NET_ENDS;
    return stage === 1 ? firstStageDensity : null;
  };
  const sum = (counts: readonly number[]) => counts.reduce((all, count) => all + count, 0);
  const fixed = kernels.map((kernel, i) => (dense.has(kernel.name) ? 0 : (densityOf(kernel) ?? 0) * sizes[i]));
  const rest = fixed.map((share, i) =>
    share > 0 ? 0 : dense.has(kernels[i].name) ? sizes[i] : ((1 - sparsity) / 2) * sizes[i],
  );
  const factor = Math.min(1, Math.max(0, total - sum(rest)) / sum(fixed));
  const shares = fixed.map((share, i) => (share > 0 ? factor * share : rest[i]));
  const counts = shares.map((share, i) => Math.max(least[i], Math.floor(share + ROUNDING_SLACK)));
  return byName(kernels, sum(counts) > total ? apportion(shares, least, sizes, total) : counts);
};

/**
 * BSR-Net's densities with its whole budget: what `bsrNetConnected` has, and the rest of the round((1 − sparsity) · size)
 * weights over all kernels in proportion to size, as its first reconnection spreads them. The sparsity is that of the
 * whole network.
 */
export const bsrNet: Distribution = (kernels, sparsity, options = {}) => {
  const { sizes, total } = budgetOf(kernels, sparsity, keptDense(kernels, options));
  const connected = bsrNetConnected(kernels, sparsity, options);
  const least = kernels.map(({ name }) => connected[name]);
  return byName(kernels, apportion(fill(least, sizes, total), least, sizes, total));
};

/** min(sizes, least + λ · sizes) with the one λ that gives `total` in all. */
function fill(least: readonly number[], sizes: readonly number[], total: number): number[] {
  const full = new Set(sizes.flatMap((size, i) => (least[i] === size ? [i] : [])));
  for (;;) {
    const free = sizes.map((size, i) => (full.has(i) ? 0 : size));
    const taken = sizes.reduce((sum, size, i) => sum + (full.has(i) ? size : least[i]), 0);
    const open = free.reduce((sum, size) => sum + size, 0);
    const lambda = open === 0 ? 0 : (total - taken) / open;
    const exceeding = sizes.flatMap((size, i) => (!full.has(i) && least[i] + lambda * size > size ? [i] : []));
    if (exceeding.length === 0) return sizes.map((size, i) => (full.has(i) ? size : least[i] + lambda * size));
    for (const i of exceeding) full.add(i);
  }
}

const distributionRows = {
  uniform,
  er,
  erk,
  'bsr-net': bsrNet,
  'per-layer': perLayer,
} satisfies Readonly<Record<string, Distribution>>;

/** The names of the distributions of weights over layers. */
export type DistributionName = keyof typeof distributionRows;

/** The distributions of weights over layers by name. */
export const distributions: { readonly [Name in DistributionName]: Distribution } = distributionRows;
