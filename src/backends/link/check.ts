// Starts the package of TensorFlow.js that its argument names, compares a convolution and its gradients with those of
// the reference backend, and prints the outcome as JSON. Runs in a process of its own, which a bad binding may end.
import { argv, exit, stdout } from 'node:process';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import '../../ops/gradients.ts';
import { startCpu } from '../cpu.ts';
import { loadPackage, runningTensorflow } from '../tensorflow.ts';

/** A ramp between −1 and 1, without randomness. */
const ramp = (shape: [number, number, number, number], period: number) =>
  tf.tidy(() =>
    tf.reshape(
      tf.sin(
        tf.mul(
          tf.range(
            0,
            shape.reduce((a, b) => a * b),
          ),
          2 / period,
        ),
      ),
      shape,
    ),
  );

/** A strided convolution over an odd size, and its gradients with respect to images and kernel. */
async function convolve(): Promise<readonly Float32Array[]> {
  const [images, kernel] = [ramp([4, 9, 7, 5], 7), ramp([3, 3, 5, 6], 11)];
  const forward = (x: tf.Tensor, w: tf.Tensor) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'same');
  const gradients = tf.grads((x, w) => tf.sum(tf.square(forward(x, w))))([images, kernel]);
  const results = [forward(images, kernel), ...gradients];
  const values = await Promise.all(results.map((result) => result.data() as Promise<Float32Array>));
  tf.dispose([images, kernel, ...results]);
  return values;
}

/** The largest difference, as a share of the largest value. */
const difference = (values: Float32Array, expected: Float32Array) =>
  values.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i])), 0) /
  expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);

await startCpu();
const expected = await convolve();
const fault = await loadPackage({ name: argv[2] });
if (fault === null) {
  const results = await convolve();
  const { version, gpu } = runningTensorflow();
  const worst = Math.max(...results.map((values, i) => difference(values, expected[i])));
  stdout.write(JSON.stringify({ version, gpu, difference: worst }));
} else {
  stdout.write(JSON.stringify({ fault }));
}
exit(0);
