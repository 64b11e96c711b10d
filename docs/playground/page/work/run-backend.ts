// Which backend runs: the chosen one, or the fastest of those that were timed on the models that are shown.

import type { BackendName } from '../../worker/protocol.ts';
import { bySide } from '../sides.ts';
import { type State, sourceAt, type Timing, timingsKey } from '../state.ts';
import type { Calculator } from './calculator.ts';
import { fastestOf, timeBackends } from './fastest.ts';

/** Starts the backend of the settings unless it runs. Until the fastest is known, any backend will do. */
export async function startBackend(state: State, calculator: Calculator): Promise<void> {
  const { backend } = state.settings;
  if (state.running !== null && (backend === 'fastest' || backend === state.running.name)) return;
  await startFirst(state, calculator, backend === 'fastest' ? state.backends : [backend]);
}

/** Times the backends on the models that are shown, unless that was done before, and starts the fastest. */
export async function startFastest(
  state: State,
  calculator: Calculator,
  { signal, redraw }: { readonly signal: AbortSignal; readonly redraw: () => void },
): Promise<void> {
  const key = timingsKey(state);
  if (!state.timings.has(key)) {
    state.isTiming = true;
    redraw();
    try {
      state.timings.set(key, await timeAll(state, calculator));
    } finally {
      state.isTiming = false;
    }
  }
  const fastest = fastestOf(state.timings.get(key) ?? []);
  if (signal.aborted || fastest === null || fastest === state.running?.name) return;
  await startFirst(state, calculator, [fastest]);
}

/** Starts the first of these backends that runs here. */
async function startFirst(state: State, calculator: Calculator, names: readonly BackendName[]): Promise<void> {
  for (const [i, name] of names.entries()) {
    try {
      state.running = { name, note: await calculator.useBackend(name) };
      return;
    } catch (error) {
      if (i === names.length - 1) throw error;
    }
  }
}

/** Times the backend that runs, which has its models already, then the others. Plain JavaScript is the slowest, so only timed if it runs. */
async function timeAll(state: State, calculator: Calculator): Promise<readonly Timing[]> {
  const { running, backends } = state;
  const sources = bySide((side) => sourceAt(state, side));
  const others = backends.filter((name) => name !== running?.name && name !== 'cpu');
  const own: readonly Timing[] =
    running === null ? [] : [{ ...running, milliseconds: await calculator.time().catch(() => null) }];
  return [...own, ...(await timeBackends(others, sources))];
}
