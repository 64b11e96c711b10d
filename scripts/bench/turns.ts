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

type Choose = (warmUp: ReadonlyMap<string, number>) => readonly Side[] | Promise<readonly Side[]>;

export interface TurnOptions {
  /** A round whose times do not count; default true. */
  readonly warmUp?: boolean;
  /** Which sides go on after the warm-up, given its times; all by default. */
  readonly choose?: Choose;
}

/** Lets the sides take turns for some rounds, so that a busy moment of the machine hits all. */
export async function takeTurns(
  sides: readonly Side[],
  rounds: number,
  { warmUp = true, choose = () => sides }: TurnOptions = {},
): Promise<Times> {
  const first = new Map<string, number>();
  if (warmUp) for (const side of sides) first.set(side.name, await side.run());
  const chosen = warmUp ? await choose(first) : sides;
  const times = new Map<string, number[]>(chosen.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const side of chosen) {
      await sleep(PAUSE_MS);
      times.get(side.name)?.push(await side.run());
    }
  }
  return times;
}

/** The sides without those of `group` that were slower in the warm-up than its fastest. */
export const fastestOf =
  (sides: readonly Side[], group: readonly string[]) =>
  (warmUp: ReadonlyMap<string, number>): readonly Side[] => {
    const time = (name: string): number => warmUp.get(name) ?? Number.POSITIVE_INFINITY;
    const fastest = group.toSorted((a, b) => time(a) - time(b))[0];
    return sides.filter(({ name }) => !group.includes(name) || name === fastest);
  };
