// Puts a complete folder in the place of an older one in one step.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';

/** Makes a complete folder take the place of `target` at once; what was there before goes. */
export async function publish(folder: string, target: string): Promise<void> {
  const replaced = `${target}.replaced-${randomUUID()}`;
  const replaces = existsSync(target);
  if (replaces) await rename(target, replaced);
  await rename(folder, target);
  if (replaces) await rm(replaced, { recursive: true });
}
