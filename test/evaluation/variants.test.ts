// Networks of PyTorch that share their weights with other networks: what is assumed is said, flags set it right, doubt is
// refused, and logits that PyTorch saved tell them apart.
import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { importModel } from '../../src/checkpoints/exchange/import.ts';
import type { Reading } from '../../src/checkpoints/pytorch/reading.ts';
import { readStateDict } from '../../src/checkpoints/pytorch/state-dict.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../src/checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../src/core/errors.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { loadWith } from '../../src/evaluation/targets/loading.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { buildModel } from '../../src/models/models.ts';
import { pytorchTensors } from '../../src/models/pytorch.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { goldenImages, pytorchFile, withFolder } from './models.ts';

const { tensors } = decodeSafetensors(readFileSync(pytorchFile('variants')));
const resnet = decodeSafetensors(readFileSync(pytorchFile('resnet18'))).tensors;

/** The entries below a prefix. */
const below = (prefix: string): Record<string, StoredTensor> =>
  Object.fromEntries(
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor]] : [],
    ),
  );

const weightsOf = (variant: string): Record<string, StoredTensor> =>
  variant.startsWith('vgg') ? below(`${variant}.state.`) : { ...resnet, ...pick(below(`${variant}.`), 'conv1.weight') };

const pick = <T>(record: Record<string, T>, name: string): Record<string, T> =>
  name in record ? { [name]: record[name] } : {};

/** Writes the weights of a variant, and its images and logits, into a folder. */
async function write(folder: string, variant: string) {
  await mkdir(folder, { recursive: true });
  const [model, expected] = ['net', 'expected'].map((name) => join(folder, `${variant}-${name}.safetensors`));
  await writeFile(model, encodeSafetensors(weightsOf(variant)));
  const logits = tensors[`${variant}.logits`];
  await writeFile(expected, encodeSafetensors({ images: tensors.images, logits }));
  return { model, expected };
}

const images = goldenImages();
const load = (path: string, reading: Reading, expectLogits: string) =>
  loadWith({ path, format: 'pytorch' }, images, { reading, expectLogits }).then((target) => target.dispose());

const RESNETS: Readonly<Record<string, Reading>> = {
  'stride-2': { stem: 'stride-2' },
  'max-pool': { stem: 'max-pool' },
  imagenet: { stem: 'imagenet' },
  silu: { activation: 'silu' },
  gelu: { activation: 'gelu' },
  elu: { activation: 'elu' },
  'leaky-relu': { activation: 'leaky-relu' },
  'leaky-relu-0.1': { activation: 'leaky-relu-0.1' },
  softplus: { activation: 'softplus' },
  tanh: { activation: 'tanh' },
};

for (const backend of ['cpu', 'engine'] as const) {
  describe(`networks of PyTorch with equal weights, on ${backend}`, () => {
    before(() => useBackend(backend));

    for (const [variant, reading] of Object.entries(RESNETS)) {
      it(`gives a ResNet-18 of ${variant} its logits where it is said, and else stops with the difference`, () =>
        withFolder(async (folder) => {
          const { model, expected } = await write(folder, variant);
          const before = tf.memory().numTensors;
          await load(model, reading, expected);
          const error = await rejection(load(model, {}, expected));
          expect(error).to.be.instanceOf(InputError);
          expect(error.message).to.match(
            /logits differ from those in .* by up to [\d.e-]+, where the largest is [\d.]+/,
          );
          expect(tf.memory().numTensors).to.equal(before);
        }));
    }
  });
}

