// Measures the arithmetic and the memory bandwidth of the machine.
import { engine } from './profile.ts';

/** What all threads together can do at most, in the build of the kernels. */
export interface Limits {
  readonly flopsPerSecond: number;
  /** Bytes a second of the triad over arrays in memory, and over arrays that stay in the second-level cache. */
  readonly memory: number;
  readonly cache: number;
}

const STEPS = 400_000;
/** Chains of four lanes, a multiplication and an addition each; as many again in a build of wide tiles. */
const FLOPS_A_STEP = 12 * 4 * 2;
const MEMORY_BYTES = 24 << 20;
const CACHE_BYTES = 128 << 10;
/** Short and many: some meet no other process. */
const TRIALS = 40;

const best = (work: () => void): number => {
  let milliseconds = Number.POSITIVE_INFINITY;
  for (let i = 0; i < TRIALS; i++) {
    const start = performance.now();
    work();
    milliseconds = Math.min(milliseconds, performance.now() - start);
  }
  return milliseconds;
};

function bandwidth(bytes: number, repeats: number): number {
  const { heap, pool } = engine();
  const tasks = pool.threads;
  const x = heap.allocate(3 * tasks * bytes);
  heap.uint8(x, 3 * tasks * bytes).fill(0);
  const z = x + tasks * bytes;
  const y = z + tasks * bytes;
  const time = best(() => pool.run(tasks, 'triad', { x, z, y, bytes, repeats }));
  heap.free(x);
  return (1000 * 3 * tasks * bytes * repeats) / time;
}

/** Measures the limits with kernels of the same build, on the same threads. */
export function measureLimits(): Limits {
  const { heap, pool, tiles } = engine();
  const tasks = pool.threads;
  const y = heap.allocate(32 * tasks);
  const time = best(() => pool.run(tasks, 'multiplyAdds', { y, steps: STEPS }));
  heap.free(y);
  return {
    flopsPerSecond: (1000 * tasks * STEPS * tiles * FLOPS_A_STEP) / time,
    memory: bandwidth(MEMORY_BYTES, 1),
    cache: bandwidth(CACHE_BYTES, 64),
  };
}

/** The higher of two measurements, limit by limit. */
export const higher = (a: Limits, b: Limits): Limits => ({
  flopsPerSecond: Math.max(a.flopsPerSecond, b.flopsPerSecond),
  memory: Math.max(a.memory, b.memory),
  cache: Math.max(a.cache, b.cache),
});
