import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { largestModelJson, largestWeights, readWhole } from '../../src/checkpoints/files/inside.ts';
import { InputError } from '../../src/core/errors.ts';
import { setSizeLimit } from '../../src/data/files/limits.ts';
import { rejection } from '../rejection.ts';

describe('a file of a model', () => {
  const before = process.env.EQUIPOISE_DATA_LIMIT;
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-inside-'));
  });
  afterEach(async () => {
    if (before === undefined) delete process.env.EQUIPOISE_DATA_LIMIT;
    else process.env.EQUIPOISE_DATA_LIMIT = before;
    await rm(folder, { recursive: true });
  });

  it('is held to the same limit as data sets, which can be raised', async () => {
    delete process.env.EQUIPOISE_DATA_LIMIT;
    expect([largestWeights(), largestModelJson()]).to.deep.equal([2 ** 31, 2 ** 28]);
    const path = join(folder, 'weights.bin');
    const bytes = Uint8Array.from({ length: 3000 }, (_, i) => i % 251);
    await writeFile(path, bytes);
    setSizeLimit(2000 / 2 ** 30);
    const refused = await rejection(readWhole(path, largestWeights()));
    expect(refused).to.be.instanceOf(InputError);
    expect(refused.message).to.match(/weights\.bin has 3 kB; expected at most 2 kB\. .*--size-limit GB/);
    setSizeLimit(3000 / 2 ** 30);
    expect([...(await readWhole(path, largestWeights()))]).to.deep.equal([...bytes]);
  });
});
