// Colours of text. A stream that is no terminal, or NO_COLOR in the environment, leaves text as it is.
import { styleText } from 'node:util';

/** What a piece of text is, in the colours of a terminal. */
const STYLES = {
  heading: 'bold',
  name: 'cyan',
  aside: 'dim',
  good: 'green',
  warning: 'yellow',
  bad: 'red',
} as const;

/** Colours a piece of text by what it is. */
export type Style = (what: keyof typeof STYLES, text: string) => string;

/** The colours of a stream. */
export const styleOf =
  (stream: NodeJS.WriteStream): Style =>
  (what, text) =>
    text === '' ? text : styleText(STYLES[what], text, { stream });

/** Leaves text as it is. */
export const plain: Style = (_what, text) => text;
