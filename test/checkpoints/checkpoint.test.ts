import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { hasCheckpoint, readCheckpoint, writeCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { previousOf } from '../../src/checkpoints/files/atomic-file.ts';
import { encodeCheckpoint } from '../../src/checkpoints/safetensors/encode.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { restoreCheckpoint } from '../../src/checkpoints/safetensors/stored.ts';
import type { Checkpoint } from '../../src/checkpoints/types.ts';
import { InputError } from '../../src/core/errors.ts';
import type { Params } from '../../src/core/params.ts';
import { useBackend } from '../backend.ts';

const params = (): Params => ({
  'conv1.kernel': {
    structure: { shape: [3, 3, 1, 2], positions: Int32Array.of(0, 7, 17) },
    values: tf.tensor1d([0.5, -1, 2]),
  },
  'conv1.bias': tf.tensor1d([0.25, 0]),
  'dense1.kernel': tf.tensor2d([1, 2, 3, 4, 5, 6], [2, 3]),
});

const checkpoint = (step = 7): Checkpoint => ({
  config: { version: 1, dataset: 'synthetic', sparsity: 0.5, milestones: [1, 2] },
  model: { name: 'cnn', width: 0.5, inputShape: [3, 3, 1], classes: 3 },
  epoch: 2,
  step,
  progress: { c: 0.1, best: null, sums: { loss: 1 / 3 } },
  params: params(),
  state: { 'bn1.moving_mean': tf.tensor1d([0.1, 0.2]) },
  optimizer: {
    trace: { 'conv1.kernel': tf.tensor1d([1, 2, 3]), 'conv1.bias': tf.zeros([2]), 'dense1.kernel': tf.ones([2, 3]) },
  },
  average: {
    params: { 'conv1.kernel': tf.tensor1d([3, 2, 1]), 'conv1.bias': tf.ones([2]), 'dense1.kernel': tf.zeros([2, 3]) },
    state: { 'bn1.moving_mean': tf.tensor1d([0.3, 0.4]) },
  },
  snapshot: { params: params(), state: { 'bn1.moving_mean': tf.tensor1d([0, 0]) } },
  meanGradient: { 'conv1.kernel': tf.tensor1d([0.1, 0.2, 0.3]) },
  explored: { 'conv1.kernel': Uint8Array.of(129, 0, 3) },
  grownAt: { 'conv1.kernel': Int32Array.of(0, 70_000, 0) },
});

const problemOf = async (work: Promise<unknown>): Promise<string> => {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).to.be.instanceOf(InputError);
  return (error as Error).message;
};

