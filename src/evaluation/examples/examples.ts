// Makes adversarial examples of single test images, for people to look at.
import * as tf from '@tensorflow/tfjs-core';
import { norms, quantised } from '../../../attacks/index.ts';
import type { Attack, AttackProgress, Classifier, NormName, PerturbOptions } from '../../../attacks/types.ts';
import { encodeSafetensors } from '../../checkpoints/safetensors/safetensors.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { foldIn, type Key, seedKey } from '../../core/key.ts';
import { sizeOf } from '../../core/structure.ts';
import { yieldToEvents } from '../../core/yield-to-events.ts';
import { batchesOf, batchImages, batchLabels } from '../../data/batch.ts';
import { balanced, testIndices } from '../../data/split.ts';
import type { Dataset, PixelShape } from '../../data/types.ts';
import { currentBackend } from '../../ops/current-backend.ts';
import { type AttackSpec, attackLabel, buildAttack } from '../attacks/named-attacks.ts';
import { checkEpsilon } from '../epsilon.ts';
import type { EvaluateOptions, ModelOptions } from '../options.ts';
import { imagesTogether, threatsOf } from '../settings.ts';
import { checkFit, loadWith, namedData, testData, warnOfOtherFiles } from '../targets/loading.ts';
import { predict, predictProbabilities } from '../targets/predict.ts';
import { type ModelSource, modelFiles, type Target } from '../targets/target.ts';
import type { EvaluatedDataset, EvaluatedTarget } from '../types.ts';
import { version } from '../version.ts';

/** A test image, what an attack made of it, and the classes that the model gives both. */
export interface Example {
  /** Its number in the test split. */
  readonly index: number;
  readonly label: number;
  readonly before: number;
  /** Prediction for the adversarial bytes. */
  readonly after: number;
  /** Probabilities of all classes, by softmax, for the image and for the adversarial bytes. */
  readonly probabilities: { readonly before: Float32Array; readonly after: Float32Array };
  /** The distance between the bytes of both images, in pixel units of [0, 1] and the norm of the attack. */
  readonly distance: number;
  /** [height, width, channels], 0 … 255, row-major */
  readonly image: Uint8Array;
  readonly adversarial: Uint8Array;
}

/** Adversarial examples of one model under one attack. */
export interface Examples {
  /** The file or folder of the model. */
  readonly path: string;
  readonly target: EvaluatedTarget;
  /** The network that the examples were made on; null if that is the target itself. */
  readonly surrogate: EvaluatedTarget | null;
  readonly dataset: EvaluatedDataset;
  readonly imageShape: PixelShape;
  readonly attack: string;
  readonly norm: NormName;
  /** Radius in pixel units of [0, 1]. */
  readonly epsilon: number;
  readonly seed: number;
  /** Ascending by their number in the test split. */
  readonly examples: readonly Example[];
  readonly backend: string;
  /** Version of Equipoise. */
  readonly version: string;
}

export interface ExamplesOptions extends ModelOptions, Pick<EvaluateOptions, 'norm' | 'seed' | 'signal'> {
  /**
   * Another model to make the examples on, by path or name, for a target without a gradient; the target is asked about the results
   * only. It takes the data set's images and classes as they are.
   */
  readonly surrogate?: ModelSource;
  /** Default: PGD-20 on cross-entropy with 2 restarts. */
  readonly attack?: AttackSpec;
  /** Radius in pixel units of [0, 1]; default: that of the model's training. */
  readonly epsilon?: number;
  /** How many test images, balanced over the classes: the first of each class in turn; default 10. */
  readonly count?: number;
  /** Takes only images that the model classifies right; default false. */
  readonly onlyCorrect?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  /** Called after every step of the attack. */
  readonly onAttackProgress?: (progress: AttackProgress) => void;
}

/** The attack of examples: PGD-20 on cross-entropy with 2 restarts. */
export const DEFAULT_ATTACK: AttackSpec = { kind: 'pgd', steps: 20, restarts: 2, loss: 'ce' };

/** True if the attack turned an image that was right. */
export const fell = ({ label, before, after }: Example): boolean => before === label && after !== label;

