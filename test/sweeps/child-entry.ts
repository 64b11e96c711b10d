import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { serveJob } from '../../src/sweeps/child.ts';

await serveJob(() => tf.setBackend('cpu'), new AbortController().signal);
