// Writes command lines that can be pasted into a POSIX shell.

const PLAIN = /^[\w@%+=:,./-]+$/;

const quote = (word: string): string => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** A command line of these words, quoted where a shell would read them otherwise. */
export const shellCommand = (...words: readonly string[]): string => words.map(quote).join(' ');
