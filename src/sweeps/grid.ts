// The runs of a sweep: a grid of settings, and shards of it.
import { UsageError } from '../core/errors.ts';
import {
  applicable,
  configHash,
  type NameOf,
  parseConfig,
  type Setting,
  type TrainConfig,
  type TrainOptions,
} from '../training/config/config.ts';

/** A run to be made: its configuration, which names it. */
export interface Job {
  /** The configuration's hash. */
  readonly id: string;
  /** The run's folder: what people tell runs apart by, and the id's beginning. */
  readonly name: string;
  readonly config: TrainConfig;
}

/** Settings to try, each with every other: `{ sparsity: [0, 0.9], seed: [0, 1] }` is four runs. */
export type Axes = { readonly [K in Setting]?: readonly NonNullable<TrainOptions[K]>[] };

/** The runs of a sweep: shared settings, and the values of those that vary. */
export interface Grid {
  /** What all runs share. A setting that does not apply to some of them is left out of those. */
  readonly settings?: TrainOptions;
  readonly axes: Axes;
  /** Further runs beside the grid, such as a net without defence; they share the settings, and seeds that they do not name. */
  readonly controls?: readonly TrainOptions[];
}

/** No sweep makes as many; a list of more is a slip, and may not fit into memory. */
const MOST_RUNS = 100_000;

/**
 * The jobs of a grid, each once. Seeds change last, so that a sweep which is stopped has whole tables over fewer seeds.
 *
 * @param options what messages call settings
 * @throws UsageError for an axis without values, for more runs than anybody makes, or a configuration that cannot be
 */
export function jobsOf(
  { settings = {}, axes, controls = [] }: Grid,
  options: { readonly nameOf?: NameOf } = {},
): Job[] {
  for (const [name, values] of Object.entries(axes)) {
    if (values.length === 0) throw new UsageError(`The sweep over ${name} has no values; give at least one.`);
  }
  const { seed: seeds = [settings.seed ?? 0], ...others } = axes;
  const count = [seeds, ...Object.values(others)].reduce((product, values) => product * values.length, 1);
  if (count > MOST_RUNS) {
    throw new UsageError(
      `The sweep has ${count.toLocaleString('en-GB')} runs; expected at most ${MOST_RUNS.toLocaleString('en-GB')}. Try fewer values, or make it in parts.`,
    );
  }
  const cells = Object.entries(others).reduce<TrainOptions[]>(
    (products, [name, values]) => products.flatMap((product) => values.map((value) => ({ ...product, [name]: value }))),
    [{}],
  );
  const jobs = seeds.flatMap((seed) =>
    [...controls, ...cells].map((cell) =>
      jobOf(parseConfig(applicable({ ...settings, seed, ...cell }, options), options)),
    ),
  );
  return [...new Map(jobs.map((job) => [job.id, job])).values()];
}

/** The job that a configuration is. */
export function jobOf(config: TrainConfig): Job {
  const id = configHash(config);
  const { objective, method, sparsity, optimizer, seed } = config;
  const sparse = method === 'dense' ? [] : [sparsity];
  return { id, name: [objective, method, ...sparse, optimizer, `seed${seed}`, id.slice(0, 8)].join('-'), config };
}

/** Part `index` of `count`, counted from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/**
 * A shard as `i/n`: `1/4` is the first of four machines.
 *
 * @throws UsageError for anything else
 */
export function parseShard(text: string): Shard {
  const [, index, count] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (!(index >= 1 && index <= count)) {
    throw new UsageError(`A shard must be i/n with i from 1 to n, such as 1/4, got ${text}.`);
  }
  return { index, count };
}

/** Every n-th job, so that each machine gets all kinds. */
export const shardOf = (jobs: readonly Job[], { index, count }: Shard): Job[] =>
  jobs.filter((_, i) => i % count === index - 1);
