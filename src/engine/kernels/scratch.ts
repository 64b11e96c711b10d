// Temporary buffers of a job in scratch memory.
import type { EngineBackend } from '../backend.ts';
import type { Layout } from '../layout/layout.ts';

/** A buffer in scratch memory: its address for task 0, and the distance to the next task's (negative: one a thread). */
export interface Part {
  readonly pointer: number;
  readonly step: number;
}

const align = (bytes: number): number => Math.ceil(bytes / 128) * 128;

/** Runs `job` with room for one block of a layout for each thread. */
export function inScratch({ heap, pool }: EngineBackend, { padBytes, block }: Layout, job: (part: Part) => void): void {
  const lead = align(padBytes);
  const bytes = lead + align(block);
  const base = heap.allocate(pool.threads * bytes);
  try {
    job({ pointer: base + lead, step: -bytes });
  } finally {
    heap.free(base);
  }
}
