// What can follow what on a command line, for the completion scripts of all shells.
import { COMMON_FLAGS, type Flag, type FlagKind } from '../flags/flags.ts';
import type { CommandOutline } from '../help/manifest.ts';

/** What a shell lists: words, files, folders, or nothing. */
export type Candidates =
  | {
      readonly kind: 'words';
      readonly words: readonly string[];
      /** True if several may follow each other, separated by commas. */
      readonly isList?: boolean;
      /** True if a path may stand there too. */
      readonly orFiles?: boolean;
    }
  | { readonly kind: 'files' | 'folders' | 'none' };

const HELP: Readonly<Record<string, Flag>> = {
  help: { kind: 'switch', description: 'show help' },
  'help-all': { kind: 'switch', description: 'show help with all flags' },
};

/** The flags of a command that completion lists, with those that every command has. */
export const completedFlags = ({ flags }: CommandOutline): readonly (readonly [string, Flag])[] =>
  Object.entries({ ...flags, ...COMMON_FLAGS, ...HELP });

const LISTS: readonly FlagKind[] = ['texts', 'numbers'];

/** What can stand for the value of a flag; null for a switch, which has none. */
export function valuesOf(flag: Flag): Candidates | null {
  if (flag.kind === 'switch') return null;
  const words = flag.choices ?? flag.suggestions;
  if (words !== undefined) return { kind: 'words', words, isList: flag.isList || LISTS.includes(flag.kind) };
  return placesOf(flag.value);
}

function placesOf(value: string | undefined): Candidates {
  if (value === 'FOLDER') return { kind: 'folders' };
  return { kind: value === 'FILE' || value === 'PATH' ? 'files' : 'none' };
}

/** What can stand in the places beside the flags, in order. */
export const positionalsOf = (
  { positionals }: CommandOutline,
  commands: readonly CommandOutline[],
): readonly Candidates[] =>
  positionals.map(({ value, choices, suggestions }) => {
    const words = value === 'COMMAND' ? commands.map(({ name }) => name) : (choices ?? suggestions);
    if (words === undefined) return placesOf(value);
    return { kind: 'words', words, orFiles: suggestions !== undefined };
  });
