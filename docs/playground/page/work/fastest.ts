// Which backend is the fastest for the models that are shown: each one is timed on them, in a worker of its own.

import type { BackendName, ModelSource } from '../../worker/protocol.ts';
import type { BySide } from '../sides.ts';
import type { Timing } from '../state.ts';
import { startCalculator } from './calculator.ts';

/** A backend that takes longer to start and to be timed is not worth waiting for. */
const PATIENCE_MS = 3000;

async function timeBackend(name: BackendName, sources: BySide<ModelSource>): Promise<Timing> {
  const calculator = startCalculator();
  await calculator.describe();
  let timer = 0;
  const measure = async (): Promise<Timing> => {
    const note = await calculator.useBackend(name);
    await calculator.load('left', sources.left);
    await calculator.load('right', sources.right);
    return { name, milliseconds: await calculator.time(), note };
  };
  const none: Timing = { name, milliseconds: null, note: '' };
  const patience = new Promise<Timing>((resolve) => {
    timer = window.setTimeout(() => resolve(none), PATIENCE_MS);
  });
  try {
    return await Promise.race([measure().catch(() => none), patience]);
  } finally {
    clearTimeout(timer);
    calculator.close();
  }
}

/** Times backends one after another, so that none slows the next. */
export async function timeBackends(
  names: readonly BackendName[],
  sources: BySide<ModelSource>,
): Promise<readonly Timing[]> {
  const timings: Timing[] = [];
  for (const name of names) timings.push(await timeBackend(name, sources));
  return timings;
}

/** The fastest of those whose arithmetic is plain single precision; null if none was timed. */
export function fastestOf(timings: readonly Timing[]): BackendName | null {
  const timed = timings.flatMap(({ name, milliseconds, note }) =>
    milliseconds === null || note !== '' ? [] : [{ name, milliseconds }],
  );
  if (timed.length === 0) return null;
  return timed.reduce((best, other) => (other.milliseconds < best.milliseconds ? other : best)).name;
}
