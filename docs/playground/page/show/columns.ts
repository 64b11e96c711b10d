// Both columns at the radius of the settings, with what they show as a sentence and as a table of numbers.

import type { Side } from '../../worker/protocol.ts';
import { BACKEND_TITLES } from '../choices/backend-titles.ts';
import { textsOf } from '../choices/models.ts';
import { byId, element } from '../elements.ts';
import { strongest } from '../outcomes.ts';
import { type BySide, bySide, SIDES } from '../sides.ts';
import { classNamesOf, epsilonOf, type State } from '../state.ts';
import type { Column, Shown } from './column.ts';
import { showNumbers } from './numbers.ts';
import { sentenceOf, verdictOf } from './verdict.ts';

export function showColumns(state: State, columns: BySide<Column>): void {
  const shown = bySide((side) => shownOf(state, side));
  for (const side of SIDES) columns[side].show(shown[side]);
  showSentence(state, shown);
  showTable(state, shown);
}

/** What a column shows: the strongest attack within the radius of the settings. */
function shownOf(state: State, side: Side): Shown {
  const { goal } = state.settings;
  const { problem, picture, outcomes } = state.sides[side];
  if (problem !== null) return { kind: 'problem', text: problem };
  const epsilon = epsilonOf(state);
  if (epsilon === null) return { kind: 'problem', text: 'No radius to attack within.' };
  const outcome = outcomes.has(epsilon) ? strongest(outcomes, epsilon, goal) : null;
  if (outcome === null || picture === null) return { kind: 'waiting' };
  const className = classNamesOf(state, side);
  return { kind: 'outcome', picture, outcome, className, verdict: verdictOf(outcome, goal, className) };
}

/** Says what both columns show, as soon as neither waits. Until then the last sentence stays. */
function showSentence({ settings }: State, shown: BySide<Shown>): void {
  const isBusy = SIDES.some((side) => shown[side].kind === 'waiting');
  element('bench').ariaBusy = String(isBusy);
  const verdict = element('verdict');
  if (isBusy) {
    if (verdict.textContent === '') verdict.textContent = 'Attacking …';
    return;
  }
  const parts = SIDES.flatMap((side) => {
    const { subject } = textsOf(settings.pictures, settings[side]);
    const column = shown[side];
    return column.kind === 'outcome' ? [sentenceOf(subject, column, settings.goal)] : [];
  });
  verdict.textContent = parts.length === 0 ? '' : `Within ε = ${settings.epsilon.trim()} ${parts.join('; ')}.`;
}

function showTable({ settings, running }: State, shown: BySide<Shown>): void {
  const models = SIDES.flatMap((side) => {
    const { title } = textsOf(settings.pictures, settings[side]);
    const column = shown[side];
    return column.kind === 'outcome' ? [{ title, className: column.className, outcome: column.outcome }] : [];
  });
  showNumbers(byId('figures', HTMLTableElement), models, running === null ? '' : BACKEND_TITLES[running.name]);
}
