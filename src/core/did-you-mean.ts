// Guesses the name that a mistyped word stands for.

/**
 * Optimal string alignment distance: the fewest insertions, deletions, replacements and swaps of neighbouring letters that turn
 * one text into the other.
 */
function editDistance(from: string, to: string): number {
  let before: readonly number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, replaced, isSwap ? before[j - 2] + 1 : Number.POSITIVE_INFINITY));
    }
    before = row;
    row = next;
  }
  return row[to.length];
}

/** A longer word is taken for no misspelt name. */
const LONGEST_WORD = 100;

/** A word that is the beginning of a name stands for it if it has at least this many letters. */
const LEAST_BEGINNING = 3;

/**
 * The name that `word` most likely stands for: the nearest one, or one that it is the beginning of. Undefined if none is
 * near. Letter case, `-` and `_` do not count.
 */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '');
  const ranked = names
    .map((name) => ({ name, distance: editDistance(plain(word), plain(name)) }))
    .sort((a, b) => a.distance - b.distance);
  if (ranked[0] && ranked[0].distance <= Math.max(1, Math.floor(word.length / 3))) return ranked[0].name;
  const begun = plain(word);
  return begun.length < LEAST_BEGINNING ? undefined : names.find((name) => plain(name).startsWith(begun));
}

/** The question that follows an error's first sentence, with a space before it; empty if no name is near. */
export const suggestion = (near: string | undefined): string => (near === undefined ? '' : ` Did you mean ${near}?`);
