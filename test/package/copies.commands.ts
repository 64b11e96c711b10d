// Imports the package's entries beside TensorFlow.js in every order, each in a process of its own: there is one tfjs-core,
// and what a program does with TensorFlow.js works as it does without the package.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { root } from './package.ts';

const ENTRIES = ['equipoise', 'equipoise/attacks', 'equipoise/engine'] as const;
const TFJS = ['@tensorflow/tfjs-core', '@tensorflow/tfjs-layers', '@tensorflow/tfjs-converter'];

/**
 * Lists the files that hold a copy of tfjs-core: every copy defines a Tensor class that answers instanceof by itself. The
 * Node builds of tfjs-layers and tfjs-converter hold parts of one, after they have loaded the real one.
 */
const COUNT = `
  const copies = [];
  const { defineProperty } = Object;
  Object.defineProperty = (target, name, ...rest) => {
    if (name === Symbol.hasInstance && target.prototype?.dataSync && !Object.hasOwn(target.prototype, 'assign')) {
      copies.push(/([^/]+)\\.js:/.exec(new Error().stack.split('\\n')[2])[1]);
    }
    return defineProperty(target, name, ...rest);
  };
`;

const USE = `
  const tf = await import('@tensorflow/tfjs-core');
  const layers = await import('@tensorflow/tfjs-layers');
  await import('@tensorflow/tfjs-backend-cpu');
  await tf.setBackend('cpu');
  const image = tf.tensor4d([1, 2, 3, 8], [1, 2, 2, 1]);
  const input = layers.input({ shape: [2, 2, 1] });
  const flat = layers.layers.flatten().apply(input);
  const sum = layers.layers.add().apply([flat, flat]);
  const model = layers.model({ inputs: input, outputs: sum });
  const { pgd } = await import('equipoise/attacks');
  const weight = tf.variable(tf.scalar(3));
  const numbers = (tensor) => [...tensor.dataSync()];
  const found = {
    clone: numbers(image.clone()),
    cast: numbers(image.cast('int32')),
    buffer: image.bufferSync().get(0, 1, 1, 0),
    string: image.toString().includes('8'),
    isTensor: image instanceof tf.Tensor,
    relu6: numbers(tf.relu6(image)),
    avgPool: numbers(tf.avgPool(image, 2, 1, 'valid')),
    predict: numbers(model.predict(image)),
    gradient: numbers(tf.grad((x) => tf.sum(tf.add(tf.relu6(x), tf.avgPool(x, 2, 1, 'valid'))))(image)),
    trained: numbers(tf.variableGrads(() => tf.square(weight)).value),
    attack: pgd({ epsilon: 0.1, steps: 1, stepSize: 0.1 }).name,
  };
`;

const EXPECTED = {
  clone: [1, 2, 3, 8],
  cast: [1, 2, 3, 8],
  buffer: 8,
  string: true,
  isTensor: true,
  relu6: [1, 2, 3, 6],
  avgPool: [3.5],
  predict: [2, 4, 6, 16],
  gradient: [2, 2, 2, 1],
  trained: [9],
  attack: 'pgd',
};

async function run(imports: readonly string[], use: string, result: string): Promise<unknown> {
  const source = `${COUNT}
    for (const name of ${JSON.stringify(imports)}) await import(name);
    ${use}
    console.log(JSON.stringify(${result}));
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: root,
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
}

describe('a program with one TensorFlow.js', () => {
  const orders = ENTRIES.flatMap((entry) => [
    { title: `${entry} first`, imports: [entry, ...TFJS] },
    { title: `${entry} last`, imports: [...TFJS, entry] },
  ]);
  for (const { title, imports } of orders) {
    it(`works alike, with ${title}`, async () => {
      expect(await run(imports, USE, '{ copies, ...found }')).to.deep.equal({
        copies: ['tf-core.node', 'tf-layers.node', 'tf-converter.node'],
        ...EXPECTED,
      });
    });
  }

  for (const entry of ENTRIES) {
    it(`has one copy, with ${entry} alone`, async () => {
      expect(await run([entry], '', '{ copies }')).to.deep.equal({ copies: ['tf-core.node'] });
    });
  }
});
