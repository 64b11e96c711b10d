import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import fc from 'fast-check';
import { denseStructure, maskStructure } from '../../src/core/structure.ts';
import { Compiled, type Rows, RowsCache } from '../../src/engine/blocked/rows.ts';
import { geometry, padOf } from '../../src/engine/layout/layout.ts';
import { Heap } from '../../src/engine/runtime/heap.ts';
import { Pool } from '../../src/engine/runtime/pool.ts';
import { loadKernels } from '../../src/engine/runtime/wasm.ts';
import { forwardRows, type Offsets, rowStarts, transposedRows } from './rows-reference.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const shape = [3, 3, 2, 4];
const g = geometry({ kernel: [3, 3], stride: 1, padding: [1, 1], input: [8, 8, 2], output: [8, 8, 4] }, 1);
const some = () =>
  maskStructure(
    shape,
    Array.from({ length: 72 }, (_, i) => (i % 3 === 0 ? 1 : 0)),
  );

/** A cache with kernels on one thread. */
async function start(heap = new Heap()): Promise<RowsCache> {
  const pool = await Pool.start({ heap, module: await loadKernels('simd'), threads: 1 });
  return new RowsCache(heap, (tasks, calls) => pool.runChain(tasks, calls));
}

/** Everything that the kernels read of some rows; the weights are not written yet. */
function read(
  heap: Heap,
  { channels, slices, groups, pointers, records, rowTable, permutation }: Rows,
  n: number,
  height: number,
) {
  return {
    channels,
    slices,
    groups,
    pointers: [...heap.int32(pointers, slices * channels * (groups + 1))],
    offsets: [...heap.int32(records, 2 * n)].filter((_, i) => i % 2 === 0),
    permutation: [...heap.int32(permutation, n)],
    table: [...heap.int32(rowTable, 4 * height)],
  };
}

const expected = ({ starts, offsets, permutation, table, ...rest }: Offsets) => ({
  ...rest,
  pointers: [...rowStarts(starts, rest.slices * rest.channels, rest.groups)].map((at) => 8 * at),
  offsets: [...offsets],
  permutation: [...permutation],
  table: [...table],
});

/** A convolution of odd sizes, and some of its kernel's weights; now and then enough channels for slices. */
const convolutions = fc
  .record({
    kernel: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 })),
    stride: fc.integer({ min: 1, max: 3 }),
    padding: fc.tuple(fc.nat(2), fc.nat(2)),
    inputs: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
      { weight: 1, arbitrary: fc.constant(150) },
    ),
    outputs: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
      { weight: 1, arbitrary: fc.constant(150) },
    ),
    size: fc.tuple(fc.integer({ min: 5, max: 9 }), fc.integer({ min: 5, max: 9 })),
    keep: fc.integer({ min: 1, max: 12 }),
    seed: fc.nat(1000),
  })
  .map(({ kernel, stride, padding, inputs, outputs, size, keep, seed }) => {
    const [height, width] = size.map((extent, i) => Math.floor((extent + 2 * padding[i] - kernel[i]) / stride) + 1);
    const shape = {
      kernel,
      stride,
      padding,
      input: [...size, inputs] as const,
      output: [Math.max(1, height), Math.max(1, width), outputs] as const,
    };
    const count = kernel[0] * kernel[1] * inputs * outputs;
    const mask = Uint8Array.from({ length: count }, (_, i) =>
      (Math.imul(i + seed, 2654435761) >>> 8) % 12 < keep - 1 ? 1 : 0,
    );
    return { structure: maskStructure([...kernel, inputs, outputs], mask), g: geometry(shape, padOf(shape)) };
  });

describe('engine rows', () => {
  it('are those that sorting gives, whatever the convolution, made alone or together', async () => {
    const heap = new Heap();
    const cache = await start(heap);
    fc.assert(
      fc.property(fc.array(convolutions, { minLength: 1, maxLength: 3 }), (all) => {
        cache.pinning(() => {
          const compiled = all.map(({ structure, g: of }) => cache.get(structure, of));
          Compiled.make(compiled, 'forward');
          Compiled.make(compiled.slice(1), 'transposed');
          for (const [i, { structure, g: of }] of all.entries()) {
            const n = structure.positions.length;
            const forward = forwardRows(structure, of);
            const transposed = transposedRows(structure, forward.permutation, of);
            expect(read(heap, compiled[i].forward, n, of.y.height)).to.deep.equal(expected(forward));
            expect(read(heap, compiled[i].transposed, n, of.x.height)).to.deep.equal(expected(transposed));
            const { starts, slices, channels, groups } = forward;
            expect([...compiled[i].rowStarts]).to.deep.equal(
              Array.from({ length: slices * channels + 1 }, (_, row) => starts[row * groups]),
            );
          }
        });
      }),
      { numRuns: 60 },
    );
    cache.clear();
    expect(heap.used).to.equal(0);
  });

  it('are made once a structure and geometry', async () => {
    const cache = await start();
    const structure = some();
    expect(cache.get(structure, g)).to.equal(cache.get(structure, g));
    expect(cache.get(some(), g)).not.to.equal(cache.get(structure, g));
    expect(cache.get(structure, { ...g, stride: 2 })).not.to.equal(cache.get(structure, g));
  });

  it('have slices where a tile reads more input channels than the cache holds', async () => {
    const cache = await start();
    const rowsOf = (inputs: number, outputs: number) => {
      const image = (channels: number) => [8, 8, channels] as const;
      const wide = geometry(
        { kernel: [3, 3], stride: 1, padding: [1, 1], input: image(inputs), output: image(outputs) },
        1,
      );
      const { forward, transposed } = cache.get(denseStructure([3, 3, inputs, outputs]), wide);
      return [forward.slices, transposed.slices];
    };
    expect(rowsOf(64, 64)).to.deep.equal([1, 1]);
    expect(rowsOf(200, 4)).to.deep.equal([4, 1]);
    expect(rowsOf(4, 200)).to.deep.equal([1, 4]);
  });

  it('are freed some time after their structure has gone', async () => {
    const heap = new Heap();
    const cache = await start(heap);
    const fill = () =>
      cache.pinning(() => {
        for (let i = 0; i < 50; i++) cache.get(some(), g).transposed;
      });
    fill();
    expect(heap.used).to.be.greaterThan(0);
    for (let i = 0; i < 50 && heap.used > 0; i++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(heap.used).to.equal(0);
  });

  it('make room when the heap is full, but not those that the current job uses', async () => {
    const heap = new Heap();
    const cache = await start(heap);
    const [old, current] = [some(), some()];
    cache.pinning(() => cache.get(old, g).forward);
    cache.pinning(() => {
      const kept = cache.get(current, g);
      kept.forward;
      expect(() => heap.allocate(2 ** 32 - 2 ** 20 - 2 ** 16)).to.throw(/MB left/);
      expect(cache.get(current, g)).to.equal(kept);
      const bytes = heap.used;
      cache.get(old, g).forward;
      expect(heap.used).to.equal(2 * bytes);
    });
    cache.clear();
    expect(heap.used).to.equal(0);
  });
});
