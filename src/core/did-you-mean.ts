/** Levenshtein's distance: the fewest insertions, deletions and replacements that turn one text into the other. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, j) => j);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[to.length];
}

/** From so many letters on, a word that begins a name stands for it. */
const LEAST_BEGINNING = 3;

/**
 * The one of `names` that `word` is most likely a slip of or begins, if any is near; letter case, `-` and `_` do not count.
 */
export function didYouMean(word: string, names: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_]/g, '');
  const ranked = names
    .map((name) => ({ name, distance: editDistance(plain(word), plain(name)) }))
    .sort((a, b) => a.distance - b.distance);
  if (ranked[0] && ranked[0].distance <= Math.max(1, Math.floor(word.length / 3))) return ranked[0].name;
  const begun = plain(word);
  return begun.length < LEAST_BEGINNING ? undefined : names.find((name) => plain(name).startsWith(begun));
}

/** The question after an error's first sentence, with a space before it; nothing where no name is near. */
export const suggestion = (near: string | undefined): string => (near === undefined ? '' : ` Did you mean ${near}?`);
