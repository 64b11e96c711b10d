import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { serveJob } from '../../src/sweeps/child.ts';

serveJob(() => tf.setBackend('cpu'));
