// Default places of what commands write.

import { basename, dirname, join } from 'node:path';
import { zooFolder } from '../evaluation/zoo/cards.ts';

/**
 * The folder for files that are made of a checkpoint: below its run's folder, else beside it; of a network of the zoo below the
 * current folder.
 *
 * @param name of the folder, such as `attack`
 */
export function folderBeside(checkpoint: string, name: string): string {
  const folder = dirname(checkpoint);
  if (folder === zooFolder()) return join(name, basename(checkpoint, '.safetensors'));
  return join(basename(folder) === 'checkpoints' ? dirname(folder) : folder, name);
}
