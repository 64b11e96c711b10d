import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { writeAtomically } from '../../src/checkpoints/files/atomic-file.ts';
import { InputError } from '../../src/core/errors.ts';
import { rejection } from '../rejection.ts';

describe('a file that cannot be written', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-atomic-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('leaves nothing half-written behind', async () => {
    await mkdir(join(folder, 'taken'));
    const error = await rejection(writeAtomically(join(folder, 'taken'), 'text'));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/taken cannot be written/);
    expect(await readdir(folder)).to.deep.equal(['taken']);
  });
});
