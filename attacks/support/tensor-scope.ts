// Frees tensors that live across awaits.
import type { Tensor } from '@tensorflow/tfjs-core';

/** Tensors that live across awaits, where no tidy can: all are freed at the end, whatever happened. */
export interface Held {
  /** Frees the tensor at the end at the latest. */
  readonly hold: <T extends Tensor>(tensor: T) => T;
  /** Gives the tensor to someone else to free. */
  readonly release: <T extends Tensor>(tensor: T) => T;
}

/** Runs `work`, then frees what it still holds, also when it throws. */
export async function holding<Result>(work: (held: Held) => Promise<Result>): Promise<Result> {
  const held = new Set<Tensor>();
  try {
    return await work({
      hold: (tensor) => {
        held.add(tensor);
        return tensor;
      },
      release: (tensor) => {
        held.delete(tensor);
        return tensor;
      },
    });
  } finally {
    for (const tensor of held) tensor.dispose();
  }
}