describe('what weights of PyTorch do not say', () => {
  before(() => useBackend('cpu'));

  it('is assumed as published, and said', () =>
    withFolder(async (folder) => {
      const { model } = await write(folder, 'silu');
      const target = await loadTarget(model, { images });
      expect(target.warnings.join('\n'))
        .to.contain('a first convolution of stride 1 without a max pool (--stem cifar)')
        .and.contain('ReLU as its activation')
        .and.contain('an average over all places before the classifier')
        .and.contain('an ε of 0.00001 in its batch norms')
        .and.contain('zero padding of its convolutions by half their size, rounded down')
        .and.contain('--expect-logits');
      target.dispose();
      const said = await loadTarget(model, { images, reading: { stem: 'cifar', activation: 'silu' } });
      expect(said.warnings.join('\n')).to.not.contain('ReLU').and.not.contain('--stem cifar');
      expect(said.record.reading).to.deep.equal({ stem: 'cifar', activation: 'silu' });
      said.dispose();
    }));

  it('is said of our own small networks as well', () => {
    const program = buildModel('lenet5', { inputShape: [28, 28, 1], classes: 10, width: 1 });
    const stored = Object.fromEntries(
      pytorchTensors(program).map(({ key, layout: { shape } }) => [
        key,
        { dtype: 'F32', shape, data: new Float32Array(sizeOf(shape)) } as const,
      ]),
    );
    const { name, notes } = readStateDict(stored, 'net', { images: [28, 28, 1] });
    expect(name).to.equal('lenet5');
    expect(notes.join()).to.contain(
      'strides of 1, 1 in its convolutions; 2×2 max pools after convolutions 1, 2; no padding',
    );
  });

  /** A VGG without pools whose convolutions are of this size. */
  const plainVgg = (size: number): Record<string, StoredTensor> => {
    const ones = (...shape: number[]): StoredTensor => ({
      dtype: 'F32',
      shape,
      data: new Float32Array(sizeOf(shape)).fill(1),
    });
    return {
      'features.0.weight': ones(4, 3, size, size),
      'features.0.bias': ones(4),
      'features.2.weight': ones(4, 4, size, size),
      'features.2.bias': ones(4),
      'classifier.weight': ones(2, 4),
      'classifier.bias': ones(2),
    };
  };

  it('includes the strides of a VGG, whose convolutions may shrink images in the place of pools', () => {
    const { notes } = readStateDict(plainVgg(3), 'net', {});
    expect(notes.join())
      .to.contain('strides of 1 in its convolutions; 2×2 max pools after convolution 2 (--pools 2)')
      .and.contain('zero padding of its convolutions by half their size, rounded down');
  });

  it('is refused of convolutions of even size, which cannot be padded evenly', () =>
    expect(() => readStateDict(plainVgg(2), 'net', {}))
      .to.throw(InputError)
      .with.property('message')
      .that.contains('features.0 of this VGG is a convolution of 2×2'));

  const mask = (keeps: (place: number) => boolean): StoredTensor => ({
    dtype: 'BOOL',
    shape: [4, 4, 3, 3],
    data: Uint8Array.from({ length: 144 }, (_, place) => Number(keeps(place))),
  });
  const everyOther = mask((place) => place % 2 === 0);

  for (const name of ['features.2.mask', 'features.2.weight_mask', 'masks.2']) {
    it(`is refused where ${name} says which weights a network does not use`, () =>
      expect(() => readStateDict({ ...plainVgg(3), [name]: everyOther }, 'net', {}))
        .to.throw(InputError)
        .with.property('message')
        .that.contains(`${name} [4, 4, 3, 3] of type BOOL, which looks like a mask of weights`));
  }

  it('is read where masks change nothing: of weights that are zero already, or for all weights', () => {
    const net = plainVgg(3);
    const data = Float32Array.from({ length: 144 }, (_, place) => (place % 2 === 0 ? 1 : 0));
    const masked = {
      ...net,
      'features.2.weight': { ...net['features.2.weight'], data } as StoredTensor,
      'features.2.mask': everyOther,
      'classifier.mask': { ...mask(() => true), shape: [2, 4], data: new Uint8Array(8).fill(1) } as StoredTensor,
      'features.0.initialised': { dtype: 'BOOL', shape: [], data: new Uint8Array(1) } as StoredTensor,
    };
    expect(readStateDict(masked, 'net', {}).name).to.equal('vgg3');
  });

  const bias = resnet['linear.bias'];
  const other: [string, Record<string, StoredTensor | undefined>, Record<string, string>, RegExp][] = [
    [
      'two classifiers',
      { 'fc.bias': bias },
      {},
      /Both (fc|linear)\.bias and (fc|linear)\.bias are read as linear\.bias/,
    ],
    [
      'two shortcuts',
      { 'layer2.0.downsample.0.weight': resnet['layer2.0.shortcut.0.weight'] },
      {},
      /Both layer2\.0\.\w+\.0\.weight and layer2\.0\.\w+\.0\.weight are read as layer2\.0\.shortcut\.0\.weight/,
    ],
    [
      'two entries that --names brings together',
      { 'head.bias': bias },
      { head: 'linear' },
      /Both linear\.bias and head\.bias/,
    ],
    [
      'a classifier of another name',
      { 'linear.weight': undefined, 'head.weight': resnet['linear.weight'] },
      {},
      /its classifier, linear\.weight, is missing.*--names/,
    ],
    [
      'one output',
      { 'linear.weight': { ...bias, shape: [1, 32], data: new Float32Array(32) } as StoredTensor },
      {},
      /yes or no/,
    ],
  ];
  for (const [what, changed, renames, message] of other) {
    it(`is refused where a file has ${what}`, () => {
      const entries = Object.entries({ ...resnet, ...changed }).filter(
        (entry): entry is [string, StoredTensor] => entry[1] !== undefined,
      );
      expect(() => readStateDict(Object.fromEntries(entries), 'net', { renames }))
        .to.throw(InputError)
        .with.property('message')
        .that.matches(message);
    });
  }

  it('is taken from a first convolution of 7×7 as for ImageNet', () =>
    withFolder(async (folder) => {
      const { model, expected } = await write(folder, 'imagenet-7');
      await load(model, {}, expected);
      const target = await loadTarget(model, { images });
      expect(target.warnings.join()).to.contain('--stem imagenet');
      target.dispose();
      const error = await rejection(loadTarget(model, { images, reading: { stem: 'cifar' } }));
      expect(error.message).to.contain('this resnet18 starts with 7×7');
    }));

  for (const variant of ['vgg-dropout', 'vgg-dropout-pooled']) {
    it(`is asked for where a VGG has other modules than pools (${variant})`, () =>
      withFolder(async (folder) => {
        const { model, expected } = await write(folder, variant);
        const error = await rejection(loadTarget(model, { images }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(/may be poolings, dropout or others.*--pools/);
        await load(model, { pools: [2, 4] }, expected);
        const other = await rejection(load(model, { pools: [4] }, expected));
        expect(other.message).to.contain('logits differ');
      }));
  }

  it('follows from the size of what reaches the classifier of a VGG', () =>
    withFolder(async (folder) => {
      const { model, expected } = await write(folder, 'vgg-plain');
      await load(model, {}, expected);
      const target = await loadTarget(model, { images });
      expect(target.warnings.join()).to.contain('2×2 max pools after convolutions 1, 2, 3 (--pools 1,2,3)');
      target.dispose();
    }));

  const contradictions: readonly [string, Reading, RegExp][] = [
    ['vgg-dropout', { pools: [2, 9] }, /--pools names convolution 9; this VGG has 4/],
    ['vgg-dropout-pooled', { pools: [1, 4] }, /convolution 1, but no module lies between/],
    ['vgg-plain', { pools: [1, 2] }, /takes 128 features; .* 512 features after 2 poolings/],
    ['vgg-plain', { pools: [2, 1] }, /ascending order/],
    ['vgg-plain', { stem: 'imagenet' }, /--stem imagenet does not apply to a vgg4/],
    ['silu', { pools: [1] }, /--pools 1 does not apply to a resnet18/],
    ['silu', { activation: 'mish' as 'silu' }, /--activation must be one of relu, .*, got mish/],
    ['silu', { stem: 'toString' as 'cifar' }, /--stem must be one of cifar, .*, got toString/],
  ];
  for (const [variant, reading, message] of contradictions) {
    it(`is refused as ${JSON.stringify(reading)} for ${variant}`, () =>
      withFolder(async (folder) => {
        const { model } = await write(folder, variant);
        const error = await rejection(loadTarget(model, { images, reading }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      }));
  }

  for (const variant of ['vgg-plain', 'silu']) {
    it(`does not make a colour network of images in grey (${variant})`, () =>
      withFolder(async (folder) => {
        const { model } = await write(folder, variant);
        const grey = { ...images, imageShape: [32, 32, 1] as const };
        const error = await rejection(loadTarget(model, { images: grey }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(/for images of 3 channels, got images \[32, 32, 1\]/);
      }));
  }

  it('applies to no other format', async () => {
    const exported = { path: 'model.mjs', format: 'module' } as const;
    const error = await rejection(loadTarget(exported, { reading: { activation: 'silu' } }));
    expect(error.message).to.contain('--activation silu describes bare weights of PyTorch');
  });

  it('is imported only where a checkpoint can hold it, and where the logits agree', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'out.safetensors');
      const { model, expected } = await write(folder, 'silu');
      const kept = await rejection(importModel(model, { out, reading: { activation: 'silu' } }));
      expect(kept.message).to.contain('equipoise evaluate').and.contain('--activation silu');
      const other = await rejection(importModel(model, { out, expectLogits: expected }));
      expect(other.message).to.contain('logits differ');
      const { notes, model: record } = await importModel(model, { out });
      expect(record).to.deep.include({ name: 'resnet18', width: 1 / 16 });
      expect(notes.join()).to.contain('ReLU as its activation');
      const wrong = await rejection(importModel(model, { out, model: { ...record, name: 'resnet34' } }));
      expect(wrong.message).to.contain('weights of a resnet18').and.contain('Leave out --model');
    }));

  it('needs expected logits of another form to be right', () =>
    withFolder(async (folder) => {
      const { model, expected } = await write(folder, 'silu');
      const logits = { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) } as const;
      await writeFile(expected, encodeSafetensors({ images: tensors.images, logits }));
      expect((await rejection(load(model, {}, expected))).message).to.contain('gives 10 logits');
      await writeFile(expected, encodeSafetensors({ logits }));
      expect((await rejection(load(model, {}, expected))).message).to.contain('has images none and logits [2, 3]');
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const data = new Float32Array(20);
        data[7] = value;
        await writeFile(
          expected,
          encodeSafetensors({ images: tensors.images, logits: { dtype: 'F32', shape: [2, 10], data } }),
        );
        const error = await rejection(load(model, { activation: 'silu' }, expected));
        expect(error.message).to.contain('expects finite logits').and.contain(String(value));
      }
    }));

  it('is not compared on images that are normalised already', () =>
    withFolder(async (folder) => {
      const { model, expected } = await write(folder, 'silu');
      const { shape, data } = tensors.images;
      const logits = tensors['silu.logits'];
      for (const [dtype, data_] of [
        ['F32', Float32Array.from(data as Uint8Array, (byte) => (byte / 255 - 0.5) / 0.25)],
        ['F32', Float32Array.from(data as Uint8Array)],
        ['I32', Int32Array.from(data as Uint8Array)],
        ['F32', new Float32Array(data.length).fill(Number.NaN)],
      ] as const) {
        const images = { dtype, shape, data: data_ } as StoredTensor;
        await writeFile(expected, encodeSafetensors({ images, logits }));
        const error = await rejection(load(model, { activation: 'silu' }, expected));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.contain('pixels in [0, 1], or bytes').and.contain('--mean, --std');
      }
    }));
});

describe('import and evaluate', () => {
  before(() => useBackend('cpu'));

  const half = (value: number) => (new Uint32Array(Float32Array.of(value).buffer)[0] >>> 16) & 0xffff;
  const stored: Readonly<Record<string, (tensor: StoredTensor) => StoredTensor>> = {
    F64: ({ shape, data }) => ({ dtype: 'F64', shape, data: Float64Array.from(data as Float32Array) }),
    BF16: ({ shape, data }) => ({ dtype: 'BF16', shape, data: Uint16Array.from(data as Float32Array, half) }),
  };
  const files: Readonly<Record<string, () => Record<string, StoredTensor>>> = {
    ...Object.fromEntries(
      Object.entries(stored).map(([dtype, convert]) => [
        `weights stored as ${dtype}`,
        () =>
          Object.fromEntries(
            Object.entries(resnet).map(([name, tensor]) => [name, tensor.dtype === 'F32' ? convert(tensor) : tensor]),
          ),
      ]),
    ),
    'names below a wrapper, with its normalisation beside them': () => ({
      ...Object.fromEntries(Object.entries(resnet).map(([name, tensor]) => [`module.model.${name}`, tensor])),
      'normalize.mean': { dtype: 'F32', shape: [3], data: Float32Array.of(0.5, 0.4, 0.3) },
      'normalize.std': { dtype: 'F32', shape: [1, 3, 1, 1], data: Float32Array.of(0.2, 0.2, 0.2) },
    }),
  };
  const readBoth = async (path: string, out: string) => {
    const batch = tf.tidy(() =>
      tf.transpose(tf.div(tf.tensor4d([...tensors.images.data].map(Number), [2, 3, 32, 32]), 255), [0, 2, 3, 1]),
    ) as tf.Tensor4D;
    const { notes } = await importModel(path, { out });
    const logits: Float32Array[] = [];
    for (const file of [path, out]) {
      const target = await loadTarget(file, { images });
      logits.push(tf.tidy(() => target.classify(batch).dataSync()) as Float32Array);
      if (file === path) expect(target.warnings).to.deep.equal(notes);
      target.dispose();
    }
    batch.dispose();
    return logits;
  };

  for (const [what, make] of Object.entries(files)) {
    it(`both read ${what}`, () =>
      withFolder(async (folder) => {
        const path = join(folder, 'net.safetensors');
        await writeFile(path, encodeSafetensors(make()));
        const [evaluated, imported] = await readBoth(path, join(folder, 'out.safetensors'));
        expect([...imported]).to.deep.equal([...evaluated]);
      }));
  }

  const changed = (name: string, tensor: Partial<StoredTensor>): Record<string, StoredTensor> => ({
    ...resnet,
    [name]: { ...resnet[name], ...tensor } as StoredTensor,
  });
  for (const [what, make, says] of [
    [
      'whole numbers, as of a quantised network',
      () => changed('linear.bias', { dtype: 'I32', data: new Int32Array(10) }),
      /has linear\.bias of type I32; expected floating-point numbers/,
    ],
    [
      'negative variances',
      () => changed('bn1.running_var', { data: new Float32Array(resnet['bn1.running_var'].shape[0]).fill(-1) }),
      /has a variance of -1 in bn1\.running_var \(value 0\); expected at least 0/,
    ],
    [
      'missing where the images go in',
      () => Object.fromEntries(Object.entries(resnet).filter(([name]) => name !== 'conv1.weight')),
      /its first convolution, conv1\.weight, is missing/,
    ],
  ] as const) {
    it(`both refuse weights that are ${what}`, () =>
      withFolder(async (folder) => {
        const path = join(folder, 'net.safetensors');
        await writeFile(path, encodeSafetensors(make()));
        for (const read of [
          () => loadTarget(path, { images }),
          () => importModel(path, { out: join(folder, 'out.safetensors') }),
        ]) {
          const error = await rejection(read());
          expect(error).to.be.instanceOf(InputError);
          expect(error.message).to.match(says);
        }
      }));
  }

  for (const [what, value] of [
    ['NaN', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
  ] as const) {
    it(`both refuse weights that are ${what}`, () =>
      withFolder(async (folder) => {
        const path = join(folder, 'net.safetensors');
        const data = Float32Array.from(resnet['linear.bias'].data as Float32Array);
        data[3] = value;
        await writeFile(path, encodeSafetensors({ ...resnet, 'linear.bias': { dtype: 'F32', shape: [10], data } }));
        for (const read of [
          () => loadTarget(path, { images }),
          () => importModel(path, { out: join(folder, 'out.safetensors') }),
        ]) {
          const error = await rejection(read());
          expect(error).to.be.instanceOf(InputError);
          expect(error.message).to.contain(`has ${value} in linear.bias (value 3); expected finite weights`);
        }
      }));
  }
});
