import { appendFile } from 'node:fs/promises';
import type { TrainEvent } from './types.ts';

/** Events that are too many to keep: they are told, not written. */
const PASSING: ReadonlySet<TrainEvent['kind']> = new Set(['step', 'prepass', 'validation']);

/** Tells an event and, unless it is a passing one, adds it to events.jsonl with the time of day. */
export type Report = (event: TrainEvent) => Promise<void>;

export const eventLog =
  (path: string, onProgress?: (event: TrainEvent) => void): Report =>
  async (event) => {
    if (!PASSING.has(event.kind)) {
      await appendFile(path, `${JSON.stringify({ ...event, time: new Date().toISOString() })}\n`);
    }
    onProgress?.(event);
  };
