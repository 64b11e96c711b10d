// A column of the page: the choice of a model, the picture as the attack left it, and what the model reads in it.

import type { Outcome, Side } from '../../worker/protocol.ts';
import { textsOf } from '../choices/models.ts';
import type { SamplesName } from '../choices/samples.ts';
import { make } from '../elements.ts';
import { draw, type Picture, perturbationOf } from '../pictures.ts';
import { MODEL_CHOICES, type ModelChoice } from '../settings.ts';

/** What a column shows: a fault, or an outcome, or neither while there is none yet. */
export type Shown =
  | { readonly kind: 'problem'; readonly text: string }
  | { readonly kind: 'waiting' }
  | {
      readonly kind: 'outcome';
      readonly picture: Picture;
      readonly outcome: Outcome;
      readonly className: (index: number) => string;
      readonly verdict: Verdict;
    };

/** What became of the picture in a few words, and whether that is bad for the model. */
export interface Verdict {
  readonly text: string;
  readonly tone: 'good' | 'bad';
}

export interface Column {
  readonly root: HTMLElement;
  /** The model that is chosen, as a ModelChoice. */
  readonly choice: HTMLSelectElement;
  /** Files of a person's own model, and the pixels that it takes. */
  readonly files: HTMLInputElement;
  readonly bounds: HTMLSelectElement;
  /** Shows which model is chosen for pictures of a kind. */
  choose(pictures: SamplesName, choice: ModelChoice): void;
  show(shown: Shown): void;
}

export const percent = (share: number): string =>
  `${(100 * share).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;

export function makeColumn(side: Side): Column {
  const choice = make('select', { ariaLabel: `${side === 'left' ? 'Left' : 'Right'} network` });
  const files = make('input', { type: 'file', multiple: true, accept: '.json,.bin,.safetensors' });
  files.ariaLabel = `Files of the ${side} network`;
  const bounds = make(
    'select',
    { ariaLabel: `Pixels that the ${side} network takes` },
    new Option('pixels from 0 to 1', '0,1'),
    new Option('pixels from −1 to 1', '-1,1'),
    new Option('pixels from 0 to 255', '0,255'),
  );
  const own = make(
    'div',
    { className: 'own-model' },
    files,
    bounds,
    make(
      'p',
      { className: 'hint' },
      'A LayersModel (model.json with its .bin files) or a checkpoint of Equipoise (.safetensors).',
    ),
  );
  const example = make('canvas', { role: 'img' });
  const change = make('canvas', { role: 'img' });
  const magnification = make('figcaption');
  const className = make('span', { className: 'reading-class' });
  const share = make('span', { className: 'reading-share' });
  const state = make('span', { className: 'state' });
  const note = make('p', { className: 'hint column-note' });
  const trouble = make('p', { className: 'trouble' });
  const results = [
    make('figure', { className: 'example' }, example),
    make('p', { className: 'reading' }, className, ' ', share, state),
    make('figure', { className: 'change' }, change, magnification),
  ];
  const root = make(
    'article',
    { className: 'column' },
    make('div', { className: 'column-head' }, make('span', { className: 'swatch' }), choice),
    note,
    own,
    trouble,
    ...results,
  );
  root.dataset.side = side;
  return {
    root,
    choice,
    files,
    bounds,
    choose: (pictures, chosen) => {
      choice.replaceChildren(...MODEL_CHOICES.map((name) => new Option(textsOf(pictures, name).title, name)));
      choice.value = chosen;
      own.hidden = chosen !== 'own';
      note.textContent = textsOf(pictures, chosen).note;
    },
    show: (shown) => {
      root.ariaBusy = String(shown.kind === 'waiting');
      // A fault never stands above pictures of something else.
      for (const result of results) result.hidden = shown.kind === 'problem';
      trouble.textContent = shown.kind === 'problem' ? shown.text : '';
      trouble.hidden = shown.kind !== 'problem';
      if (shown.kind !== 'outcome') return;
      const { outcome, picture } = shown;
      const perturbation = perturbationOf(picture, outcome.adversarial);
      draw(example, { pixels: outcome.adversarial, shape: picture.shape });
      draw(change, perturbation);
      const largest = Math.max(...outcome.after);
      const read = shown.className(outcome.after.indexOf(largest));
      example.ariaLabel = `The attacked picture, read as ${read}`;
      change.ariaLabel = 'What the attack changed';
      const { magnification: factor } = perturbation;
      magnification.textContent =
        outcome.distances.linf === 0 ? 'nothing is changed' : `the change, ×${factor.toFixed(factor < 10 ? 1 : 0)}`;
      className.textContent = read;
      share.textContent = percent(largest);
      state.textContent = shown.verdict.text;
      state.className = `state ${shown.verdict.tone}`;
    },
  };
}
