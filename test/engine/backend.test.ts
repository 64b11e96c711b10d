import { once } from 'node:events';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { EngineBackend } from '../../src/engine/backend.ts';
import { engineInfo, type KernelBuild, registerEngine } from '../../src/engine/index.ts';
import { Pool } from '../../src/engine/runtime/pool.ts';
import '../../src/ops/gradients.ts';
import { leaving } from './filled-heap.ts';
import { forgetStructures } from './same.ts';

const bytes = (): number => engineInfo()?.bytes ?? Number.NaN;

describe('engine backend', () => {
  before(async () => {
    await registerEngine({ threads: 2 });
    await tf.setBackend('equipoise');
  });
  after(() => registerEngine({ threads: 1 }));

  it('leaves nothing of a kernel that runs out of memory half way', () => {
    const { heap } = tf.backend() as EngineBackend;
    const x = tf.ones([3 << 20]);
    leaving(heap, 0)(); // frees caches
    const [used, tensors] = [bytes(), tf.memory().numTensors];
    const release = leaving(heap, 6 << 20);
    // A third of x fits, a second one does not.
    expect(() => tf.split(x, 3)).to.throw(/MB left/);
    release();
    expect(bytes()).to.equal(used);
    expect(tf.memory().numTensors).to.equal(tensors);
    tf.dispose([x, ...tf.split(x, 3)]);
  });

  it('registers once, and changes the number of threads on request', async () => {
    const backend = tf.findBackend('equipoise');
    await registerEngine({ threads: 2 });
    expect(tf.findBackend('equipoise')).to.equal(backend);
    await registerEngine({ threads: 3 });
    expect(engineInfo()?.threads).to.equal(3);
    expect(tf.findBackend('equipoise')).to.equal(backend);
  });

  it('keeps its threads and its build where none are given', async () => {
    const build = engineInfo()?.build as KernelBuild;
    await registerEngine({ threads: 3, build: 'simd' });
    await registerEngine();
    expect(engineInfo()).to.include({ threads: 3, build: 'simd' });
    (tf.backend() as EngineBackend).pool.stop();
    await registerEngine();
    expect(engineInfo()).to.include({ threads: 3, build: 'simd' });
    await registerEngine({ threads: 2, build });
  });

  it('registers one after another when asked at once, so that one pool runs', async () => {
    const { start } = Pool;
    const pools: Pool[] = [];
    Pool.start = async (options) => {
      expect(pools.filter(({ usable }) => usable)).to.deep.equal([]);
      const pool = await start(options);
      pools.push(pool);
      return pool;
    };
    try {
      await Promise.all([3, 1, 3, 65, 2].map((threads) => registerEngine({ threads }).catch(() => {})));
    } finally {
      Pool.start = start;
    }
    expect(pools.map(({ threads }) => threads)).to.deep.equal([3, 1, 3, 2]);
    expect(pools.map(({ usable }) => usable)).to.deep.equal([false, false, false, true]);
    expect((tf.backend() as EngineBackend).pool).to.equal(pools[3]);
  });

  it('refuses a number of threads that cannot be', async () => {
    for (const threads of [0, 1.5, 65]) {
      let message = '';
      await registerEngine({ threads }).catch((error: Error) => {
        message = error.message;
      });
      expect(message).to.match(/1 to 64 threads/);
    }
  });

  it('hands out values that a disposed tensor leaves intact', async () => {
    const y = tf.relu(tf.tensor1d([-1, 2, 3]));
    const part = tf.slice(y, [1], [2]);
    const [read, promised] = [y.dataSync(), await y.data()];
    y.dispose();
    tf.dispose(tf.relu(tf.tensor1d([9, 9, 9])));
    expect([...read]).to.deep.equal([0, 2, 3]);
    expect([...promised]).to.deep.equal([0, 2, 3]);
    expect([...part.dataSync()]).to.deep.equal([2, 3]);
  });

  it('moves tensors from and to the reference backend', async () => {
    const y = tf.relu(tf.tensor1d([-1, 2]));
    await tf.setBackend('cpu');
    const z = tf.add(y, 1);
    expect([...z.dataSync()]).to.deep.equal([1, 3]);
    await tf.setBackend('equipoise');
    expect([...tf.relu(z).dataSync()]).to.deep.equal([1, 3]);
  });

  it('runs ops and gradients of the reference backend on its own tensors', () => {
    const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.square(tf.relu(x))));
    expect([...gradient(tf.tensor1d([-1, 2])).dataSync()]).to.deep.equal([0, 4]);
  });

  it('computes the gradient of weights when it is read, and not at all when it is not', async () => {
    const held = () => ({ bytes: bytes(), ...tf.memory() });
    forgetStructures();
    const before = held();
    const gradient = (read: boolean) =>
      tf.tidy(() => {
        const run = () => {
          const [x, dy] = [tf.ones([2, 3]), tf.ones([2, 4])];
          return tf.matMul(x, dy, true);
        };
        // The product's operands end before it is read.
        const product = tf.tidy(run);
        const during = bytes();
        return read
          ? { during, values: [...product.dataSync()], after: bytes() }
          : { during, values: [], after: bytes() };
      });
    const unread = gradient(false);
    expect(unread.during).to.equal(before.bytes);
    expect(held()).to.deep.equal(before);
    const read = gradient(true);
    // By another kernel, twice.
    const sum = tf.tidy(() => {
      const product = tf.matMul(tf.ones([2, 1]), tf.ones([2, 2]), true);
      return [...tf.add(tf.relu(product), product).dataSync()];
    });
    expect(sum).to.deep.equal([4, 4]);
    expect(read.values).to.deep.equal(new Array(12).fill(2));
    expect(read.after).to.be.greaterThan(before.bytes);
    expect(held()).to.deep.equal(before);
  });

  it('ends its workers when the backend is removed, and can be registered again', async () => {
    await registerEngine({ threads: 3 });
    const { pool } = tf.backend() as EngineBackend;
    const ended = Promise.all(pool.workers.map((worker) => once(worker, 'exit')));
    tf.removeBackend('equipoise');
    expect(engineInfo()).to.equal(null);
    expect(pool.usable).to.equal(false);
    await ended;
    const warn = console.warn;
    const warnings: string[] = [];
    console.warn = (message: string) => warnings.push(message);
    try {
      await registerEngine({ threads: 2 });
    } finally {
      console.warn = warn;
    }
    expect(warnings).to.deep.equal([]);
    await tf.setBackend('equipoise');
    expect([...tf.relu(tf.tensor1d([-1, 2])).dataSync()]).to.deep.equal([0, 2]);
    expect(engineInfo()).to.include({ threads: 2 });
  });

  it('returns every byte', () => {
    forgetStructures();
    const before = bytes();
    for (let i = 0; i < 1000; i++) {
      tf.dispose(tf.tidy(() => tf.add(tf.relu(tf.reshape(tf.relu(tf.ones([i % 17, 3])), [-1])), 1)));
    }
    expect(bytes()).to.equal(before);
  });
});
