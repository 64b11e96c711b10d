// Folders for the runs of a suite.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A function that names a new folder at each call; called in a suite, which removes all of them at its end. */
export function newFolders(): () => string {
  let base = '';
  let count = 0;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'equipoise-'));
  });
  after(() => rmSync(base, { recursive: true }));
  return () => join(base, `run-${count++}`);
}
