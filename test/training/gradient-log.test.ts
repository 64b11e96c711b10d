import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import { structure } from '../../src/core/structure.ts';
import {
  createGradientLog,
  type LoggedGradients,
  type Precision,
  reopenGradientLog,
} from '../../src/training/agent/gradient-log.ts';
import { rejection } from '../rejection.ts';

describe('a log of gradients', () => {
  let base = '';
  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'equipoise-'));
  });
  after(() => rm(base, { recursive: true }));
  let count = 0;
  const optionsOf = (memory: number, precision: Precision = 'float32') => ({
    path: join(base, `log-${count++}`),
    precision,
    budget: { left: memory },
  });

  const first = structure([2, 3], Int32Array.of(0, 2, 5));
  const second = structure([2, 3], Int32Array.of(0, 1, 5));
  /** Two records on one structure, one on another, and one on an equal structure that was read again. */
  const records: readonly LoggedGradients[] = [first, first, second, structure([2, 3], Int32Array.of(0, 1, 5))].map(
    (kernel, i) => ({
      batch: [2, 0, 3, 1][i],
      step: 10 + i,
      structures: { 'a.kernel': kernel },
      values: { 'a.kernel': normal(foldIn(seedKey('a'), i), 3), 'a.bias': normal(foldIn(seedKey('b'), i), 2) },
    }),
  );

  for (const [where, memory] of [
    ['memory', 1000],
    ['memory and the file', 45],
    ['the file alone', 0],
  ] as const) {
    it(`gives back every record bit for bit from ${where}, and again when it is opened anew`, async () => {
      const options = optionsOf(memory);
      const log = await createGradientLog(options);
      for (const record of records) expect(await log.append(record)).to.deep.equal(record.values);
      for (const record of records) expect(await log.read(record.batch)).to.deep.equal(record);
      expect(await log.read(7)).to.equal(null);
      const { mark } = log;
      await log.close();
      expect(options.budget.left).to.equal(memory);
      const again = await reopenGradientLog(options, mark);
      for (const record of records) expect(await again?.read(record.batch)).to.deep.equal(record);
      expect(again?.mark).to.deep.equal(mark);
      await again?.close();
    });
  }

  it('is cut back to its mark, and appended to it becomes the same file', async () => {
    const whole = optionsOf(0);
    const log = await createGradientLog(whole);
    for (const record of records.slice(0, 3)) await log.append(record);
    const { mark } = log;
    await log.append(records[3]);
    await log.close();
    const expected = await readFile(whole.path);
    const again = await reopenGradientLog(whole, mark);
    expect((await stat(whole.path)).size).to.equal(mark.bytes);
    expect(await again?.read(records[3].batch)).to.equal(null);
    await again?.append(records[3]);
    await again?.close();
    expect(await readFile(whole.path)).to.deep.equal(expected);
  });

  it('is not taken for another one: a missing, a shorter and a changed file are none', async () => {
    const options = optionsOf(0);
    const log = await createGradientLog(options);
    for (const record of records) await log.append(record);
    const { mark } = log;
    await log.close();
    const bytes = await readFile(options.path);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(options.path, bytes);
    expect(await reopenGradientLog(options, mark)).to.equal(null);
    await writeFile(options.path, bytes.subarray(0, 20));
    expect(await reopenGradientLog(options, mark)).to.equal(null);
    expect(await reopenGradientLog({ ...options, path: join(base, 'nowhere') }, mark)).to.equal(null);
  });

  it('halves its numbers to the nearest 16 bits, in memory and in the file alike', async () => {
    for (const memory of [1000, 0]) {
      const options = optionsOf(memory, 'bfloat16');
      const log = await createGradientLog(options);
      // 1 + 2⁻⁸ lies between 1 and 1 + 2⁻⁷ and goes to the even one, 1 + 3 · 2⁻⁸ to 1 + 2⁻⁶; tiny numbers keep their size.
      const values = { w: Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, -(1 + 2 ** -7), 3e-9, 0) };
      const kept = await log.append({ batch: 0, step: 0, structures: {}, values });
      expect([...kept.w.subarray(0, 3)]).to.deep.equal([1, 1 + 2 ** -6, -(1 + 2 ** -7)]);
      expect(kept.w[3] / 3e-9).to.be.closeTo(1, 2 ** -8);
      expect(kept.w[4]).to.equal(0);
      expect((await log.read(0))?.values).to.deep.equal(kept);
      const { mark } = log;
      await log.close();
      const again = await reopenGradientLog(options, mark);
      expect((await again?.read(0))?.values).to.deep.equal(kept);
      await again?.close();
    }
  });

  it('says what to do where it cannot be written', async () => {
    await writeFile(join(base, 'file'), '');
    const error = await rejection(
      createGradientLog({ path: join(base, 'file/log'), precision: 'float32', budget: { left: 0 } }),
    );
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/memory keeps cannot be written to .*Free space on the disk/);
  });
});
