// Elementwise kernels on flat arrays of f32.
//
//   x  |v0|v1|v2|v3|v4|v5|v6|v7| …     a task takes `chunk` values; four vectors of four lanes a turn,
//   y  |v0|v1|v2|v3|v4|v5|v6|v7| …     then single values for the remainder
import { positive } from './common';

@unmanaged
class Relu {
  x: usize;
  y: usize;
  length: u32;
  chunk: u32;
}

export function relu(task: i32, a: usize): void {
  const args = changetype<Relu>(a);
  const first = <u32>task * args.chunk;
  const count = min(args.chunk, args.length - first);
  let x = args.x + (<usize>first << 2), y = args.y + (<usize>first << 2);
  const end = x + (<usize>count << 2), bulk = x + (<usize>(count & ~15) << 2);
  while (x < bulk) {
    v128.store(y, positive(v128.load(x)));
    v128.store(y, positive(v128.load(x, 16)), 16);
    v128.store(y, positive(v128.load(x, 32)), 32);
    v128.store(y, positive(v128.load(x, 48)), 48);
    x += 64; y += 64;
  }
  for (; x < end; x += 4, y += 4) {
    const value = load<f32>(x);
    store<f32>(y, value > 0 ? value : 0);
  }
}
