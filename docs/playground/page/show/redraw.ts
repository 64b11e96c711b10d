// Drawing what the page knows: columns, curve and progress, at most once a frame.

import type { BySide } from '../sides.ts';
import type { State } from '../state.ts';
import { showBackend } from './backend-note.ts';
import type { Column } from './column.ts';
import { showColumns } from './columns.ts';
import { showCurve } from './curve.ts';
import { showProgress } from './progress.ts';

/** Makes the function that draws the page in the next frame, however often it is called before that. */
export function makeRedraw(state: State, columns: BySide<Column>): () => void {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      showColumns(state, columns);
      showCurve(state);
      showProgress(state);
      showBackend(state);
    });
  };
}
