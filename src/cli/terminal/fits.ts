// What of a text fits on a screen.
import stringWidth from 'string-width';

/** True if no line of a text is wider than this many columns; a wide character such as 犬 takes two. */
export const fits = (text: string, columns: number): boolean =>
  text.split('\n').every((line) => stringWidth(line) <= columns);

/** The beginning of a line that fits into this many columns. */
export function cutToFit(line: string, columns: number): string {
  const characters = [...line];
  while (!fits(characters.join(''), columns)) characters.pop();
  return characters.join('');
}
