// The settings as the values of the controls.

import { ATTACK_CHOICES, NORM_NOTES } from '../choices/attack-choices.ts';
import { element, input, select, setOptions } from '../elements.ts';
import { readEpsilon } from '../settings.ts';
import type { Column } from '../show/column.ts';
import { type BySide, SIDES } from '../sides.ts';
import { radiiOfCurve, type State } from '../state.ts';
import { showClasses } from './options.ts';

/** Sets every control to what the settings are, except the samples. */
export function showSettings(state: State, columns: BySide<Column>): void {
  const { settings } = state;
  showEpsilon(state);
  for (const side of SIDES) columns[side].choose(settings.pictures, settings[side]);
  for (const kind of document.querySelectorAll<HTMLInputElement>('input[name="pictures"]')) {
    kind.checked = kind.value === settings.pictures;
  }
  showAttack(state);
  input('seed').value = String(settings.seed);
  input('bytes').checked = settings.bytes;
  input('invert').checked = settings.invert;
  select('backend').value = settings.backend;
  showClasses(state);
}

/** Shows the radius as it is written, on the slider, and what is wrong with it. */
function showEpsilon(state: State): void {
  const { epsilon: written, norm } = state.settings;
  const { epsilon, problem } = readEpsilon(written, norm);
  element('problem').textContent = problem;
  const field = input('epsilon');
  field.ariaInvalid = String(epsilon === null);
  // A wrong radius stays as it is while a person writes it.
  if (document.activeElement !== field || epsilon !== null) field.value = written;
  const radii = radiiOfCurve(state);
  const slider = input('epsilon-slider');
  slider.max = String(radii.length - 1);
  if (epsilon !== null) slider.value = String(radii.indexOf(epsilon));
  slider.ariaValueText = `ε = ${written}`;
  slider.style.setProperty('--share', String(Number(slider.value) / (radii.length - 1)));
}

/** Shows the attack, with the norms and the steps that it has. */
function showAttack({ settings: { attack, norm, steps }, norms }: State): void {
  const choice = ATTACK_CHOICES[attack];
  select('attack').value = attack;
  element('attack-note').textContent = choice.note;
  setOptions(
    select('norm'),
    norms[attack].map((name) => [name, name]),
  );
  select('norm').value = norm;
  element('norm-note').textContent = NORM_NOTES[norm];
  element('steps-row').hidden = choice.steps === null;
  element('steps-label').textContent = choice.steps?.title ?? '';
  input('steps').value = String(steps);
}
