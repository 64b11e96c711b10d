// Finds the header files of Node.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { env, execPath, version } from 'node:process';
import { InputError } from '../../core/errors.ts';
import { installedFolder } from '../packages.ts';

/** The folders to search, in order. The headers of any version work, since Node-API is stable. */
export function nodeHeaderFolders(): readonly string[] {
  const packaged = installedFolder('node-api-headers');
  return [
    ...(env.npm_config_nodedir ? [join(env.npm_config_nodedir, 'include', 'node')] : []),
    join(dirname(execPath), '..', 'include', 'node'),
    join(dirname(execPath), 'include', 'node'),
    ...(packaged === null ? [] : [join(packaged, 'include')]),
    '/usr/include/node',
    '/usr/include/nodejs/src',
    '/usr/local/include/node',
  ];
}

/**
 * The folder of node_api.h.
 *
 * @throws InputError if there is none, with how to get it
 */
export function findNodeHeaders(folders: readonly string[] = nodeHeaderFolders()): string {
  const found = folders.find((folder) => existsSync(join(folder, 'node_api.h')));
  if (found !== undefined) return found;
  throw new InputError(
    `The header node_api.h of Node ${version} is in none of ${folders.join(', ')}. Get it with: npm install --ignore-scripts node-api-headers`,
  );
}
