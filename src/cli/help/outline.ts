// The outlines of all commands, which takes the commands' own code. The build calls it.
import { COMMANDS } from '../commands.ts';
import type { CommandOutline } from './manifest.ts';

/** The outlines of the commands, in the order in which help lists them. */
export const outlineCommands = (): Promise<readonly CommandOutline[]> =>
  Promise.all(
    COMMANDS.map(async ({ name, summary, load }) => {
      const { positionals, flags, examples } = await load();
      return { name, summary, positionals, flags, examples };
    }),
  );
