// Text in two columns: a term and its meaning. On a narrow screen the meaning is below the term.

const INDENT = 2;
const GAP = 2;
/** A longer term has a line of its own. */
const LONGEST_TERM = 26;
/** A column of less is not worth its place. */
const LEAST_MEANING = 36;

/** A term with its coloured form, and what it means. */
export interface Entry {
  readonly term: string;
  /** Default: the term. */
  readonly styled?: string;
  readonly meaning: string;
}

/** Words in lines of at most this many characters; a longer word has a line of its own. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** The width that the terms of entries take in one column. */
export const termWidth = (entries: readonly Entry[]): number =>
  Math.max(0, ...entries.map(({ term }) => term.length).filter((length) => length <= LONGEST_TERM));

/**
 * Entries below each other, in lines of at most `columns` characters.
 *
 * @param width of the column of terms; several lists with the same width align
 */
export function formatEntries(entries: readonly Entry[], columns: number, width = termWidth(entries)): string {
  const left = INDENT + width + GAP;
  const isNarrow = columns - left < LEAST_MEANING;
  const start = isNarrow ? 3 * INDENT : left;
  return entries
    .map(({ term, styled = term, meaning }) => {
      const lines = wrap(meaning, columns - start).map((line) => ' '.repeat(start) + line);
      const head = ' '.repeat(INDENT) + styled;
      if (isNarrow || term.length > width) return [head, ...lines].join('\n');
      return [head + ' '.repeat(width - term.length + GAP) + lines[0].trimStart(), ...lines.slice(1)].join('\n');
    })
    .join('\n');
}
