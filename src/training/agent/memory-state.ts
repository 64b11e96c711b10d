// What a checkpoint holds of the pre-pass memory, beside the tensors that it shares with other pre-passes.
import { z } from 'zod';

const mark = z.object({ file: z.string(), bytes: z.int().min(0), sha256: z.string() });
const losses = z.array(z.number().nullable());

/** What the memory knows beside gradients, u and the ages of weights, as a checkpoint has it. */
export const memorySchema = z.object({
  /** The files of the last epoch and of this one, and how far they count; null where there is none. */
  last: mark.nullable(),
  current: mark.nullable(),
  /** By batch number, of the last epoch and of this one; null where a batch has none yet. */
  lossesBefore: losses,
  lossesNow: losses,
  /** Σ ⟨g − u, g̃ − u⟩ and Σ ‖g̃ − u‖² over the batches of the epoch, by parameter. */
  sums: z.record(z.string(), z.object({ covariance: z.number(), variance: z.number() })),
  /** c by parameter; empty where all have one. */
  coefficients: z.record(z.string(), z.number()),
});

export type MemoryState = Readonly<z.infer<typeof memorySchema>>;

/** The memory of a run that remembers nothing yet. */
export const emptyMemory = (): MemoryState => ({
  last: null,
  current: null,
  lossesBefore: [],
  lossesNow: [],
  sums: {},
  coefficients: {},
});

/** For each sparse kernel that was rewired, the optimizer steps done when each of its weights was grown; 0: at the start. */
export type GrownAt = Readonly<Record<string, Int32Array>>;
