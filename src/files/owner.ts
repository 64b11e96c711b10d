// Which process something belongs to, and whether that process has ended.
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import process from 'node:process';

/** A process, as others can find out about it. */
export interface Owner {
  readonly host: string;
  /**
   * One start of a machine and, on Linux, one namespace of process numbers, so that a number of another container is
   * not mistaken for one of this. Null if the system names none.
   */
  readonly boot: string | null;
  readonly pid: number;
}

export const thisProcess = (): Owner => ({ host: hostname(), boot: bootOf(), pid: process.pid });

function bootOf(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/**
 * True if a process is known to have ended. On another host, in another container or after a restart of the machine,
 * nobody can tell, and the answer is no.
 */
export function hasEnded({ host, boot, pid }: Owner, here: Owner = thisProcess()): boolean {
  if (boot === null || boot !== here.boot || host !== here.host) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return isZombie(pid);
}

/** True if a process has ended and only its parent has not asked for its exit code yet. */
function isZombie(pid: number): boolean {
  try {
    return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Eight digits that tell one start of one machine from others. */
export const machineOf = ({ host, boot }: Owner): string =>
  createHash('sha256').update(`${host}\n${boot}`).digest('hex').slice(0, 8);
