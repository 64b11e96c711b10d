import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import { denseStructure, maskStructure } from '../../src/core/structure.ts';
import { Heap } from '../../src/engine/heap.ts';
import { geometry } from '../../src/engine/layout.ts';
import { RowsCache } from '../../src/engine/rows.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const shape = [3, 3, 2, 4];
const g = geometry({ kernel: [3, 3], stride: 1, padding: [1, 1], input: [8, 8, 2], output: [8, 8, 4] }, 1);
const some = () =>
  maskStructure(
    shape,
    Array.from({ length: 72 }, (_, i) => (i % 3 === 0 ? 1 : 0)),
  );

describe('engine rows', () => {
  it('are made once a structure and geometry', () => {
    const cache = new RowsCache(new Heap());
    const structure = some();
    expect(cache.get(structure, g)).to.equal(cache.get(structure, g));
    expect(cache.get(some(), g)).not.to.equal(cache.get(structure, g));
    expect(cache.get(structure, { ...g, stride: 2 })).not.to.equal(cache.get(structure, g));
  });

  it('have slices where a tile reads more input channels than the cache holds', () => {
    const rowsOf = (inputs: number, outputs: number) => {
      const cache = new RowsCache(new Heap());
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
    const cache = new RowsCache(heap);
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

  it('make room when the heap is full, but not those that the current job uses', () => {
    const heap = new Heap();
    const cache = new RowsCache(heap);
    const [old, current] = [some(), some()];
    cache.pinning(() => cache.get(old, g));
    cache.pinning(() => {
      const kept = cache.get(current, g);
      expect(() => heap.allocate(2 ** 32 - 2 ** 20 - 2 ** 16)).to.throw(/MB left/);
      expect(cache.get(current, g)).to.equal(kept);
      const bytes = heap.used;
      cache.get(old, g);
      expect(heap.used).to.equal(2 * bytes);
    });
    cache.clear();
    expect(heap.used).to.equal(0);
  });
});