/**
 * Adversarial examples of bytes for the first test images of each class.
 *
 * Images that the model gets wrong as they are come back unchanged. The predictions `after` are those of the bytes, read
 * as any image is. The same checkpoint, data, options and seed give the same bytes, and an image's random choices are
 * those that `evaluate` makes for it.
 *
 * With a `surrogate` the attack runs on that model, to its last step whether or not an example fools the surrogate before: examples
 * that just fool it seldom fool another.
 *
 * @param source path of a checkpoint, of a run's folder for the best one it keeps, or of another model
 * @throws InputError if there is no such checkpoint, it is damaged, its images are of another shape, it was trained on
 * the images to attack, or epsilon is out of range
 */
export async function makeExamples(source: ModelSource, options: ExamplesOptions = {}): Promise<Examples> {
  const { attack: spec = DEFAULT_ATTACK, count = 10, onlyCorrect = false, seed = 0 } = options;
  if (!Number.isInteger(count) || count < 1) {
    throw new UsageError(`count must be a whole number of at least 1, got ${count}.`);
  }
  const [file] = await modelFiles(source, options);
  const named = await namedData(options);
  const target = await loadWith(file, named, options);
  let surrogate: Target | null = null;
  try {
    const dataset = named ?? (await testData(target, options));
    await checkFit(target, dataset);
    warnOfOtherFiles(file.path, target, dataset, options.warn);
    if (options.surrogate !== undefined) {
      const [other] = await modelFiles(options.surrogate);
      surrogate = await loadWith(other, dataset, { warn: options.warn });
      await checkFit(surrogate, dataset);
    }
    const [{ norm, epsilon }] = threatsOf(target.threat === null && surrogate !== null ? surrogate : target, {
      norm: options.norm,
      epsilons: options.epsilon === undefined ? undefined : [options.epsilon],
    });
    checkEpsilon(norm, epsilon);
    const batchSize = options.batchSize ?? Math.min(128, imagesTogether(dataset.imageShape));
    const label = attackLabel(spec);
    const setting = {
      model: target.classify,
      surrogate: surrogate?.classify ?? null,
      dataset,
      attack: epsilon === 0 ? null : quantised(buildAttack(spec, norm, epsilon)),
      norm,
      key: keyOf(seed, label),
      signal: options.signal,
      onProgress: options.onAttackProgress,
    };
    const indices = onlyCorrect ? await correctIndices(setting, count, batchSize) : testIndices(dataset.test, count);
    const examples: Example[] = [];
    for (const batch of batchesOf(indices, batchSize)) {
      options.signal?.throwIfAborted();
      examples.push(...(await examplesOf(setting, batch)));
      options.onProgress?.(examples.length, indices.length);
      // Lets Ctrl-C and timers in.
      await yieldToEvents();
    }
    options.signal?.throwIfAborted();
    const { name, sha256, official, classes, imageShape } = dataset;
    return {
      path: file.path,
      target: target.record,
      surrogate: surrogate?.record ?? null,
      dataset: { name, sha256, official, classes },
      imageShape,
      attack: label,
      norm,
      epsilon,
      seed,
      examples,
      backend: currentBackend(),
      version: version(),
    };
  } finally {
    target.dispose();
    surrogate?.dispose();
  }
}

/**
 * Test images that the model classifies right: those among the first of each class in turn, where classes take turns again.
 * Batches are classified until there are `count` of them.
 *
 * @throws InputError if there is none
 */
async function correctIndices(
  { model, dataset: { test, imageShape }, signal }: Setting,
  count: number,
  batchSize: number,
): Promise<Int32Array> {
  const right: number[] = [];
  const seen = new Set<number>();
  for (let limit = count; ; limit *= 2) {
    const fresh = testIndices(test, limit).filter((index) => !seen.has(index));
    for (const batch of batchesOf(fresh, batchSize)) {
      signal?.throwIfAborted();
      const images = batchImages(test, batch, imageShape);
      const predicted = await predict(model, images).finally(() => images.dispose());
      right.push(...batch.filter((index, place) => predicted[place] === test.labels[index]));
      for (const index of batch) seen.add(index);
    }
    if (right.length >= count || limit >= test.count) break;
  }
  if (right.length === 0) {
    throw new InputError(
      `Expected test images that the model classifies right, got none of ${test.count}. Check the model and the data set.`,
    );
  }
  return balanced(test.labels, Int32Array.from(right).sort(), count);
}

/** The key of an attack in an evaluation. */
const keyOf = (seed: number, label: string): Key => foldIn(foldIn(seedKey(seed), 'attack'), label);

