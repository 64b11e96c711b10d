// Runs the sparse kernels of the builds `relaxed` and `relaxed-revec` on the same convolution, and prints how results and
// times compare as JSON. Runs in a process of its own, which V8's experimental flag may end.
import { exit, stdout } from 'node:process';
import { foldIn, normal, sample, seedKey } from '../../core/key.ts';
import { sizeOf, structure } from '../../core/structure.ts';
import { RowsCache } from '../blocked/rows.ts';
import { weightGradient } from '../blocked/sparse-convolution.ts';
import { bitsBlock, type ConvolutionShape, geometry, type Layout, padOf } from '../layout/layout.ts';
import { NO_SUMS, rowFields } from '../records/fields.ts';
import { ZEROS } from './control.ts';
import { Heap } from './heap.ts';
import { Pool } from './pool.ts';
import type { Trial } from './revectorize.ts';
import { type KernelBuild, loadKernels, TILES } from './wasm.ts';

const CHANNELS = 96;
const SIZE = 16;
const IMAGES = 8;
const DENSITY = 0.06;
/** Long enough for V8 to compile what runs hot. */
const WARM_UP_MS = 250;
const ROUNDS = 15;

const KEY = seedKey('revectorize');
const SHAPE: ConvolutionShape = {
  kernel: [3, 3],
  stride: 1,
  padding: [1, 1],
  input: [SIZE, SIZE, CHANNELS],
  output: [SIZE, SIZE, CHANNELS],
};

/** The problem in a build's kernels: run it again and again, and read its results. */
async function side(build: KernelBuild): Promise<{ run(): void; results(): readonly Float32Array[] }> {
  const heap = new Heap();
  const pool = await Pool.start({ heap, threads: 1, module: await loadKernels(build) });
  const g = geometry(SHAPE, padOf(SHAPE), 2);
  const kernelShape = [3, 3, CHANNELS, CHANNELS];
  const size = sizeOf(kernelShape);
  const mask = structure(kernelShape, sample(foldIn(KEY, 'mask'), Math.round(DENSITY * size), size));
  const compiled = new RowsCache(heap, (tasks, calls) => pool.runChain(tasks, calls)).get(mask, g);
  const { forward, nonzeros } = compiled;
  const weights = normal(foldIn(KEY, 'weights'), nonzeros);
  const records = heap.float32(forward.records, 2 * nonzeros);
  weights.forEach((weight, i) => {
    records[2 * i + 1] = weight;
  });
  const blocks = IMAGES / g.y.nb;
  /** Room for all blocks, zeros before them. */
  const activations = (of: Layout): number => {
    const base = heap.allocate(of.padBytes + blocks * of.block);
    heap.uint8(base, of.padBytes + blocks * of.block).fill(0);
    return base + of.padBytes;
  };
  const [x, y, masked] = [activations(g.x), activations(g.y), activations(g.y)];
  const values = normal(foldIn(KEY, 'images'), (blocks * g.x.block) / 4);
  const target = heap.float32(x, values.length);
  const [channel, width] = [g.x.channel / 4, g.x.width * g.x.nb];
  for (let i = 0; i < values.length; i++) if (i % channel < width) target[i] = values[i];
  const bits = heap.allocate(blocks * bitsBlock(g.y));
  const dw = heap.allocate(4 * nonzeros);
  const convolve = (to: number, epilogue: number): void => {
    const { row: yRow, channel: yChannel, ...rows } = rowFields(g.y, g.y.nb);
    pool.run(blocks, 'convolve', {
      ...{ x, xTask: g.x.block, xBlock: g.x.block, y: to, yTask: g.y.block, yBlock: g.y.block },
      ...{ ...rows, yRow, yChannel, pad: g.y.padBytes, ...forward, bias: ZEROS, biasStep: 0, add: 0, addTask: 0 },
      ...{ epilogue, bits, bitsTask: bitsBlock(g.y), ...NO_SUMS },
    });
  };
  return {
    run: () => {
      convolve(y, 1);
      convolve(masked, 2);
      weightGradient({ heap, pool, tiles: TILES[build] }, compiled, g, IMAGES, x, y, dw);
    },
    results: () => [
      heap.float32(y, (blocks * g.y.block) / 4),
      heap.float32(masked, (blocks * g.y.block) / 4),
      heap.float32(dw, nonzeros),
    ],
  };
}

const milliseconds = (run: () => void): number => {
  const start = performance.now();
  run();
  return performance.now() - start;
};

function warmUp(run: () => void): void {
  const end = performance.now() + WARM_UP_MS;
  while (performance.now() < end) run();
}

/** |a − b| / |b| */
function distance(a: Float32Array, b: Float32Array): number {
  let [apart, length] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    apart += (a[i] - b[i]) ** 2;
    length += b[i] ** 2;
  }
  return Math.sqrt(apart / length);
}

// The ordinary kernels are compiled before the flag is set, which would change them too.
const ordinary = await side('relaxed');
warmUp(ordinary.run);
const revectorized = await side('relaxed-revec');
warmUp(revectorized.run);
const times = { ordinary: Number.POSITIVE_INFINITY, revectorized: Number.POSITIVE_INFINITY };
for (let round = 0; round < ROUNDS; round++) {
  times.ordinary = Math.min(times.ordinary, milliseconds(ordinary.run));
  times.revectorized = Math.min(times.revectorized, milliseconds(revectorized.run));
}
const expected = ordinary.results();
const trial: Trial = {
  difference: Math.max(...revectorized.results().map((values, i) => distance(values, expected[i]))),
  speedUp: times.ordinary / times.revectorized,
};
stdout.write(JSON.stringify(trial), () => exit(0));
