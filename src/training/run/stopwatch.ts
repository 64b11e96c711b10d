// Measures the seconds of training and of its attacks. They are never part of what a checkpoint's bits depend on.

/** Seconds of training. */
export interface Times {
  /** Seconds from the start of the run. */
  readonly seconds: number;
  /** Seconds of this epoch. */
  readonly epochSeconds: number;
  readonly attackSeconds: number;
}

export const NO_TIMES: Times = { seconds: 0, epochSeconds: 0, attackSeconds: 0 };

export interface Stopwatch {
  times(): Times;
  /** Runs `work` and counts its time as training. */
  train<T>(work: () => Promise<T>): Promise<T>;
  /** Runs `work`, itself part of training, and counts its time as attacking too. */
  attack<T>(work: () => Promise<T>): Promise<T>;
  nextEpoch(): void;
}

/** Measures what is training; validation and files are not. */
export function stopwatch(start: Times = NO_TIMES): Stopwatch {
  let { seconds, epochSeconds, attackSeconds } = start;
  const measured = async <T>(work: () => Promise<T>, add: (elapsed: number) => void): Promise<T> => {
    const begin = performance.now();
    try {
      return await work();
    } finally {
      add((performance.now() - begin) / 1000);
    }
  };
  return {
    times: () => ({ seconds, epochSeconds, attackSeconds }),
    train: (work) =>
      measured(work, (elapsed) => {
        seconds += elapsed;
        epochSeconds += elapsed;
      }),
    attack: (work) =>
      measured(work, (elapsed) => {
        attackSeconds += elapsed;
      }),
    nextEpoch: () => {
      epochSeconds = 0;
      attackSeconds = 0;
    },
  };
}
