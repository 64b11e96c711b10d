// The start of the page: makes its parts, shows the settings of the address, and begins to attack.

import { listen } from './controls/listen.ts';
import { showClasses, showOptions, showSamples } from './controls/options.ts';
import { showSettings } from './controls/values.ts';
import { element } from './elements.ts';
import { settingsOf } from './settings.ts';
import { makeColumn } from './show/column.ts';
import { makeRedraw } from './show/redraw.ts';
import { bySide, SIDES } from './sides.ts';
import { initialState } from './state.ts';
import { startCalculator } from './work/calculator.ts';
import { makeWork } from './work/work.ts';

async function start(): Promise<void> {
  const calculator = startCalculator();
  const { norms, backends } = await calculator.describe();
  const state = initialState(norms, backends, settingsOf(location.hash, norms, backends));
  const columns = bySide(makeColumn);
  const redraw = makeRedraw(state, columns);
  const work = makeWork(state, calculator, { redraw, showClasses: () => showClasses(state) });
  element('missing').hidden = true;
  element('playground').hidden = false;
  element('columns').replaceChildren(...SIDES.map((side) => columns[side].root));
  showOptions(state);
  await showSamples(state);
  showSettings(state, columns);
  listen({ state, columns, work, redraw });
  work.begin();
}

void start();
