// Trains in a process of its own, to be killed: node train-process.js OUT CONFIG
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { parseConfig } from '../../src/training/config.ts';
import { train } from '../../src/training/train.ts';

await tf.setBackend('cpu');
const [out, config] = process.argv.slice(2);
await train(parseConfig(JSON.parse(config)), { out });
