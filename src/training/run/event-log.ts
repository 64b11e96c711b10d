// events.jsonl: what happens in a run, told to the caller and kept as lines.
import { appendLines } from '../../checkpoints/files/atomic-file.ts';
import type { Guard } from '../../files/lock.ts';
import type { TrainEvent } from '../types.ts';

/** Events that are too many to keep: they are told, not written. */
const PASSING: ReadonlySet<TrainEvent['kind']> = new Set(['prepass', 'validation', 'wait']);

/** About how many steps of an epoch are kept. */
const STEPS_KEPT = 20;

/** True if an event becomes a line. Which steps do follows from their numbers alone, so that a resumed run keeps the same. */
const isKept = (event: TrainEvent): boolean =>
  event.kind === 'step'
    ? event.batch === event.batches || event.batch % Math.ceil(event.batches / STEPS_KEPT) === 0
    : !PASSING.has(event.kind);

/** Events after which the lines so far are on disk, whatever happens to the machine. */
const SYNCED: ReadonlySet<TrainEvent['kind']> = new Set(['checkpoint', 'interrupted', 'failed', 'end']);

/** Tells an event and, if it is kept, adds it to events.jsonl with the time of day. */
export type Report = (event: TrainEvent) => Promise<void>;

export const eventLog =
  (path: string, guard: Guard, onProgress?: (event: TrainEvent) => void): Report =>
  async (event) => {
    if (isKept(event)) {
      const line = `${JSON.stringify({ ...event, time: new Date().toISOString() })}\n`;
      await appendLines(path, line, { guard, sync: SYNCED.has(event.kind) });
    }
    onProgress?.(event);
  };
