// Writes command lines that can be pasted into a POSIX shell, among them the one that installs optional packages.

const PLAIN = /^[\w@%+=:,./-]+$/;

const quote = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** A command line of these words, quoted where a shell would read them otherwise. */
export const shellCommand = (...words: readonly string[]): string => words.map(quote).join(' ');

/** A text in which every URL has lost its user and password, such as `redis://:secret@host` in a command line. */
export const withoutCredentials = (text: string): string =>
  text.replaceAll(/([a-z][a-z\d+.-]*:\/\/)[^/?#\n]*@/gi, '$1');

/** A path as a word of a command, which no program takes for an option. */
export const pathWord = (path: string): string => (path.startsWith('-') ? `./${path}` : path);

/**
 * The command that adds optional packages. Where they are optional peers of the project itself, as in a clone, npm passes
 * over them unless they are to become its dependencies.
 */
export const installCommand = (...packages: readonly string[]): string =>
  `npm install --save-optional --ignore-scripts ${packages.join(' ')}`;
