// What commands see of the process: where they print, in which colours, and what stops them.

import type { Screen } from './screen.ts';
import type { Style } from './style.ts';

/** What a command sees of the process that runs it. */
export interface Terminal {
  /** Results, to standard output. */
  print(text: string): void;
  /** Progress, to standard error; left out with --quiet. */
  note(text: string): void;
  /** Prints a warning or an assumption to standard error, also with --quiet. The command continues. */
  warn(text: string): void;
  /** Colours for what is printed, and for notes. */
  readonly style: Style;
  readonly noteStyle: Style;
  /** Where progress bars are drawn; null if standard error is not a terminal. */
  readonly screen: Screen | null;
  /** Width of the screen in characters. */
  readonly columns: number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}
