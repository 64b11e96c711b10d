// What a worker tells of a job while it has it, as the queue keeps it for whoever looks.
import { z } from 'zod';
import type { JobEvent } from '../job.ts';

const progressSchema = z.object({
  /** Host and process of the worker. */
  worker: z.string(),
  /** Epochs completed. */
  epoch: z.int().min(0),
  epochs: z.int().min(0),
  stage: z.enum(['training', 'evaluating']),
  /** Seconds until the training ends, as far as the epochs so far say; null before the first one. */
  secondsLeft: z.number().min(0).nullable(),
  /** Why the worker gave the job back; null while it works on it. */
  refused: z.string().nullable(),
});

/** How far a job is. */
export type JobProgress = z.infer<typeof progressSchema>;

/** The progress that a job records; null if it records none. */
export const readProgress = (recorded: unknown): JobProgress | null => progressSchema.safeParse(recorded).data ?? null;

/** A job that a worker has just taken. */
export const begun = (worker: string, epochs: number): JobProgress => ({
  worker,
  epoch: 0,
  epochs,
  stage: 'training',
  secondsLeft: null,
  refused: null,
});

/**
 * Follows the events of a run: a function that returns the progress after an event, or null if it is the same as before.
 *
 * @param now a monotonic clock in milliseconds
 */
export function progressMeter(
  start: JobProgress,
  now: () => number = () => performance.now(),
): (event: JobEvent) => JobProgress | null {
  let progress = start;
  let first: { readonly epoch: number; readonly at: number } | null = null;
  return (event) => {
    if (event.kind === 'evaluate') {
      if (progress.stage === 'evaluating') return null;
      progress = { ...progress, stage: 'evaluating', secondsLeft: null };
      return progress;
    }
    if (event.kind !== 'train') return null;
    const { event: happened } = event;
    if (first === null && happened.kind === 'step') first = { epoch: happened.epoch - 1, at: now() };
    if (happened.kind !== 'epoch') return null;
    const { epoch } = happened;
    const done = epoch - (first?.epoch ?? epoch);
    const secondsLeft =
      first === null || done < 1 ? null : ((now() - first.at) / 1000 / done) * (progress.epochs - epoch);
    progress = { ...progress, epoch, secondsLeft };
    return progress;
  };
}
