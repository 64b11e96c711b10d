// Lets several sides take turns, and times each.
import { setTimeout as sleep } from 'node:timers/promises';

/** One contestant in one discipline: does the work once and says how many milliseconds it took. */
export interface Side {
  readonly name: string;
  run(): Promise<number>;
}

/** Milliseconds of each side by name, one a round. */
export type Times = ReadonlyMap<string, readonly number[]>;

/** Threads of the side before may still spin. */
const PAUSE_MS = 30;

export async function milliseconds(work: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** Runs of short work in a turn, of which the fastest counts. */
const SHORT_RUNS = 3;

/**
 * A side whose work is short: in each turn once unjudged, so that no thread sleeps and no cache is another side's when it is
 * timed, then a few times.
 */
export const ofShortWork = ({ name, run }: Side): Side => ({
  name,
  run: async () => {
    await run();
    const times: number[] = [];
    for (let i = 0; i < SHORT_RUNS; i++) times.push(await run());
    return Math.min(...times);
  },
});

export interface TurnOptions {
  /** A round whose times do not count; default true. */
  readonly warmUp?: boolean;
}

/** Lets the sides take turns for some rounds, so that a busy moment of the machine hits all. */
export async function takeTurns(
  sides: readonly Side[],
  rounds: number,
  { warmUp = true }: TurnOptions = {},
): Promise<Times> {
  if (warmUp) for (const side of sides) await side.run();
  const times = new Map<string, number[]>(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) {
      await sleep(PAUSE_MS);
      times.get(side.name)?.push(await side.run());
    }
  }
  return times;
}

/** The fastest of a rival's forms in some rounds of turns. */
export async function fastestOf(forms: readonly Side[], rounds: number, options?: TurnOptions): Promise<Side> {
  const times = await takeTurns(forms, rounds, options);
  const time = ({ name }: Side): number => Math.min(...(times.get(name) ?? []));
  return forms.toSorted((a, b) => time(a) - time(b))[0];
}
