// Taking up changed settings: in the state, the address, the controls and the work.

import { hashOf, type Settings } from '../settings.ts';
import type { Column } from '../show/column.ts';
import type { BySide } from '../sides.ts';
import { epsilonOf, type State } from '../state.ts';
import type { Work } from '../work/work.ts';
import { showSamples } from './options.ts';
import { showSettings } from './values.ts';

/** The parts of the page that its controls act on. */
export interface Page {
  readonly state: State;
  readonly columns: BySide<Column>;
  readonly work: Work;
  redraw(): void;
}

/** Takes up changes of the settings. Any change but that of the radius alone begins the work anew. */
export function change(page: Page, changes: Partial<Settings>): void {
  const { state, work, redraw } = page;
  state.settings = { ...state.settings, ...changes };
  show(page);
  if (Object.keys(changes).some((name) => name !== 'epsilon')) work.begin();
  else if (epsilonOf(state) !== null) work.attend();
  else redraw();
}

/** Takes up settings whose picture is another one, which may have to be loaded. */
export async function changePicture(page: Page, settings: Settings): Promise<void> {
  page.state.settings = settings;
  await showSamples(page.state);
  show(page);
  page.work.begin();
}

/** Shows the settings in the address and in the controls. */
function show({ state, columns }: Page): void {
  history.replaceState(null, '', `#${hashOf(state.settings)}`);
  showSettings(state, columns);
}
