// How many attacks of the curve are made, what they took, and the button that stops or continues them.

import { ATTACK_CHOICES } from '../choices/attack-choices.ts';
import { BACKEND_TITLES } from '../choices/backend-titles.ts';
import { byId, element } from '../elements.ts';
import { epsilonOf, radiiOfCurve, type State, soundSides } from '../state.ts';

/** Attacks of the curve: how many there are, how many are made, and whether that is all. */
interface Progress {
  readonly all: number;
  readonly done: number;
  readonly isComplete: boolean;
}

export function showProgress(state: State): void {
  const progress = progressOf(state);
  const { all, done, isComplete } = progress;
  element('curve').ariaBusy = String(state.isWorking);
  const bar = byId('progress', HTMLProgressElement);
  bar.max = Math.max(1, all);
  bar.value = done;
  bar.hidden = isComplete || all === 0;
  const button = byId('cancel', HTMLButtonElement);
  button.hidden = isComplete || all === 0 || epsilonOf(state) === null;
  button.textContent = state.isWorking ? 'Cancel' : 'Continue';
  element('progress-text').textContent = textOf(state, progress);
}

function progressOf(state: State): Progress {
  const sides = soundSides(state);
  const all = sides.length * radiiOfCurve(state).length;
  const done = sides.reduce((sum, side) => sum + state.sides[side].outcomes.size, 0);
  return { all, done, isComplete: epsilonOf(state) !== null && done >= all };
}

function textOf(state: State, { all, done, isComplete }: Progress): string {
  if (all === 0 || epsilonOf(state) === null) return '';
  if (state.isWorking && state.isTiming) return 'Timing the backends of this browser …';
  return isComplete ? summaryOf(state) : `${done} of ${all} attacks`;
}

/** What was attacked, where, and how long that took. */
function summaryOf(state: State): string {
  const { settings, sides, running } = state;
  const { title, steps } = ATTACK_CHOICES[settings.attack];
  const attack = steps === null ? title : `${title} of ${settings.steps} ${steps.title.toLowerCase()}`;
  const outcomes = soundSides(state).flatMap((side) => [...sides[side].outcomes.values()]);
  const seconds = outcomes.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
  const where = running === null ? '' : ` on ${BACKEND_TITLES[running.name]}`;
  return `${attack} in ${settings.norm}, at ${radiiOfCurve(state).length} radii: ${seconds.toFixed(1)} s${where}.`;
}
