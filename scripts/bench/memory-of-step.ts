// Peak resident megabytes of a process that does two training steps: node memory-of-step.js MODEL SPARSITY WIDTH BATCH THREADS
import * as tf from '@tensorflow/tfjs-core';
import { ENGINE, registerEngine } from '../../src/engine/index.ts';
import { actionsOf } from './actions.ts';
import { randomBatch, randomNet } from './nets.ts';

const [model, ...numbers] = process.argv.slice(2);
const [sparsity, width, batch, threads] = numbers.map(Number);
await registerEngine({ threads });
await tf.setBackend(ENGINE);
const actions = actionsOf(randomNet(model, sparsity, width), randomBatch(batch));
await actions.step();
await actions.step();
console.log(process.resourceUsage().maxRSS / 1024);
