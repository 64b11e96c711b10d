import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { checkWritable, createFolder } from '../../src/files/folders.ts';
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

describe('a folder for results', () => {
  it('is refused before the work if it could not be written to, and is not created', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'equipoise-folders-'));
    const file = join(folder, 'file');
    writeFileSync(file, '');
    symlinkSync('loop', join(folder, 'loop'));
    await checkWritable(folder);
    await checkWritable(join(folder, 'a', 'b'));
    for (const [path, reason] of [
      [file, /file is a file, not a folder/],
      [join(file, 'below'), /a part of the path is a file/],
      [join(folder, 'loop'), /its links lead round in a circle/],
      ['/dev/null', /null is a device, not a folder/],
    ] as const) {
      const error = await rejection(checkWritable(path));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(`${path} cannot be written: `).and.to.match(reason);
    }
    expect(readdirSync(folder).sort()).to.deep.equal(['file', 'loop']);
    rmSync(folder, { recursive: true });
  });
});

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