describe('a checkpoint', () => {
  let folder = '';
  let path = '';
  before(() => useBackend('cpu'));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-'));
    path = join(folder, 'last.safetensors');
    tf.engine().startScope();
  });
  afterEach(async () => {
    tf.engine().endScope();
    await rm(folder, { recursive: true });
  });

  it('is read back as it was written', async () => {
    const written = checkpoint();
    await writeCheckpoint(path, written);
    const { stored, warnings } = await readCheckpoint(path);
    expect(warnings).to.deep.equal([]);
    const read = restoreCheckpoint(stored);
    expect(read.config).to.deep.equal(written.config);
    expect(read.model).to.deep.equal(written.model);
    expect(read.progress).to.deep.equal(written.progress);
    expect([read.epoch, read.step]).to.deep.equal([2, 7]);
    const kernel = read.params['conv1.kernel'] as ReturnType<typeof params>['conv1.kernel'] & { structure: object };
    expect(kernel.structure).to.deep.equal({ shape: [3, 3, 1, 2], positions: Int32Array.of(0, 7, 17) });
    expect(read.explored).to.deep.equal(written.explored);
    expect(read.snapshot?.state['bn1.moving_mean'].arraySync()).to.deep.equal([0, 0]);
    expect(Buffer.from(await encodeCheckpoint(read)).equals(await encodeCheckpoint(written))).to.equal(true);
  });

  it('without a snapshot has none when read', async () => {
    const none = { average: null, snapshot: null, meanGradient: {}, explored: {}, grownAt: {} };
    await writeCheckpoint(path, { ...checkpoint(), ...none });
    const read = restoreCheckpoint((await readCheckpoint(path)).stored);
    expect([read.snapshot, read.meanGradient, read.explored]).to.deep.equal([null, {}, {}]);
  });

  it('is a safetensors file with dense tensors, values and positions under plain names', async () => {
    await writeCheckpoint(path, checkpoint());
    const { tensors, metadata } = decodeSafetensors(await readFile(path));
    expect(tensors['params/dense1.kernel']).to.deep.include({ dtype: 'F32', shape: [2, 3] });
    expect(tensors['params/conv1.kernel'].data).to.deep.equal(Float32Array.of(0.5, -1, 2));
    expect(tensors['params/conv1.kernel.positions']).to.deep.include({ dtype: 'I32', shape: [3] });
    expect(JSON.parse(metadata.shapes)).to.deep.include({ 'params/conv1.kernel': [3, 3, 1, 2] });
  });

  it('keeps the one before it and leaves no temporary file', async () => {
    await writeCheckpoint(path, checkpoint(1));
    await writeCheckpoint(path, checkpoint(2));
    await writeCheckpoint(path, checkpoint(3));
    expect((await readdir(folder)).sort()).to.deep.equal(['last.safetensors', 'last.safetensors.previous']);
    expect((await readCheckpoint(path)).stored.step).to.equal(3);
    expect((await readCheckpoint(previousOf(path))).stored.step).to.equal(2);
  });

  it('that is damaged in any byte is passed over for the one before it, with a warning', async () => {
    await writeCheckpoint(path, checkpoint(1));
    await writeCheckpoint(path, checkpoint(2));
    const whole = await readFile(path);
    for (const at of [0, 20, Math.floor(whole.length / 2), whole.length - 1]) {
      const damaged = Buffer.from(whole);
      damaged[at] ^= 1;
      await writeFile(path, damaged);
      const { stored, warnings } = await readCheckpoint(path);
      expect(stored.step).to.equal(1);
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.include(path).and.to.include('used instead');
    }
  });

  it('that is truncated is passed over too', async () => {
    await writeCheckpoint(path, checkpoint(1));
    await writeCheckpoint(path, checkpoint(2));
    await writeFile(path, (await readFile(path)).subarray(0, 500));
    expect((await readCheckpoint(path)).warnings[0]).to.match(/truncated/);
  });

  it('that is damaged and has none before it is an error that says so', async () => {
    await writeCheckpoint(path, checkpoint());
    const bytes = await readFile(path);
    bytes[bytes.length - 1] ^= 1;
    await writeFile(path, bytes);
    expect(await problemOf(readCheckpoint(path))).to.match(/is damaged: .*SHA-256/);
  });

  it('that is missing is an error that says so', async () => {
    expect(await hasCheckpoint(path)).to.equal(false);
    expect(await problemOf(readCheckpoint(path))).to.match(/There is no checkpoint/);
  });

  it('is not any safetensors file', async () => {
    await writeFile(path, encodeSafetensors({ a: { dtype: 'F32', shape: [1], data: Float32Array.of(1) } }));
    expect(await problemOf(readCheckpoint(path))).to.match(/no checkpoint of Equipoise/);
  });

  it('is not any file', async () => {
    await writeFile(path, 'epoch,step\n1,2\nand some more text');
    expect(await problemOf(readCheckpoint(path))).to.match(/is not a safetensors file/);
  });

  it('leaves no tensors behind when written', async () => {
    const written = checkpoint();
    const before = tf.memory().numTensors;
    await writeCheckpoint(path, written);
    expect(tf.memory().numTensors).to.equal(before);
  });
});
