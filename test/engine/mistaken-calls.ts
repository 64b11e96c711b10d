// Calls of kernels that must not compile: an error that is expected and does not come is an error itself. Nothing here is run.

import type { Pool } from '../../src/engine/runtime/pool.ts';

export function mistaken(pool: Pool, x: number): void {
  // @ts-expect-error: a kernel that does not exist
  pool.run(1, 'rleu', { x, y: x, length: 4, chunk: 4 });
  // @ts-expect-error: a field that is misspelt
  pool.run(1, 'relu', { x, y: x, lenght: 4, chunk: 4 });
  // @ts-expect-error: a field that is missing
  pool.run(1, 'relu', { x, y: x, length: 4 });
  // @ts-expect-error: a field too many
  pool.run(1, 'relu', { x, y: x, length: 4, chunk: 4, low: 0 });
  // @ts-expect-error: a boolean where the kernel has an integer
  pool.run(1, 'cumsum', { x, y: x, rows: 1, length: 4, chunk: 4, exclusive: 0, reverse: false });
  // @ts-expect-error: a number that may be missing
  pool.run(1, 'relu', { x, y: x, length: 4, chunk: [4].at(0) });
  // @ts-expect-error: the fields of another kernel in a chain
  pool.runChain(1, [{ kernel: 'softmax', fields: { x, y: x, length: 4, chunk: 4 } }]);
}
