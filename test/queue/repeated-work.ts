// How much work runs would repeat if they lost their process at some moment: the steps after their last checkpoint, as
// events.jsonl has them. Steps are counted, not seconds, so a busy machine gives the same answer.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LAST_CHECKPOINT } from '../../src/training/run/run-folder.ts';

interface Line {
  readonly kind: string;
  readonly step: number;
  readonly time: string;
  readonly file?: string;
}

/** The events of a run so far; none before it begins. */
function linesOf(run: string): Line[] {
  const path = join(run, 'events.jsonl');
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  // What follows the last line break is still being written.
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

/** The steps at which a run was saved, in order, from its start. */
const savedAt = (lines: readonly Line[]): number[] => [
  ...new Set([0, ...lines.filter(({ file }) => file === LAST_CHECKPOINT).map(({ step }) => step)]),
];

/** A run in training, at the time of its last event. */
export interface Moment {
  readonly time: string;
  /** Completed steps that no checkpoint has. */
  readonly stepsPast: number;
}

/** Events after which nothing would be repeated. */
const ENDED = ['interrupted', 'failed', 'end'];

/** Where a run is; null if it is not in training. */
export function momentOf(run: string): Moment | null {
  const lines = linesOf(run);
  const last = lines.at(-1);
  if (last === undefined || ENDED.includes(last.kind)) return null;
  return { time: last.time, stepsPast: last.step - (savedAt(lines).at(-1) ?? 0) };
}

/** The steps from each checkpoint of a run to the next. */
export function intervalsOf(run: string): number[] {
  const steps = savedAt(linesOf(run));
  return steps.slice(1).map((step, i) => step - steps[i]);
}

/** The mean length of the interval in which a random moment lies: longer intervals hold more moments. */
export function intervalAround(intervals: readonly number[]): number {
  const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
  return sum(intervals.map((length) => length ** 2)) / sum(intervals);
}
