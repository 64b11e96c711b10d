import { expect } from 'chai';
import fc from 'fast-check';
import { Heap, OutOfMemory } from '../../src/engine/runtime/heap.ts';

describe('engine heap', () => {
  it('gives disjoint aligned blocks and takes every byte back, in any order', () => {
    const step = fc.record({ bytes: fc.integer({ min: 0, max: 100_000 }), freed: fc.nat(20) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const heap = new Heap();
        const blocks: { pointer: number; bytes: number }[] = [];
        for (const { bytes, freed } of steps) {
          const pointer = heap.allocate(bytes);
          expect(pointer % 128).to.equal(0);
          for (const other of blocks) {
            expect(pointer >= other.pointer + other.bytes || other.pointer >= pointer + bytes).to.equal(true);
          }
          blocks.push({ pointer, bytes });
          if (freed < blocks.length) heap.free(blocks.splice(freed, 1)[0].pointer);
        }
        for (const { pointer } of blocks) heap.free(pointer);
        expect(heap.used).to.equal(0);
      }),
      { numRuns: 30 },
    );
  });

  it('refuses what is no number of bytes', () => {
    const heap = new Heap();
    for (const bytes of [Number.NaN, Number.POSITIVE_INFINITY, -8]) {
      expect(() => heap.allocate(bytes)).to.throw(`no block of ${bytes} bytes`);
    }
    expect(heap.used).to.equal(0);
  });

  it('merges what is freed, so that a large block fits where small ones were', () => {
    const heap = new Heap();
    const small = Array.from({ length: 64 }, () => heap.allocate(1 << 20));
    const size = heap.memory.buffer.byteLength;
    for (const pointer of small) heap.free(pointer);
    heap.free(heap.allocate(60 << 20));
    expect(heap.memory.buffer.byteLength).to.equal(size);
  });

  it('keeps the contents of a block while it grows', () => {
    const heap = new Heap();
    const pointer = heap.allocate(8);
    heap.float32(pointer, 2).set([1, 2]);
    heap.allocate(200 << 20);
    expect([...heap.float32(pointer, 2)]).to.deep.equal([1, 2]);
  });

  it('asks for caches to be freed, then says that it is full', () => {
    const heap = new Heap();
    let cache: number | undefined = heap.allocate(1 << 30);
    heap.onFull = () => {
      if (cache === undefined) return false;
      heap.free(cache);
      cache = undefined;
      return true;
    };
    const large = heap.allocate(3.5 * 2 ** 30);
    expect(cache).to.equal(undefined);
    expect(() => heap.allocate(1 << 30)).to.throw(OutOfMemory, /1024 MB/);
    expect(() => heap.allocate(2 ** 33)).to.throw(OutOfMemory, /8192 MB/);
    heap.free(large);
    expect(heap.used).to.equal(0);
  });
});
