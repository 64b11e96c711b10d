import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect } from 'chai';
import { CONTROL, REMAINING } from '../../src/engine/runtime/control.ts';
import { Heap } from '../../src/engine/runtime/heap.ts';
import { Pool } from '../../src/engine/runtime/pool.ts';
import { loadKernels } from '../../src/engine/runtime/wasm.ts';

const startPool = async (threads: number, stallMs?: number) => {
  const heap = new Heap();
  return { heap, pool: await Pool.start({ heap, module: await loadKernels('simd'), threads, stallMs }) };
};

describe('engine pool', () => {
  for (const threads of [1, 2, 3]) {
    it(`runs every task of a thousand jobs exactly once on ${threads} threads`, async () => {
      const { heap, pool } = await startPool(threads);
      const length = 37;
      const [x, y] = [heap.allocate(4 * length), heap.allocate(4 * length)];
      for (let job = 0; job < 1000; job++) {
        const values = Float32Array.from({ length }, (_, i) => ((i * 7 + job) % 11) - 5);
        heap.float32(x, length).set(values);
        pool.run(Math.ceil(length / 5), 'relu', { x, y, length, chunk: 5 });
        expect([...heap.float32(y, length)]).to.deep.equal([...values].map((value) => Math.max(0, value)));
      }
      await pool.stopped();
    });
  }

  it('leaves no worker behind when one does not start', async () => {
    const { once } = Worker.prototype;
    const workers: Worker[] = [];
    Worker.prototype.once = function (this: Worker, ...given: Parameters<typeof once>) {
      if (given[0] === 'message' && workers.push(this) === 2) void this.terminate();
      return once.apply(this, given);
    } as typeof once;
    const error = await startPool(4).catch((thrown) => thrown);
    Worker.prototype.once = once;
    expect(error.message).to.match(/worker thread of the engine died/);
    expect(workers.map(({ threadId }) => threadId)).to.deep.equal([-1, -1, -1]);
  });

  it('runs a chain in order for each task', async () => {
    const { heap, pool } = await startPool(2);
    const [x, y, z] = [heap.allocate(64), heap.allocate(64), heap.allocate(64)];
    heap.float32(x, 4).set([-1, 2, -3, 4]);
    const step = (from: number, to: number) =>
      ({ kernel: 'relu', fields: { x: from, y: to, length: 4, chunk: 1 } }) as const;
    pool.runChain(4, [step(x, y), step(y, z)]);
    expect([...heap.float32(z, 4)]).to.deep.equal([0, 2, 0, 4]);
    await pool.stopped();
  });

  it('throws what a kernel threw, and goes on working', async () => {
    const { heap, pool } = await startPool(3);
    expect(() => pool.run(100, 'trap', { task: 63 })).to.throw(/kernel of the engine failed: .*unreachable/);
    const x = heap.allocate(4);
    heap.float32(x, 1)[0] = -1;
    pool.run(1, 'relu', { x, y: x, length: 1, chunk: 1 });
    expect(heap.float32(x, 1)[0]).to.equal(0);
    await pool.stopped();
  });

  it('ends in an error when a worker stops inside a task', async () => {
    const { heap, pool } = await startPool(2, 50);
    const flag = heap.allocate(4);
    heap.int32(flag, 1)[0] = 0;
    const attempt = () => {
      for (let i = 0; i < 1000; i++) pool.run(1000, 'hang', { flag });
    };
    expect(attempt).to.throw(/worker thread of the engine died or hangs/);
    heap.int32(flag, 1)[0] = 1;
    expect(() => pool.run(1, 'trap', { task: 5 })).to.throw(/Register the engine again/);
    await pool.stopped();
  });

  it('ends in an error, long before it would take it for hanging, when a worker dies inside a task', async () => {
    const { heap, pool } = await startPool(2);
    const [worker] = pool.workers;
    worker.removeAllListeners('exit');
    await worker.terminate();
    // In its place, a thread that claims a task and ends.
    const thief = new Worker(
      `const { workerData: { memory, word } } = require('node:worker_threads');
      const words = new Int32Array(memory.buffer);
      while (Atomics.load(words, word) <= 0);
      Atomics.sub(words, word, 1);`,
      { eval: true, workerData: { memory: heap.memory, word: CONTROL / 4 + REMAINING } },
    );
    await once(thief, 'online');
    const x = heap.allocate(4 * 5000);
    const attempt = () => {
      for (let i = 0; i < 10_000; i++) pool.run(5000, 'relu', { x, y: x, length: 5000, chunk: 1 });
    };
    expect(attempt).to.throw(/worker thread of the engine died or hangs: its thread has ended/);
    await pool.stopped();
  });

  it('ends in an error when a worker has died between jobs', async () => {
    const { pool } = await startPool(2);
    await pool.workers[0].terminate();
    expect(() => pool.run(2, 'trap', { task: 5 })).to.throw(/worker thread of the engine died \(exit code 1\)/);
  });

  it('goes on in a process that was stopped for longer than a thread may hang', async function () {
    if (process.platform === 'win32') this.skip();
    const file = (path: string) => new URL(`../../src/engine/runtime/${path}`, import.meta.url);
    const script = `
      import { once } from 'node:events';
      import { writeSync } from 'node:fs';
      import { Worker } from 'node:worker_threads';
      import { Heap } from '${file('heap.js')}';
      import { Pool } from '${file('pool.js')}';
      import { loadKernels } from '${file('wasm.js')}';
      const heap = new Heap();
      const pool = await Pool.start({ heap, module: await loadKernels('simd'), threads: 2, stallMs: 1000 });
      const flag = heap.allocate(4);
      heap.int32(flag, 1)[0] = 0;
      // Lets the worker go on after some turns of 50 ms, in which the process is stopped.
      const helper = new Worker(
        \`const { parentPort, workerData: { memory, word } } = require('node:worker_threads');
        const words = new Int32Array(memory.buffer);
        parentPort.postMessage('ready');
        for (let turn = 0; turn < 16; turn++) Atomics.wait(words, word, 0, 50);
        words[word] = 1;\`,
        { eval: true, execArgv: [], workerData: { memory: heap.memory, word: flag / 4 } },
      );
      await once(helper, 'message');
      writeSync(1, 'waits\\n');
      for (let i = 0; i < 1000; i++) pool.run(1000, 'hang', { flag });
      writeSync(1, 'went on\\n');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    await once(child.stdout, 'data');
    await delay(200);
    child.kill('SIGSTOP');
    await delay(2000);
    child.kill('SIGCONT');
    const [code] = await once(child, 'close');
    expect({ code, said }).to.deep.equal({ code: 0, said: 'waits\nwent on\n' });
  });

  it('lets the process end by itself', () => {
    const script = `
      import { registerEngine } from '${new URL('../../src/engine/index.js', import.meta.url)}';
      import * as tf from '@tensorflow/tfjs-core';
      await registerEngine({ threads: 3 });
      await tf.setBackend('equipoise');
      console.log(tf.relu(tf.tensor1d([-1, 2])).dataSync().join());`;
    const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      timeout: 30_000,
      cwd: new URL('../../..', import.meta.url),
    });
    expect({ stdout, stderr, status }).to.deep.equal({ stdout: '0,2\n', stderr: '', status: 0 });
  });
});
