import type { EngineBackend } from '../backend.ts';
import type { Layout } from '../layout.ts';

/** A buffer in scratch memory: its address for task 0, and the distance to the next task's (negative: one a thread). */
export interface Part {
  readonly pointer: number;
  readonly step: number;
}

const align = (bytes: number): number => Math.ceil(bytes / 128) * 128;

/**
 * Runs `job` with room for one block of each layout, for each thread or for each of a number of tasks; blocks of
 * consecutive tasks follow each other.
 */
export function inScratch(
  { heap, pool }: EngineBackend,
  layouts: readonly Layout[],
  copies: 'thread' | number,
  job: (parts: Part[]) => void,
): void {
  const perThread = copies === 'thread';
  const lead = layouts.map(({ padBytes }) => align(padBytes));
  const bytes = layouts.map(({ block }, i) => lead[i] + align((perThread ? 1 : copies) * block));
  const total = bytes.reduce((sum, size) => sum + size, 0);
  const base = heap.allocate(perThread ? pool.threads * total : total);
  try {
    let offset = base;
    job(
      layouts.map(({ block }, i) => {
        const pointer = offset + lead[i];
        offset += bytes[i];
        return { pointer, step: perThread ? -total : block };
      }),
    );
  } finally {
    heap.free(base);
  }
}
