import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import * as fc from 'fast-check';
import {
  type Attack,
  cascade,
  classifier,
  crossEntropy,
  fgsm,
  type Goal,
  type Labels,
  lossGradient,
  pgd,
  quantised,
  robustAccuracy,
  success,
} from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { useBackend } from '../backend.ts';
import { rejection, smoothNet } from './nets.ts';

const COUNT = 4;
const CLASSES = 5;

describe('labels and images as callers give them', () => {
  let net: ReturnType<typeof smoothNet>;
  let images: Tensor4D;
  let truth: readonly number[];
  before(async () => {
    await useBackend('cpu');
    net = smoothNet(CLASSES, COUNT);
    // Of bytes, so that every entry takes them.
    images = tf.tidy(() => tf.div(tf.round(tf.mul(net.images, 255)), 255));
    truth = Array.from(tf.tidy(() => tf.argMax(net.classifier(images), 1).dataSync()));
  });
  after(() => {
    net.dispose();
    images.dispose();
  });

  const attack = fgsm({ epsilon: 0.05 });
  /** Every public function that reads labels beside images; what it returns is the same for the same labels. */
  const entries: Readonly<Record<string, (given: Labels, x: Tensor4D) => Promise<unknown>>> = {
    perturb: (given, x) => pixels(attack.perturb(net.classifier, x, given)),
    'perturb with a record': (given, x) =>
      pixels(attack.perturb(net.classifier, x, { kind: 'untargeted', labels: given })),
    'perturb to targets': (given, x) => pixels(attack.perturb(net.classifier, x, { kind: 'targeted', targets: given })),
    'perturb to targets, with labels': (given, x) =>
      pixels(attack.perturb(net.classifier, x, { kind: 'targeted', targets: given, labels: given })),
    'perturb in mode train': (given, x) => pixels(attack.perturb(net.classifier, x, given, { mode: 'train' })),
    success: (given, x) => success(net.classifier, x, given),
    robustAccuracy: (given, x) => robustAccuracy(net.classifier, [attack], x, given, { batchSize: 3 }),
    'robustAccuracy of a function': (given, x) =>
      robustAccuracy(net.classifier, [attack], (start, end) => tf.slice(x, start, end - start), given, {
        batchSize: COUNT,
      }),
    cascade: (given, x) => pixels(cascade([attack]).perturb(net.classifier, x, given)),
    quantised: (given, x) => pixels(quantised(attack).perturb(net.classifier, x, given)),
  };
  const pixels = async (made: Promise<Tensor4D>) => {
    const tensor = await made;
    return Array.from(await tensor.data().finally(() => tensor.dispose()));
  };

  /** Labels of every kind that can mean only one thing. */
  const accepted: Readonly<Record<string, (classes: readonly number[]) => Labels>> = {
    'an int32 tensor': (classes) => tf.tensor1d([...classes], 'int32'),
    'whole numbers in a float32 tensor': (classes) => tf.tensor1d([...classes]),
    'an array': (classes) => [...classes],
    'an array of bigints': (classes) => classes.map(BigInt),
    'a Uint8Array': (classes) => Uint8Array.from(classes),
    'an Int32Array': (classes) => Int32Array.from(classes),
    'a Float64Array': (classes) => Float64Array.from(classes),
    'a BigInt64Array': (classes) => BigInt64Array.from(classes.map(BigInt)),
  };
  for (const [name, call] of Object.entries(entries)) {
    it(`${name} takes labels in whatever they are unambiguous, with one result`, async () => {
      const results = [];
      for (const make of Object.values(accepted)) {
        const given = make(truth);
        const tensors = tf.memory().numTensors;
        results.push(await call(given, images));
        expect(tf.memory().numTensors).to.equal(tensors);
        if (given instanceof tf.Tensor) given.dispose();
      }
      for (const result of results) expect(result).to.deep.equal(results[0]);
    });
  }

  const oneHot = (rows: readonly number[]) =>
    rows.map((row) => Array.from({ length: CLASSES }, (_, i) => +(i === row)));
  /** What is no class number, by the place where it stands. */
  const refused: [title: string, make: () => unknown, says: RegExp][] = [
    ['one-hot rows in an array', () => oneHot([0, 1, 2, 3]), /number 0 is an array of 5\. One-hot rows.*argMax/],
    ['one-hot rows in typed arrays', () => oneHot([0, 1, 2, 3]).map((row) => Uint8Array.from(row)), /One-hot rows/],
    ['a one-hot tensor', () => tf.oneHot([0, 1, 2, 3], CLASSES), /got a tensor \[4,5\], which looks one-hot/],
    ['a column', () => tf.tensor2d([0, 1, 2, 3], [4, 1], 'int32'), /Make it one-dimensional: tf.reshape\(.*, \[4\]\)/],
    ['a fraction', () => [0, 0.9, 1, 2], /number 1 is 0\.9\. Give each image's class/],
    ['a fraction in a tensor', () => tf.tensor1d([0, 0.9, 1, 2]), /number 1 is 0\.89/],
    ['NaN', () => [0, 1, Number.NaN, 2], /number 2 is NaN/],
    ['NaN in a tensor', () => tf.tensor1d([0, 1, Number.NaN, 2]), /number 2 is NaN/],
    ['infinity', () => [0, 1, 2, Number.POSITIVE_INFINITY], /number 3 is Infinity/],
    ['a negative number', () => Int8Array.of(0, -1, 2, 3), /number 1 is -1/],
    ['a number beyond int32', () => [2 ** 32, 1, 2, 3], /number 0 is 4294967296/],
    ['a bigint beyond int32', () => [0n, 2n ** 64n, 2n, 3n], /number 1 is 18446744073709551616n/],
    ['a class that the model has not', () => [0, 1, 2, 5], /expected classes 0 … 4.* got 5 \(number 3\)/],
    ['names', () => ['cat', 'dog', 'cat', 'dog'], /number 0 is "cat"\. Replace each name by its place/],
    ['digits in strings', () => ['0', '1', '2', '3'], /number 0 is "0"/],
    ['a tensor of names', () => tf.tensor1d(['a', 'b', 'c', 'd']), /type string\. Replace each name/],
    ['booleans', () => [true, false, true, false], /number 0 is true\. Write 0 or 1/],
    ['a tensor of booleans', () => tf.tensor1d([true, false, true, false], 'bool'), /type bool\. Write 0 or 1/],
    ['too few', () => [0, 1], /expected class numbers \[4\], one an image, got 2\./],
    ['an array with holes', () => Object.assign([0, 1], { 3: 3 }), /number 2 is undefined/],
    ['one number', () => 3, /expected class numbers \[\w+\], one an image, got 3/],
    ['one name', () => 'cat', /got "cat"/],
    ['nothing', () => undefined, /got undefined/],
    ['null', () => null, /got null/],
    ['a set', () => new Set([0, 1, 2, 3]), /got a Set/],
    ['bytes without a type', () => new DataView(new ArrayBuffer(4)), /got a DataView/],
  ];
  for (const [title, make, says] of refused) {
    it(`every function refuses ${title}, says what to do and leaves no tensor behind`, async () => {
      for (const [name, call] of Object.entries(entries)) {
        // A function that makes images does not say how many there are.
        if (title === 'too few' && name.includes('function')) continue;
        const given = make() as Labels;
        const tensors = tf.memory().numTensors;
        const error = await rejection(call(given, images));
        expect(error, name).to.be.instanceOf(InputError);
        expect(error.message, name)
          .to.match(says)
          .and.match(/^(labels|targets): /);
        expect(tf.memory().numTensors, name).to.equal(tensors);
        if (given instanceof tf.Tensor) given.dispose();
      }
    });
  }

  it('no function counts a label that is no class number, whatever the array holds', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true }), {
          minLength: COUNT,
          maxLength: COUNT,
        }),
        async (values) => {
          const fine = values.every(
            (value) =>
              (typeof value === 'number' || typeof value === 'bigint') &&
              value >= 0 &&
              value < CLASSES &&
              Number.isInteger(Number(value)),
          );
          const outcome = await success(net.classifier, images, values as never).catch((error: unknown) => error);
          if (fine) expect(outcome).to.be.an('array');
          else expect(outcome).to.be.instanceOf(InputError);
        },
      ),
      { numRuns: 300, seed: 4 },
    ));

  const withPixel = (value: number) => {
    const values = Float32Array.from(images.dataSync());
    // Of the last image, which is misclassified by the labels below.
    values[values.length - 1] = value;
    return tf.tensor4d(values, images.shape);
  };
  const strange: [title: string, make: () => unknown, says: RegExp][] = [
    ['bytes', () => tf.cast(tf.mul(images, 255), 'int32'), /float32 pixels, got int32\. .*tf\.div\(tf\.cast\(images/],
    ['a mask', () => tf.cast(images, 'bool'), /float32 pixels, got bool/],
    ['a single image', () => tf.reshape(tf.slice(images, 0, 1), [3, 3, 2]), /got \[3,3,2\]\. Make one image a batch/],
    ['rows of pixels', () => tf.reshape(images, [COUNT, 18]), /got \[4,18\]\. Give them that shape with tf\.reshape/],
    ['images without channels', () => tf.zeros([COUNT, 3, 3, 0]), /got \[4,3,3,0\]/],
    ['nested arrays', () => images.arraySync(), /got an array of 4\. Make one with tf\.tensor4d/],
    ['a typed array', () => images.dataSync(), /got a Float32Array of 72\. Make one with tf\.tensor4d/],
    ['nothing', () => undefined, /got undefined/],
    ['pixels of 0 … 255', () => tf.mul(images, 255), /expected pixels in \[0, 1\]; a pixel of image 0 is \d/],
    ['one pixel too bright', () => withPixel(1.01), /a pixel of image 3 is 1\.01.*Divide bytes by 255/],
    ['a pixel below 0', () => withPixel(-0.01), /a pixel of image 3 is -0\.01\./],
    ['a pixel that is NaN', () => withPixel(Number.NaN), /a pixel of image 3 is NaN\. Look for its cause/],
    ['an infinite pixel', () => withPixel(Number.POSITIVE_INFINITY), /a pixel of image 3 is Infinity/],
    ['an infinite pixel below 0', () => withPixel(Number.NEGATIVE_INFINITY), /a pixel of image 3 is -Infinity/],
  ];
  for (const [title, make, says] of strange) {
    it(`every function refuses ${title}, also where no attack would look, and leaves no tensor behind`, async () => {
      const wrong = truth.map((label, i) => (i === COUNT - 1 ? (label + 1) % CLASSES : label));
      for (const [name, call] of Object.entries(entries)) {
        // What a function makes out of it is another matter.
        if (name.includes('function') && !(make() instanceof tf.Tensor)) continue;
        tf.engine().startScope();
        const given = make() as Tensor4D;
        const tensors = tf.memory().numTensors;
        const sliced = given instanceof tf.Tensor && given.rank !== 4 && name.includes('function');
        const error = sliced
          ? await rejection(robustAccuracy(net.classifier, [attack], () => tf.clone(given), wrong))
          : await rejection(call(wrong, given));
        expect(error, name).to.be.instanceOf(InputError);
        expect(error.message, name).to.match(says);
        expect(tf.memory().numTensors, name).to.equal(tensors);
        tf.engine().endScope();
      }
    });
  }

  it('a function of batches may return no such batch, which is said', async () => {
    for (const [make, says] of [
      [() => undefined, /got undefined/],
      [() => images.arraySync(), /got an array of 4/],
      [() => tf.slice(images, 0, 2), /expected 4 from the function for 0 … 4, got \[2,3,3,2\]/],
    ] as const) {
      const tensors = tf.memory().numTensors;
      const error = await rejection(robustAccuracy(net.classifier, [attack], make as never, [...truth]));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(says);
      expect(tf.memory().numTensors).to.equal(tensors);
    }
  });

  it('a start is read as images are, by an attack and by those made of attacks', async () => {
    for (const made of [attack, cascade([attack]), quantised(attack)]) {
      for (const [start, says] of [
        [images.arraySync(), /^start: expected a float32 tensor .* got an array of 4/],
        [tf.cast(images, 'int32'), /^start: expected float32 pixels, got int32/],
        [tf.slice(images, 0, 2), /^start: expected the shape of the images, \[4,3,3,2\], got \[2,3,3,2\]/],
      ] as const) {
        const error = await rejection(made.perturb(net.classifier, images, [...truth], { start: start as Tensor4D }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(says);
        if (start instanceof tf.Tensor) start.dispose();
      }
    }
  });

  it('names an image and a label by their number among all, not in their batch', async () => {
    const bright = withPixel(7);
    const options = { batchSize: 2 };
    const source = (start: number, end: number) => tf.slice(bright, start, end - start);
    const error = await rejection(robustAccuracy(net.classifier, [attack], source, [...truth], options));
    expect(error.message).to.match(/a pixel of image 3 is 7/);
    const label = await rejection(robustAccuracy(net.classifier, [attack], images, [0, 1, 2, 9], options));
    expect(label.message).to.match(/got 9 \(number 3\)/);
    bright.dispose();
  });

  it('holds pixels against the bounds of the attacks', async () => {
    const bytes = tf.tidy(() => tf.mul(images, 255)) as Tensor4D;
    const model = (x: Tensor4D) => net.classifier(tf.div(x, 255));
    const bounds = [0, 255] as const;
    const wide = pgd({ epsilon: 8, steps: 2, bounds });
    const { clean } = await robustAccuracy(model, [wide], bytes, [...truth]);
    expect(clean).to.equal(1);
    expect(await success(model, bytes, [...truth], { bounds })).to.deep.equal([false, false, false, false]);
    const both = await rejection(robustAccuracy(model, [wide, fgsm({ epsilon: 0.1 })], bytes, [...truth]));
    expect(both.message).to.match(/expected pixels in \[0, 1\]/);
    bytes.dispose();
  });

  it('refuses an attack of the caller that returns no images', async () => {
    const returning = (adversarial: () => unknown): Attack => ({
      ...attack,
      perturb: async () => adversarial() as Tensor4D,
    });
    for (const [make, says] of [
      [
        () => tf.fill([COUNT, 3, 3, 2], Number.NaN),
        /^fgsm: expected adversarial images \[4,3,3,2\].*a pixel that is NaN/,
      ],
      [() => tf.zeros([1, 3, 3, 2]), /got a tensor \[1,3,3,2\]/],
      [() => undefined, /got undefined/],
    ] as const) {
      const tensors = tf.memory().numTensors;
      const error = await rejection(robustAccuracy(net.classifier, [returning(make)], images, [...truth]));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(says);
      expect(tf.memory().numTensors).to.equal(tensors);
    }
  });

  it('holds for models, gradients and losses, as far as a tensor shows without being read', async () => {
    const goal: Goal = { kind: 'untargeted', labels: tf.tensor1d([...truth], 'int32') };
    const bytes = tf.cast(images, 'int32') as Tensor4D;
    expect(() => classifier(net.classifier)(bytes)).to.throw(InputError, /float32 pixels, got int32/);
    expect(() => lossGradient(net.classifier, crossEntropy, goal, bytes)).to.throw(InputError, /got int32/);
    const logits = net.classifier(images);
    const wrong: [labels: tf.Tensor, says: RegExp][] = [
      [tf.tensor1d([0, 1, 2, 3]), /labels: expected an int32 tensor, got float32/],
      [tf.oneHot([0, 1, 2, 3], CLASSES), /which looks one-hot/],
      [tf.tensor1d([0], 'int32'), /expected class numbers \[4\]/],
    ];
    for (const [labels, says] of wrong) {
      expect(() => crossEntropy(logits, { kind: 'untargeted', labels: labels as never })).to.throw(InputError, says);
    }
    expect(() => crossEntropy(logits, { kind: 'untargeted', labels: [0, 1, 2, 3] as never })).to.throw(
      InputError,
      /array/,
    );
    tf.dispose([goal.labels as tf.Tensor, bytes, logits, ...wrong.map(([labels]) => labels)]);
  });
});
