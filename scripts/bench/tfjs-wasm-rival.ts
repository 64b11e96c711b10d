// tfjs-backend-wasm in a process of its own, asked as pytorch_rival.py is: node tfjs-wasm-rival.js FOLDER, where FOLDER
// has it in its node_modules. TensorFlow.js keeps its registries in the global object, so that ours and its are one.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, lossGradient } from '../../attacks/index.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../src/checkpoints/safetensors/safetensors.ts';
import { type Program, runNetwork } from '../../src/ops/network.ts';
import { type Action, actionsOf } from './actions.ts';
import { type Batch, type Net, storedTensor } from './nets.ts';
import { milliseconds } from './turns.ts';

const packages = createRequire(join(resolve(process.argv[2]), 'package.json'));
packages('@tensorflow/tfjs-backend-wasm');
const { version } = packages('@tensorflow/tfjs-backend-wasm/package.json') as { version: string };
await tf.setBackend('wasm');

interface Loaded extends Net {
  readonly batch: Batch;
  readonly actions: ReturnType<typeof actionsOf>;
}

const nets = new Map<string, Loaded>();

interface Request {
  readonly do: string;
  readonly net: string;
  readonly file: string;
  readonly program: Program;
  readonly action: Action;
  readonly out: string;
}

const tensorOf = ({ dtype, shape, data }: StoredTensor): Tensor =>
  tf.tensor(data as Float32Array, [...shape], dtype === 'I32' ? 'int32' : 'float32');

/** Dense weights, as in the file. */
function load({ net: name, file, program }: Request): void {
  const { tensors } = decodeSafetensors(readFileSync(file));
  const { images, labels, ...weights } = Object.fromEntries(
    Object.entries(tensors).map(([name, stored]) => [name, tensorOf(stored)]),
  );
  const isStatistic = (tensor: string): boolean => /\.moving_(mean|variance)$/.test(tensor);
  const entries = Object.entries(weights);
  const net: Net = {
    name,
    program,
    params: Object.fromEntries(entries.filter(([tensor]) => !isStatistic(tensor))),
    state: Object.fromEntries(entries.filter(([tensor]) => isStatistic(tensor))),
  };
  const batch = { images, labels } as Batch;
  nets.set(name, { ...net, batch, actions: actionsOf(net, batch) });
}

/** Logits and input gradient: weight gradients are what this backend cannot compute. */
function check({ net: name, out }: Request): void {
  const { program, params, state, batch } = nets.get(name) as Loaded;
  const { gradient, logits } = lossGradient(
    (images) => runNetwork(program, params, state, images, { training: false }).logits,
    crossEntropy,
    { kind: 'untargeted', labels: batch.labels },
    batch.images,
  );
  writeFileSync(out, encodeSafetensors({ logits: storedTensor(logits), images: storedTensor(gradient) }));
}

async function answer(request: Request): Promise<object> {
  switch (request.do) {
    case 'load':
      load(request);
      return {};
    case 'check':
      check(request);
      return {};
    case 'time':
      return { milliseconds: await milliseconds((nets.get(request.net) as Loaded).actions[request.action]) };
    default:
      throw new Error(`tfjs-backend-wasm is not asked to ${request.do}.`);
  }
}

const write = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
write({ 'tfjs-backend-wasm': version });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    write(await answer(JSON.parse(line)));
  } catch (error) {
    write({ error: error instanceof Error ? error.message : String(error) });
  }
}