interface Setting extends Pick<PerturbOptions, 'signal' | 'onProgress'> {
  readonly model: Classifier;
  /** The model that is attacked in place of it. */
  readonly surrogate: Classifier | null;
  readonly dataset: Dataset;
  /** The attack; null at radius 0. */
  readonly attack: Attack | null;
  readonly norm: NormName;
  readonly key: Key;
}

/** The examples of the test images `indices`; those that are misclassified without attack are left as they are. */
async function examplesOf(
  { model, surrogate, dataset, attack, norm, key, signal, onProgress }: Setting,
  indices: Int32Array,
): Promise<readonly Example[]> {
  const { test, imageShape } = dataset;
  const size = sizeOf(imageShape);
  const images = batchImages(test, indices, imageShape);
  const clean = await predictProbabilities(model, images).finally(() => images.dispose());
  const before = clean.classes;
  const bytes = Uint8Array.from({ length: indices.length * size }, (_, i) => test.images[byteAt(indices, size, i)]);
  const adversarial = Uint8Array.from(bytes);
  const places = [...indices.keys()].filter((place) => before[place] === test.labels[indices[place]]);
  if (attack !== null && places.length > 0) {
    const samples = places.map((place) => indices[place]);
    const right = batchImages(test, samples, imageShape);
    const labels = batchLabels(test, samples);
    try {
      const mode = surrogate === null ? 'evaluate' : 'train';
      const options = { key, samples, mode, signal, onProgress } as const;
      const result = await attack.perturb(surrogate ?? model, right, labels, options);
      const pixels = await result.data().finally(() => result.dispose());
      for (const [row, place] of places.entries()) {
        adversarial.set(
          pixels.subarray(row * size, (row + 1) * size).map((pixel) => Math.round(255 * pixel)),
          place * size,
        );
      }
    } finally {
      tf.dispose([right, labels]);
    }
  }
  const written = { count: indices.length, images: adversarial, labels: test.labels };
  const attacked = batchImages(written, [...indices.keys()], imageShape);
  const after = await predictProbabilities(model, attacked).finally(() => attacked.dispose());
  return Array.from(indices, (index, place): Example => {
    const [image, example] = [bytes, adversarial].map((all) => all.slice(place * size, (place + 1) * size));
    return {
      index,
      label: test.labels[index],
      before: before[place],
      after: after.classes[place],
      probabilities: { before: clean.probabilities[place], after: after.probabilities[place] },
      distance: norms[norm].distance(Float32Array.from(image), Float32Array.from(example)) / 255,
      image,
      adversarial: example,
    };
  });
}

/** Where byte `i` of a batch lies in its split. */
const byteAt = (indices: Int32Array, size: number, i: number): number =>
  indices[Math.floor(i / size)] * size + (i % size);

/**
 * Examples as a safetensors file: `images` and `adversarial` uint8 [n, height, width, channels]; `indices`, `labels`,
 * `predictions_before` and `predictions_after` int64 [n]; all settings as metadata. Equal examples give equal bytes.
 */
export function encodeExamples({
  examples,
  target,
  surrogate,
  dataset,
  imageShape,
  attack,
  norm,
  epsilon,
  seed,
  ...rest
}: Examples): Uint8Array {
  const count = examples.length;
  const pictures = (of: (example: Example) => Uint8Array) => ({
    dtype: 'U8' as const,
    shape: [count, ...imageShape],
    data: Uint8Array.from(Buffer.concat(examples.map(of))),
  });
  const numbers = (of: (example: Example) => number) => ({
    dtype: 'I64' as const,
    shape: [count],
    data: BigInt64Array.from(examples, (example) => BigInt(of(example))),
  });
  return encodeSafetensors(
    {
      images: pictures(({ image }) => image),
      adversarial: pictures(({ adversarial }) => adversarial),
      indices: numbers(({ index }) => index),
      labels: numbers(({ label }) => label),
      predictions_before: numbers(({ before }) => before),
      predictions_after: numbers(({ after }) => after),
    },
    {
      attack,
      norm,
      epsilon: String(epsilon),
      seed: String(seed),
      key: JSON.stringify(keyOf(seed, attack)),
      checkpoint: target.checkpoint,
      checkpointSha256: target.sha256,
      ...(surrogate && { surrogate: surrogate.checkpoint, surrogateSha256: surrogate.sha256 }),
      dataset: dataset.name,
      datasetSha256: dataset.sha256,
      split: 'test',
      classes: JSON.stringify(dataset.classes),
      backend: rest.backend,
      version: rest.version,
    },
  );
}
