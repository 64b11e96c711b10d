// Starts the backend that its argument names, computes something, and prints the outcome as JSON. Runs in a process of
// its own, because a native library that does not fit the machine may end the process that loads it.
import { argv, exit, stdout } from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { firstLine } from './packages.ts';
import { startBackend } from './start.ts';

try {
  const passedOver: string[] = [];
  const { name, detail } = await startBackend(argv[2], { warn: (message) => passedOver.push(message) });
  const square = tf.tidy(() => tf.matMul(tf.fill([2, 3], 2), tf.ones([3, 2])));
  const values = Array.from(await square.data());
  if (values.join() !== '6,6,6,6') throw new Error(`it computes wrongly: ${values.join(' ')} instead of 6 6 6 6`);
  stdout.write(JSON.stringify({ state: 'ready', name, detail, passedOver }));
} catch (thrown) {
  stdout.write(
    JSON.stringify({ state: 'broken', detail: thrown instanceof InputError ? thrown.message : firstLine(thrown) }),
  );
}
exit(0);
