// Measures the alarm 'wrong gradients': node dist/scripts/gradient-alarms.js [MODEL …] checks the gradients of the model files and
// run folders named, or else of every model in src/models with random weights, dense and sparse. Then it puts steps with wrong
// gradients before the same models. It prints how often the alarm is raised, falsely and rightly.
import { existsSync } from 'node:fs';
import { argv } from 'node:process';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import type { Classifier } from '../attacks/types.ts';
import { startBackend } from '../src/backends/start.ts';
import { type Key, seedKey, split, uniform } from '../src/core/key.ts';
import { batchImages } from '../src/data/batch.ts';
import { loadDataset } from '../src/data/load.ts';
import { testIndices } from '../src/data/split.ts';
import { checkGradient, isWrong } from '../src/evaluation/alarms/gradient-check.ts';
import { loadTarget, modelFiles } from '../src/evaluation/targets/target.ts';
import { apply, init } from '../src/models/init.ts';
import { kernelsOf } from '../src/models/inspect.ts';
import { buildModel, type ModelName, models } from '../src/models/models.ts';

import { startNetwork } from '../src/sparsity/start-network.ts';
import { readOnnxReference } from '../test/evaluation/onnx-reference.ts';

const IMAGES = 8;
/** Each model is checked with so many keys, so many times. */
const KEYS = split(seedKey('gradient alarms'), 2);

interface Subject {
  readonly name: string;
  readonly model: Classifier;
  readonly images: Tensor4D;
  readonly dispose: () => void;
}

/** Images of smooth colours with a little noise, in whole levels. */
function picture(shape: Tensor4D['shape']): Tensor4D {
  const [count, height, width, channels] = shape;
  const coarse = tf.tensor4d(uniform(seedKey('coarse'), count * 64 * channels), [count, 8, 8, channels]);
  const noise = tf.tensor4d(uniform(seedKey('noise'), count * height * width * channels, -0.05, 0.05), shape);
  return tf.tidy(() => {
    const levels = tf.round(tf.mul(tf.add(tf.image.resizeBilinear(coarse, [height, width]), noise), 255));
    tf.dispose([coarse, noise]);
    return tf.div(tf.clipByValue(levels, 0, 255), 255);
  });
}

/** A model of src/models with random weights. */
async function untrained(name: ModelName, sparsity: number): Promise<Subject> {
  const inputShape =
    name === 'lenet5' || name === 'lenet300' || name === 'mlp' ? ([28, 28, 1] as const) : ([32, 32, 3] as const);
  const program = buildModel(name, { inputShape, classes: 10, width: 0.125 });
  const weights = init(program, seedKey(name));
  const kernels = kernelsOf(program);
  const params =
    sparsity === 0
      ? weights.params
      : await startNetwork(weights.params, {
          method: 'static',
          kernels,
          distribution: 'erk',
          sparsity,
          key: seedKey('mask'),
        });
  return {
    name: `${name}, random weights${sparsity === 0 ? '' : `, ${100 * sparsity} % sparse`}`,
    model: (images) => apply(program, params, weights.state, images, { training: false }).logits,
    images: picture([IMAGES, ...inputShape]),
    dispose: () => undefined,
  };
}

/** The models of a file or of a run's folder, with images that belong to them as far as they are here. */
async function loaded(path: string): Promise<Subject[]> {
  return Promise.all(
    (await modelFiles(path)).map(async (file) => {
      const target = await loadTarget(file);
      return {
        name: file.path,
        model: target.classify,
        images: await imagesFor(file.path, target),
        dispose: () => target.dispose(),
      };
    }),
  );
}

async function imagesFor(
  path: string,
  { trainedOn, inputShape }: Awaited<ReturnType<typeof loadTarget>>,
): Promise<Tensor4D> {
  const reference = path.replace(/\.onnx$/, '.json');
  if (trainedOn !== null) {
    const { test, imageShape } = await loadDataset(trainedOn.name);
    return batchImages(test, testIndices(test, 2 * IMAGES), imageShape);
  }
  if (path.endsWith('.onnx') && existsSync(reference))
    return picture([IMAGES, ...tail(readOnnxReference(reference).shape)]);
  if (inputShape === null) throw new Error(`${path} does not say what images it takes.`);
  return picture([IMAGES, ...inputShape]);
}

const tail = ([, height, width, channels]: Tensor4D['shape']) => [height, width, channels] as const;

type Step = (images: Tensor4D) => Tensor4D;

