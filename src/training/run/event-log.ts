// events.jsonl: what happens in a run, told to the caller and kept as lines.
import { appendLines } from '../../checkpoints/files/atomic-file.ts';
import type { Guard } from '../../files/lock.ts';
import type { TrainEvent } from '../types.ts';

/** Events that are too many to keep: they are told, not written. */
const PASSING: ReadonlySet<TrainEvent['kind']> = new Set(['step', 'prepass', 'validation', 'wait']);

/** Events after which the lines so far are on disk, whatever happens to the machine. */
const SYNCED: ReadonlySet<TrainEvent['kind']> = new Set(['checkpoint', 'interrupted', 'failed', 'end']);

/** Tells an event and, unless it is a passing one, adds it to events.jsonl with the time of day. */
export type Report = (event: TrainEvent) => Promise<void>;

export const eventLog =
  (path: string, guard: Guard, onProgress?: (event: TrainEvent) => void): Report =>
  async (event) => {
    if (!PASSING.has(event.kind)) {
      const line = `${JSON.stringify({ ...event, time: new Date().toISOString() })}\n`;
      await appendLines(path, line, { guard, sync: SYNCED.has(event.kind) });
    }
    onProgress?.(event);
  };
