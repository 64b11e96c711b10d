import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { inspectBackends } from '../../src/backends/inspect.ts';
import { automaticOrder, startBackend } from '../../src/backends/start.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { BACKENDS } from '../../src/ops/backend-names.ts';

const failure = (choice: string) =>
  startBackend(choice).then(
    () => null,
    (thrown: unknown) => thrown as Error,
  );

describe('starting a backend', () => {
  const before = tf.getBackend();
  after(() => tf.setBackend(before || 'cpu'));

  it('starts the engine on as many threads as are asked for', async () => {
    const { name, detail } = await startBackend('engine', { threads: 1 });
    expect([name, tf.getBackend()]).to.deep.equal(['engine', 'equipoise']);
    expect(detail).to.match(/^1 thread, WebAssembly build /);
  });

  it('starts the reference without its greeting', async () => {
    const warn = console.warn;
    const said: unknown[] = [];
    console.warn = (...words) => said.push(...words);
    try {
      await startBackend('cpu');
      tf.tidy(() => tf.add(tf.scalar(1), 1));
    } finally {
      console.warn = warn;
    }
    expect(tf.getBackend()).to.equal('cpu');
    expect(said).to.deep.equal([]);
    expect(tf.env().getBool('PROD')).to.equal(false);
  });

  it('takes the engine by itself unless the GPU package of TensorFlow is installed', async () => {
    expect(automaticOrder(() => false)).to.deep.equal(['engine', 'cpu']);
    expect(automaticOrder((name) => name === '@tensorflow/tfjs-node')).to.deep.equal(['engine', 'cpu']);
    expect(automaticOrder(() => true)).to.deep.equal(['tensorflow', 'engine', 'cpu']);
  });

  it('names the known backends when it is given another', async () => {
    const thrown = await failure('cuda');
    expect(thrown).to.be.instanceOf(UsageError);
    expect(thrown?.message).to.equal(`There is no backend cuda. Backends are auto, ${BACKENDS.join(', ')}.`);
  });

  it('says which package an absent backend needs and how to install it', async () => {
    for (const [choice, packages] of [
      ['tensorflow', '@tensorflow/tfjs-node'],
      ['webgpu', '@tensorflow/tfjs-backend-webgpu'],
    ]) {
      const thrown = await failure(choice);
      expect(thrown).to.be.instanceOf(InputError);
      expect(thrown?.message).to.contain(packages).and.to.contain('npm install').and.to.contain('not installed');
    }
  });

  it('inspects each backend in a process of its own', async () => {
    const { backends, automatic } = await inspectBackends();
    expect(backends.map(({ name, state }) => [name, state])).to.deep.include.members([
      ['engine', 'ready'],
      ['tensorflow', 'not installed'],
      ['webgpu', 'not installed'],
      ['cpu', 'ready'],
    ]);
    expect(backends.map(({ name }) => name)).to.deep.equal([...BACKENDS]);
    for (const { state, install } of backends) expect(install !== null).to.equal(state === 'not installed');
    expect(automatic.name).to.equal('engine');
    expect(automatic.why).to.contain('@tensorflow/tfjs-node-gpu is not installed');
  });
});
