import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createFolder } from '../../src/files/folders.ts';
import { rejection } from '../rejection.ts';

/** Folders of file systems that can only be read, where this machine has any. */
const readOnly = (): string[] => {
  try {
    return readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, , , options]) => options?.split(',').includes('ro'))
      .map(([, place]) => place);
  } catch {
    return [];
  }
};

describe('creating a folder', () => {
  it('says which folder was the first that was missing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'equipoise-folders-'));
    expect(await createFolder(join(folder, 'a', 'b'))).to.equal(join(folder, 'a'));
    expect(await createFolder(join(folder, 'a', 'b'))).to.equal(undefined);
    rmSync(folder, { recursive: true });
  });

  it('fails with the reason on a disk that can only be read', async function () {
    const places = readOnly();
    if (places.length === 0) this.skip();
    for (const place of places) {
      const error = (await rejection(createFolder(join(place, 'a', 'b')))) as NodeJS.ErrnoException;
      expect(error.code, place).to.be.oneOf(['EROFS', 'EACCES']);
    }
  });
});