/** A step whose gradient is that of another step. */
const withGradientOf = (forward: Step, backward: (dy: Tensor4D) => tf.Tensor): Step =>
  ((images) =>
    tf.customGrad((x) => ({
      value: forward(x as Tensor4D),
      gradFunc: (dy: tf.Tensor) => backward(dy as Tensor4D),
    }))(images)) as Step;

const rounded =
  (levels: number): Step =>
  (images) =>
    tf.div(tf.round(tf.mul(images, levels)), levels);
const same = (dy: Tensor4D): Tensor4D => tf.clone(dy);

/** The left half of images as 1, the right one as 0. */
const leftHalf = (images: Tensor4D): tf.Tensor => {
  const width = images.shape[2];
  return tf.reshape(tf.cast(tf.less(tf.range(0, width), width / 2), 'float32'), [1, 1, width, 1]);
};

/** Images at half their size and back, each pixel of four given to one. */
const shrunk: Step = (images) => {
  const [, height, width] = images.shape;
  const every = (size: number) => tf.cast(tf.mul(tf.floor(tf.div(tf.range(0, size), 2)), 2), 'int32') as tf.Tensor1D;
  return tf.gather(tf.gather(images, every(height), 1), every(width), 2);
};

const FAULTS: Readonly<Record<string, Step>> = {
  'straight-through rounding to 8 levels': withGradientOf(rounded(8), same),
  'straight-through rounding to 32 levels': withGradientOf(rounded(32), same),
  'straight-through rounding to 255 levels': withGradientOf(rounded(255), same),
  'a random gradient': withGradientOf(
    (x) => tf.clone(x),
    (dy) => tf.mul(tf.randomNormal(dy.shape), tf.sqrt(tf.mean(tf.square(dy)))),
  ),
  'a gradient of the left half only': withGradientOf(
    (x) => tf.clone(x),
    (dy) => tf.mul(dy, leftHalf(dy)),
  ),
  'no gradient at all': withGradientOf(
    (x) => tf.clone(x),
    (dy) => tf.zerosLike(dy),
  ),
  'a gradient ten times too small': withGradientOf(
    (x) => tf.clone(x),
    (dy) => tf.mul(dy, 0.1),
  ),
  'a nearest-neighbour resize with the gradient of none': withGradientOf(shrunk, same),
  'a gradient shifted by a pixel': withGradientOf(
    (x) => tf.clone(x),
    (dy) => tf.concat([tf.slice(dy, [0, 0, 1, 0]), tf.slice(dy, [0, 0, 0, 0], [-1, -1, 1, -1])], 2),
  ),
};

await startBackend('engine', { threads: 2 });
const tally = new Map<string, { raised: number; total: number; images: number; wrong: number; checked: number }>();
async function check(what: string, { name, model, images }: Subject, keys: readonly Key[]): Promise<void> {
  for (const key of keys) {
    const { found } = await checkGradient(model, images, key);
    const raised = isWrong(found);
    const so = tally.get(what) ?? { raised: 0, total: 0, images: 0, wrong: 0, checked: 0 };
    tally.set(what, {
      raised: so.raised + Number(raised),
      total: so.total + 1,
      images: so.images + images.shape[0],
      wrong: so.wrong + found.wrong,
      checked: so.checked + found.checked,
    });
    console.log(`${raised ? 'raised' : 'silent'}  ${what}: ${name}: ${found.wrong} wrong of ${found.checked} checked`);
  }
}

const subjects = async function* (): AsyncGenerator<Subject> {
  const paths = argv.slice(2);
  for (const path of paths) yield* await loaded(path);
  if (paths.length > 0) return;
  for (const name of Object.keys(models) as ModelName[]) {
    for (const sparsity of [0, 0.9]) yield untrained(name, sparsity);
  }
};
for await (const subject of subjects()) {
  try {
    await check('nothing', subject, KEYS);
    for (const [what, step] of Object.entries(FAULTS)) {
      await check(
        what,
        { ...subject, model: (images) => tf.tidy(() => subject.model(step(images))) },
        KEYS.slice(0, 1),
      );
    }
  } catch (error) {
    console.log(`FAILS   ${subject.name}: ${(error as Error).message}`);
  }
  subject.images.dispose();
  subject.dispose();
}
console.log('\nplanted | raised | of | images wrong | images checked | images\n--- | --- | --- | --- | --- | ---');
for (const [what, { raised, total, wrong, checked, images }] of tally) {
  console.log(`${what} | ${raised} | ${total} | ${wrong} | ${checked} | ${images}`);
}
