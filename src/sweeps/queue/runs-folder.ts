// The folder of the runs, which workers share: whether it can be used now.
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { inWords } from '../../core/system-errors.ts';
import { makeFolder } from '../../files/folders.ts';

/** Creates the folder of the runs if it is missing. Returns why no run can be written into it, in words; null if one can. */
export async function whyUnusable(folder: string): Promise<string | null> {
  try {
    await makeFolder(folder);
    await access(folder, constants.W_OK | constants.X_OK);
    return null;
  } catch (error) {
    return (inWords(folder, 'written', error) as Error).message;
  }
}
