// A terminal that shows nothing.
import { plain } from '../../src/cli/terminal/style.ts';
import type { Terminal } from '../../src/cli/terminal/terminal.ts';

/** A terminal that shows nothing. */
export const silentTerminal = (): Terminal => ({
  print: () => {},
  note: () => {},
  warn: () => {},
  style: plain,
  noteStyle: plain,
  screen: null,
  columns: 80,
  signal: new AbortController().signal,
});
