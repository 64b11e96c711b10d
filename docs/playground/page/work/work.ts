// The work of the page: attacks one after another, in turns. Each turn ends the one before it.

import type { Picture } from '../pictures.ts';
import { SIDES } from '../sides.ts';
import { epsilonOf, type State } from '../state.ts';
import { type Calculator, Cancelled } from './calculator.ts';
import { type Job, nextJob, requestOf } from './jobs.ts';
import { prepare } from './prepare.ts';
import { startBackend, startFastest } from './run-backend.ts';

export interface Work {
  /** Begins anew, because what was found is of other settings. */
  begin(): void;
  /** Attacks at the radius of the settings before any other. */
  attend(): void;
  /** Stops the curve. */
  stop(): void;
  /** Continues the curve. */
  resume(): void;
}

/** What is called as the work changes the state. */
export interface Watcher {
  /** Something that is drawn has changed. */
  redraw(): void;
  /** The models of both sides are loaded, so their classes are known. */
  showClasses(): void;
}

/** Makes the work of a page, which attacks with the calculator and puts what it finds into the state. */
export function makeWork(state: State, calculator: Calculator, { redraw, showClasses }: Watcher): Work {
  /** Aborted as the turn ends: what it finds afterwards is of older settings. */
  let turn = new AbortController();
  let queue: Promise<void> = Promise.resolve();

  /** Starts a turn, which waits until the last one has ended. */
  function proceed(): void {
    endTurn();
    turn = new AbortController();
    const { signal } = turn;
    state.isWorking = true;
    redraw();
    queue = queue.then(async () => {
      if (!signal.aborted) await attackAll(signal).catch(showProblem);
      if (signal.aborted) return;
      state.isWorking = false;
      redraw();
    });
  }

  function endTurn(): void {
    turn.abort();
    calculator.cancel();
  }

  async function attackAll(signal: AbortSignal): Promise<void> {
    if (epsilonOf(state) === null) return;
    await startBackend(state, calculator);
    for (const side of SIDES) {
      const sideState = state.sides[side];
      sideState.problem = null;
      await prepare(state, calculator, side).catch((error) => {
        sideState.problem = messageOf(error);
      });
    }
    showClasses();
    while (!signal.aborted) {
      redraw();
      const job = nextJob(state);
      if (job === null) return;
      if (job.isOfCurve && state.settings.backend === 'fastest') {
        await startFastest(state, calculator, { signal, redraw });
      }
      if (!signal.aborted) await attack(job, signal);
    }
  }

  /** Makes one attack. It may be cancelled for a more urgent one, and is then made again later. */
  async function attack(job: Job, signal: AbortSignal): Promise<void> {
    const sideState = state.sides[job.side];
    try {
      const { pixels } = sideState.picture as Picture;
      const outcome = await calculator.attack(job.side, pixels, requestOf(state, job));
      if (!signal.aborted) sideState.outcomes.set(job.radius, outcome);
    } catch (error) {
      if (!signal.aborted && !(error instanceof Cancelled)) sideState.problem = messageOf(error);
    }
  }

  /** Shows a fault that concerns both sides. */
  function showProblem(error: unknown): void {
    for (const side of SIDES) state.sides[side].problem = messageOf(error);
  }

  return {
    begin: () => {
      state.isStopped = false;
      for (const side of SIDES) state.sides[side].outcomes.clear();
      proceed();
    },
    attend: () => {
      const epsilon = epsilonOf(state);
      if (state.isWorking) calculator.cancel();
      else if (SIDES.some((side) => epsilon !== null && !state.sides[side].outcomes.has(epsilon))) proceed();
      redraw();
    },
    stop: () => {
      endTurn();
      state.isStopped = true;
      state.isWorking = false;
      redraw();
    },
    resume: () => {
      state.isStopped = false;
      proceed();
    },
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
