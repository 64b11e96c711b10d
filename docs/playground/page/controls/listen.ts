// What a person does to the page: each control is listened to, and leads to a change of the settings or of the work.

import { formatEpsilon } from '../../../../src/evaluation/epsilon.ts';
import type { SamplesName } from '../choices/samples.ts';
import { byId, element, input } from '../elements.ts';
import { type ModelChoice, settingsOf, settingsOfPictures } from '../settings.ts';
import { radiusAt } from '../show/chart.ts';
import { SIDES } from '../sides.ts';
import { radiiOfCurve } from '../state.ts';
import { change, changePicture, type Page } from './change.ts';
import { patchOf } from './patches.ts';

export function listen(page: Page): void {
  listenToModels(page);
  listenToRadius(page);
  listenToPictures(page);
  listenToForm(page);
  const { state, work } = page;
  byId('cancel', HTMLButtonElement).addEventListener('click', () => (state.isWorking ? work.stop() : work.resume()));
  addEventListener('hashchange', () => {
    void changePicture(page, settingsOf(location.hash, state.norms, state.backends));
  });
}

function listenToModels(page: Page): void {
  for (const side of SIDES) {
    const { choice, files, bounds } = page.columns[side];
    choice.addEventListener('change', () => change(page, { [side]: choice.value as ModelChoice }));
    const takeUp = () => {
      const [low, high] = bounds.value.split(',').map(Number);
      page.state.sides[side].own = { files: [...(files.files ?? [])], bounds: [low, high] };
      page.work.begin();
    };
    files.addEventListener('change', takeUp);
    bounds.addEventListener('change', takeUp);
  }
}

/** Listens to the slider, the number beside it and the chart. */
function listenToRadius(page: Page): void {
  const slide = (radius: number) => change(page, { epsilon: formatEpsilon(radius) });
  const slider = input('epsilon-slider');
  slider.addEventListener('input', () => slide(radiiOfCurve(page.state)[Number(slider.value)]));
  const field = input('epsilon');
  field.addEventListener('change', () => change(page, { epsilon: field.value.trim() }));
  const chart = element('chart');
  const pick = ({ clientX, buttons }: PointerEvent) => {
    if (buttons !== 1) return;
    const radii = radiiOfCurve(page.state);
    const wanted = radiusAt(chart, clientX, radii.at(-1) as number);
    slide(radii.reduce((best, radius) => (Math.abs(radius - wanted) < Math.abs(best - wanted) ? radius : best)));
  };
  chart.addEventListener('pointerdown', pick);
  chart.addEventListener('pointermove', pick);
  new ResizeObserver(page.redraw).observe(chart);
}

/** Listens to the choice of a sample, of a kind of samples, and of a picture file. */
function listenToPictures(page: Page): void {
  const { state } = page;
  const file = input('picture');
  element('samples').addEventListener('change', ({ target }) => {
    state.ownPicture = null;
    file.value = '';
    const picture = Number((target as HTMLInputElement).value);
    void changePicture(page, { ...state.settings, picture, label: null });
  });
  element('pictures').addEventListener('change', ({ target }) => {
    const pictures = (target as HTMLInputElement).value as SamplesName;
    void changePicture(page, settingsOfPictures(pictures, state.settings));
  });
  file.addEventListener('change', () => {
    const [chosen] = file.files ?? [];
    if (chosen === undefined) return;
    state.ownPicture = chosen;
    void changePicture(page, { ...state.settings, label: null });
  });
}

/** Listens to the form “Attack and computation”. A number that is deleted is put back; one out of range is explained. */
function listenToForm(page: Page): void {
  const form = byId('controls', HTMLFormElement);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('change', ({ target }) => {
    const control = target as HTMLInputElement;
    if (control.type === 'number' && control.value === '') {
      control.value = String(page.state.settings[control.id as 'steps' | 'seed']);
    }
    if (control.reportValidity()) change(page, patchOf(control, page.state));
  });
}
