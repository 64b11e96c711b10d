// The rule that says when a run is complete, for training, sweeps, evaluation and reports alike.
import { hasCheckpoint, readCheckpoint } from './checkpoint.ts';
import type { StoredCheckpoint } from './safetensors/stored.ts';

/** The progress of a run, by the last checkpoint that can be read. */
export interface Completion {
  /** True if that checkpoint records the final epoch. */
  readonly complete: boolean;
  /** The number of epochs that the checkpoint records. */
  readonly epoch: number;
  /** The number of epochs of the run; null if its configuration does not say. */
  readonly epochs: number | null;
  /** The configuration in the checkpoint, as it was recorded. */
  readonly config: StoredCheckpoint['config'];
  /** Warnings about damaged files that were not used. */
  readonly warnings: readonly string[];
}

/** True if a last checkpoint, which is written after all else of an epoch, records the final epoch: the run is complete. */
export const recordsEnd = (epoch: number, epochs: number): boolean => epoch >= epochs;

/**
 * How far the run is whose last checkpoint is at `last`; null if there is none.
 *
 * @throws InputError if no checkpoint there is whole
 */
export async function completionOf(last: string): Promise<Completion | null> {
  if (!(await hasCheckpoint(last))) return null;
  const { stored, warnings } = await readCheckpoint(last);
  const { epochs: said } = stored.config;
  const epochs = typeof said === 'number' ? said : null;
  const { epoch, config } = stored;
  return { complete: epochs !== null && recordsEnd(epoch, epochs), epoch, epochs, config, warnings };
}

/** How far an incomplete run is, in words. */
export const describeProgress = ({ epoch, epochs }: Completion): string =>
  `its last checkpoint records epoch ${epoch}${epochs === null ? '' : ` of ${epochs}`}`;
