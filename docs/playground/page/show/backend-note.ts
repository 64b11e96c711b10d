// The note below the choice of a backend: which one runs, how long a step takes on each, and what is to be known of it.

import { BACKEND_TITLES } from '../choices/backend-titles.ts';
import { element } from '../elements.ts';
import { type State, timingsKey } from '../state.ts';

export function showBackend(state: State): void {
  const { running, settings, timings } = state;
  const measured = (timings.get(timingsKey(state)) ?? []).map(({ name, milliseconds }) =>
    milliseconds === null ? `${BACKEND_TITLES[name]} none` : `${BACKEND_TITLES[name]} ${milliseconds.toFixed(0)} ms`,
  );
  element('backend-note').textContent = [
    running && settings.backend === 'fastest' && `${BACKEND_TITLES[running.name]} runs.`,
    measured.length > 0 && `A step of both networks: ${measured.join(', ')}.`,
    running?.note,
  ]
    .filter(Boolean)
    .join(' ');
}
