// The machine that trains, as a report names it.

import { availableParallelism, cpus } from 'node:os';
import { arch, platform, version } from 'node:process';
import { plural } from '../core/quantities.ts';

/** The machine in words, such as `AMD EPYC 7763, 2 cores, Node 20.20.2, linux x64`. */
export function thisMachine(): string {
  const cores = availableParallelism();
  const processor = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${processor}, ${plural(cores, 'core')}, Node ${version.slice(1)}, ${platform} ${arch}`;
}
