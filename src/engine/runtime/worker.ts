// A worker thread of the engine: waits for jobs and runs their tasks.
import { readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { CONTROL, CONTROL_WORDS, GENERATION, REMAINING, SLEEPERS, STOP, type ThreadData, worker } from './control.ts';

/** Loads of the control words before a thread sleeps; some 0.14 ms. */
const SPIN = 20_000;

const data = workerData as ThreadData;
const control = new Int32Array(data.memory.buffer, CONTROL, CONTROL_WORDS);
const work = worker(data);
parentPort?.postMessage(threadFolder());

let seen = Atomics.load(control, GENERATION);
while (Atomics.load(control, STOP) === 0) {
  if (Atomics.load(control, REMAINING) > 0) work();
  for (let i = 0; i < SPIN && Atomics.load(control, GENERATION) === seen; i++);
  if (Atomics.load(control, GENERATION) === seen) {
    Atomics.add(control, SLEEPERS, 1);
    Atomics.wait(control, GENERATION, seen);
    Atomics.sub(control, SLEEPERS, 1);
  }
  seen = Atomics.load(control, GENERATION);
}

/** Where Linux shows this thread as long as it lives; null on other systems. */
function threadFolder(): string | null {
  try {
    return `/proc/${readlinkSync('/proc/thread-self')}`;
  } catch {
    return null;
  }
}
