// The foot of a terminal, where a progress bar is drawn again and again. Everything else is printed above it, whole.
import type { createLogUpdate } from 'log-update';

/** A terminal on which a few lines can be drawn in place. */
export interface Screen {
  /** Width in characters at this moment. */
  readonly columns: number;
  /** Height in lines at this moment. */
  readonly rows: number;
  /** Must be awaited once before `draw`; loads what draws. */
  start(): Promise<void>;
  /** Draws text at the foot of the screen, in place of the text drawn before. */
  draw(text: string): void;
  /** Takes the drawn text off the screen. */
  clear(): void;
  /** Runs `write`, whose whole lines then stand above the drawn text. */
  above(write: () => void): void;
}

const USUAL_COLUMNS = 80;
const USUAL_ROWS = 24;

/** The screen behind a stream that is a terminal. */
export function screenOn(stream: NodeJS.WriteStream): Screen {
  let region: ReturnType<typeof createLogUpdate> | null = null;
  let drawn = '';
  return {
    get columns() {
      return stream.columns || USUAL_COLUMNS;
    },
    get rows() {
      return stream.rows || USUAL_ROWS;
    },
    async start() {
      const { createLogUpdate } = await import('log-update');
      // A hidden cursor would stay hidden after kill -9.
      region ??= createLogUpdate(stream, { showCursor: true });
    },
    draw(text) {
      drawn = text;
      region?.(text);
    },
    clear() {
      drawn = '';
      region?.clear();
    },
    above(write) {
      region?.clear();
      write();
      if (drawn !== '') region?.(drawn);
    },
  };
}
