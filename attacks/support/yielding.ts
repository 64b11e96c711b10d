// Turns for timers, progress and Ctrl-C between calls of the model, and where a signal stops an attack.

import { yieldToEvents } from '../../src/core/yield-to-events.ts';

const INTERVAL_MS = 50;

/**
 * Returns what an attack awaits before every call of the model: it gives timers and Ctrl-C a turn, at most every 50 ms,
 * and throws the signal's reason once the signal is aborted. So an interrupt takes effect within one call.
 */
export function turns(signal?: AbortSignal): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last >= INTERVAL_MS) {
      await yieldToEvents();
      last = performance.now();
    }
    signal?.throwIfAborted();
  };
}
