// Peak resident megabytes of a process that does two training steps, as JSON: what its imports take, and in all.
//   node memory-of-step.js MODEL SPARSITY WIDTH BATCH THREADS BUILD
import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { ENGINE, type KernelBuild, registerEngine } from '../../src/engine/index.ts';
import { actionsOf } from './actions.ts';
import { randomBatch, randomNet } from './nets.ts';

/** getrusage's figure, the only one elsewhere, is on Linux at least that of the process that started this one. */
const peak = (): number =>
  process.platform === 'linux'
    ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
    : process.resourceUsage().maxRSS / 1024;

const imports = peak();
const [model, ...rest] = process.argv.slice(2);
const build = rest.pop() as KernelBuild;
const [sparsity, width, batch, threads] = rest.map(Number);
await registerEngine({ threads, build });
await tf.setBackend(ENGINE);
const actions = actionsOf(randomNet(model, sparsity, width), randomBatch(batch));
await actions.step();
await actions.step();
console.log(JSON.stringify({ imports, peak: peak() }));
