// Fills the heap of the engine, to test what happens when memory is short.
import { expect } from 'chai';
import { type Heap, OutOfMemory } from '../../src/engine/runtime/heap.ts';

/** Fills the heap but for one hole of `hole` bytes; returns a function that frees it again. */
export function leaving(heap: Heap, hole: number): () => void {
  const free = heap.allocate(hole);
  const filled: number[] = [];
  for (let size = 2 ** 28; size >= 2 ** 7; size /= 2) {
    try {
      while (true) filled.push(heap.allocate(size));
    } catch (error) {
      expect(error).to.be.instanceOf(OutOfMemory);
    }
  }
  heap.free(free);
  return () => {
    for (const pointer of filled) heap.free(pointer);
  };
}
