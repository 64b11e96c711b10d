const INTERVAL_MS = 50;

/** Gives timers, progress and Ctrl-C a turn, at most every 50 ms; returns at once otherwise. */
export function breather(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < INTERVAL_MS) return;
    await new Promise((resolve) => setTimeout(resolve));
    last = performance.now();
  };
}
