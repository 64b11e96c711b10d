// Names for what is not complete yet: they say which process it belongs to, so that the next process removes what a killed
// one left.
import { randomBytes } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasEnded, machineOf, thisProcess } from './owner.ts';

const TEMPORARY = /\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.temporary$/;

/** Where a file or a folder is made before it takes its name: another place for each time of each process. */
export function temporaryOf(path: string): string {
  const here = thisProcess();
  return `${path}.${machineOf(here)}-${here.pid}-${randomBytes(4).toString('hex')}.temporary`;
}

/** True if a name is a temporary one of a process of this machine that has ended. */
export function isAbandoned(name: string): boolean {
  const [, machine, pid] = TEMPORARY.exec(name) ?? [];
  const here = thisProcess();
  return machine === machineOf(here) && hasEnded({ ...here, pid: Number(pid) }, here);
}

/** Removes the temporary files and folders in a folder whose names `which` picks. */
export async function removeTemporaries(folder: string, which: (name: string) => boolean = () => true): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!TEMPORARY.test(name) || !which(name)) continue;
    await rm(join(folder, name), { recursive: true, force: true }).catch(() => {});
  }
}
