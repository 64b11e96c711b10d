import '@tensorflow/tfjs-backend-cpu';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import { gradientStore } from '../../src/training/agent/gradient-store.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { train } from '../../src/training/train.ts';
import { rejection } from '../rejection.ts';
import { outcome, tinyConfig } from './tiny.ts';

describe('the gradients that a pre-pass keeps', () => {
  let base = '';
  before(async () => {
    await tf.setBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-'));
  });
  after(() => rm(base, { recursive: true }));

  const gradientsOf = (batch: number) => ({
    'a.kernel': normal(foldIn(seedKey('a'), batch), 5),
    'a.bias': normal(foldIn(seedKey('b'), batch), 3),
  });
  const BYTES = 4 * 8;

  for (const [where, memory, spills] of [
    ['in memory', 10 * BYTES, false],
    ['partly in a file', 2 * BYTES, true],
    ['in a file alone', 0, true],
  ] as const) {
    it(`come back bit for bit ${where}, in any order, and leave no file behind`, async () => {
      const file = join(base, 'gradients');
      const store = gradientStore({ memory, file });
      for (let batch = 0; batch < 5; batch++) await store.add(gradientsOf(batch));
      expect(existsSync(file)).to.equal(spills);
      for (const batch of [4, 0, 2, 2, 1, 3]) expect(await store.get(batch)).to.deep.equal(gradientsOf(batch));
      expect(await store.get(5)).to.equal(null);
      await store.close();
      expect(existsSync(file)).to.equal(false);
    });
  }

  it('are counted from the batch that a resume goes on with', async () => {
    const store = gradientStore({ memory: BYTES, file: join(base, 'gradients') }, 3);
    for (const batch of [3, 4]) await store.add(gradientsOf(batch));
    expect(await store.get(2)).to.equal(null);
    expect(await store.get(3)).to.deep.equal(gradientsOf(3));
    expect(await store.get(4)).to.deep.equal(gradientsOf(4));
    await store.close();
  });

  it('say what to do where the file cannot be written', async () => {
    const store = gradientStore({ memory: 0, file: join(base, 'nowhere/gradients') });
    const error = await rejection(store.add(gradientsOf(0)));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/do not fit into 0 bytes of memory, and .* cannot be written: .*--cache-memory/);
    await store.close();
  });

  it('are not left over from a run that was killed', async () => {
    const out = join(base, 'killed');
    await mkdir(out);
    await writeFile(runFolder(out).gradients, 'left over');
    await train(tinyConfig({ epochs: 1 }), { out });
    expect(existsSync(runFolder(out).gradients)).to.equal(false);
  });

  it('train the same network from memory and from a file of the run, which is gone at the end', async () => {
    const config = tinyConfig({ optimizer: 'agent', agentPrepass: 'matched' });
    const outcomes = [];
    for (const cacheMemory of [undefined, 8_000, 0]) {
      const out = join(base, `run-${cacheMemory}`);
      const seen: boolean[] = [];
      const onProgress = ({ kind }: { kind: string }) => {
        if (kind === 'step') seen.push(existsSync(runFolder(out).gradients));
      };
      await train(config, { out, cacheMemory, onProgress });
      expect(new Set(seen)).to.deep.equal(new Set([cacheMemory !== undefined]));
      expect(existsSync(runFolder(out).gradients)).to.equal(false);
      outcomes.push(await outcome(out));
    }
    expect(outcomes[1]).to.deep.equal(outcomes[0]);
    expect(outcomes[2]).to.deep.equal(outcomes[0]);
  });
});
