// The folder where data sets are kept.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/** Variables by name. */
type Environment = Readonly<Record<string, string | undefined>>;

/** Where a user's caches lie on this system. */
function cacheDirectory(environment: Environment): string {
  switch (process.platform) {
    case 'win32':
      return environment.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local');
    case 'darwin':
      return join(homedir(), 'Library', 'Caches');
    default:
      return environment.XDG_CACHE_HOME || join(homedir(), '.cache');
  }
}

/**
 * The folder of all data sets: the one given, else EQUIPOISE_DATA, else `equipoise/data` in the user's cache folder.
 * Each data set has a folder of its name in it.
 */
export const dataDirectory = (given?: string, environment: Environment = process.env): string =>
  resolve(given ?? (environment.EQUIPOISE_DATA || join(cacheDirectory(environment), 'equipoise', 'data')));
