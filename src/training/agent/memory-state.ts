// The state of the pre-pass memory in a checkpoint, beside the tensors that it shares with other pre-passes.
import { z } from 'zod';

const mark = z.object({ file: z.string(), bytes: z.int().min(0), sha256: z.string() });
const losses = z.array(z.number().nullable());

/** The state of the memory in a checkpoint, without gradients, u and the ages of weights. */
export const memorySchema = z.object({
  /** The files of the last epoch and of this one with their valid lengths; null if there is none. */
  last: mark.nullable(),
  current: mark.nullable(),
  /** Losses by batch number, of the last epoch and of this one; null for a batch without one. */
  lossesBefore: losses,
  lossesNow: losses,
  /** Σ ⟨g − u, g̃ − u⟩ and Σ ‖g̃ − u‖² over the batches of the epoch, by parameter. */
  sums: z.record(z.string(), z.object({ covariance: z.number(), variance: z.number() })),
  /** The coefficient c by parameter; empty if one c serves all parameters. */
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

/** Ages by rewired kernel: the number of optimizer steps done when each of its weights was grown; 0 for weights of the start. */
export type GrownAt = Readonly<Record<string, Int32Array>>;
