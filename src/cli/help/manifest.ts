// What the build notes of every command for help and completion, so that these need none of the commands' own code.
import { readFileSync } from 'node:fs';
import { InputError } from '../../core/errors.ts';
import type { Command } from '../command.ts';

/** A command without what it does. */
export type CommandOutline = Omit<Command, 'run'> & { readonly name: string; readonly summary: string };

export const MANIFEST = new URL('./manifest.json', import.meta.url);

/**
 * The outlines that the build wrote, in the order in which help lists the commands.
 *
 * @throws InputError if the package was not built by its own script
 */
export function readManifest(): readonly CommandOutline[] {
  try {
    return JSON.parse(readFileSync(MANIFEST, 'utf8'));
  } catch (error) {
    throw new InputError('Expected the file manifest.json of the built package, got none. Run npm run build.', {
      cause: error,
    });
  }
}
