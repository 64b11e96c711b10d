// What the controls offer to choose from: kinds of pictures, pictures, attacks, backends and classes.

import { ATTACK_CHOICES } from '../choices/attack-choices.ts';
import { BACKEND_TITLES } from '../choices/backend-titles.ts';
import { labelOfSample, loadSamples, SAMPLES } from '../choices/samples.ts';
import { element, make, select, setOptions } from '../elements.ts';
import { draw } from '../pictures.ts';
import { SIDES } from '../sides.ts';
import { classNamesOf, type State } from '../state.ts';

/** Offers what never changes: kinds of pictures, attacks and backends. */
export function showOptions({ backends }: State): void {
  element('pictures').replaceChildren(
    ...Object.entries(SAMPLES).map(([name, { title }]) =>
      make('label', {}, make('input', { type: 'radio', name: 'pictures', value: name }), title),
    ),
  );
  setOptions(
    select('attack'),
    Object.entries(ATTACK_CHOICES).map(([name, { title }]) => [name, title]),
  );
  setOptions(select('backend'), [
    ['fastest', 'the fastest here'],
    ...backends.map((name): [string, string] => [name, BACKEND_TITLES[name]]),
  ]);
}

/** Offers the pictures of the chosen kind, and marks the chosen one. */
export async function showSamples(state: State): Promise<void> {
  const { pictures: name, picture } = state.settings;
  if (state.samples?.name !== name) {
    state.samples = { name, pictures: await loadSamples(name) };
    const { one, classes } = SAMPLES[name];
    element('samples').replaceChildren(
      ...state.samples.pictures.map((sample, i) => {
        const button = make('input', { type: 'radio', name: 'sample', value: String(i) });
        button.ariaLabel = `${one} ${classes[labelOfSample(name, i)]}${i < classes.length ? '' : ', another one'}`;
        const canvas = make('canvas');
        draw(canvas, sample);
        return make('label', {}, button, canvas);
      }),
    );
  }
  for (const button of document.querySelectorAll<HTMLInputElement>('input[name="sample"]')) {
    button.checked = state.ownPicture === null && button.value === String(picture);
  }
}

/** Offers the classes as goals and as the true class, and marks the chosen ones. */
export function showClasses(state: State): void {
  const { settings, sides, ownPicture } = state;
  const named = SIDES.find((side) => settings[side] !== 'own') ?? 'left';
  const className = classNamesOf(state, named);
  // An address may name a class before the models that have it are loaded.
  const count = Math.max(
    ...SIDES.map((side) => sides[side].loaded?.facts.classes ?? 0),
    1 + (settings.goal ?? 0),
    1 + (settings.label ?? 0),
  );
  const classes = Array.from({ length: count }, (_, i): [string, string] => [String(i), className(i)]);
  setOptions(select('goal'), [['', 'any other class'], ...classes]);
  setOptions(select('label'), [['', ownPicture ? 'as each network reads it' : 'that of the picture'], ...classes]);
  select('goal').value = String(settings.goal ?? '');
  select('label').value = String(settings.label ?? '');
}
