import { readdirSync } from 'node:fs';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { formatOf } from '../../src/evaluation/formats/index.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { withFolder } from './models.ts';
import { distancesFrom, readOnnxReference } from './onnx-reference.ts';
import { encodeModel, type OnnxSketch, tensor } from './onnx-writer.ts';
import { tinyData } from './tiny.ts';

// Made by PyTorch's two exporters: scripts/onnx_reference.py --small.
const foreign = fileURLToPath(new URL('../../../test/evaluation/foreign/onnx/', import.meta.url));
const networks = readdirSync(foreign)
  .filter((name) => name.endsWith('.onnx'))
  .map((name) => basename(name, '.onnx'));

describe('an ONNX network that PyTorch exported', () => {
  before(() => useBackend('engine'));

  for (const network of networks) {
    it(`has PyTorch's logits and input gradients: ${network}`, async () => {
      const before = tf.memory().numTensors;
      const target = await loadTarget(join(foreign, `${network}.onnx`));
      const { logits, gradient } = distancesFrom(readOnnxReference(join(foreign, `${network}.json`)), target.classify);
      expect(logits).to.be.below(1e-5);
      expect(gradient).to.be.below(1e-5);
      expect(target.inputShape).to.deep.equal([12, 12, 3]);
      expect(target.classes).to.equal(5);
      expect(target.record).to.include({ format: 'onnx', checkpoint: network });
      target.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  }

  it('is asked for logits where a softmax ends it', async () => {
    const target = await loadTarget(join(foreign, 'softmax.onnx'));
    expect(target.warnings.join()).to.contain('softmax');
    target.dispose();
  });

  it('keeps a softmax at its end that is not over the classes', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'net.onnx');
      const probabilities = { op: 'Softmax', inputs: ['logits'], outputs: ['shares'], attributes: { axis: 0 } };
      const outputs = [{ name: 'shares', shape: [null, 2] }];
      await writeFile(path, encodeModel({ ...halves, outputs, nodes: [...halves.nodes, probabilities] }));
      const target = await loadTarget(path);
      expect(target.warnings.join()).not.to.contain('softmax');
      const shares = tf.tidy(() => tf.sum(target.classify(tf.zeros([3, 4, 4, 1])), 0).arraySync() as number[]);
      for (const sum of shares) expect(sum).to.be.closeTo(1, 1e-6);
      target.dispose();
    }));

  it('may take a fixed number of images, which is said', async () => {
    const target = await loadTarget(join(foreign, 'silu-fixed-batch.onnx'));
    expect(target.warnings.join()).to.contain('takes 2 images at a time');
    target.dispose();
  });
});

const weights = Float32Array.from({ length: 32 }, (_, i) => (i % 4 < 2 === i < 16 ? 1 : 0));

/** logits = W · flattened 4×4 images + b, whose rows are brightness of the left and of the right half. */
const halves: OnnxSketch = {
  opset: 17,
  inputs: [{ name: 'image', shape: [null, 1, 4, 4] }],
  outputs: [{ name: 'logits', shape: [null, 2] }],
  initializers: [
    tensor(
      'weights',
      [2, 16],
      Float32Array.from({ length: 32 }, (_, i) => (i % 4 < 2 === i < 16 ? 1 : 0)),
    ),
    tensor('bias', [2], Float32Array.of(0.25, -0.25)),
  ],
  nodes: [
    { op: 'Flatten', inputs: ['image'], outputs: ['flat'] },
    { op: 'Gemm', inputs: ['flat', 'weights', 'bias'], outputs: ['logits'], attributes: { transB: 1 } },
  ],
};

const written = <Result>(sketch: OnnxSketch, use: (path: string, folder: string) => Promise<Result>): Promise<Result> =>
  withFolder(async (folder) => {
    await writeFile(join(folder, 'net.onnx'), encodeModel(sketch));
    return use(join(folder, 'net.onnx'), folder);
  });

/** The logits of an image whose left half is 1 and whose right half is 0. */
async function logitsOf(path: string): Promise<number[]> {
  const target = await loadTarget(path);
  const image = tf.tensor4d(
    Float32Array.from({ length: 16 }, (_, i) => Number(i % 4 < 2)),
    [1, 4, 4, 1],
  );
  const logits = target.classify(image);
  const values = Array.from(logits.dataSync());
  tf.dispose([image, logits]);
  target.dispose();
  return values;
}

describe('an ONNX file', () => {
  before(() => useBackend('cpu'));

  const refused = async (sketch: OnnxSketch): Promise<string> => {
    const error = await written(sketch, (path) => rejection(loadTarget(path)));
    expect(error).to.be.instanceOf(InputError);
    return error.message;
  };

  it('is recognised by its name, and evaluated as other models are', () =>
    written(halves, async (path) => {
      expect(await formatOf(path)).to.equal('onnx');
      expect(await logitsOf(path)).to.deep.equal([8.25, -0.25]);
      const [{ clean, attacks, target }] = await evaluate(path, {
        dataset: tinyData(),
        attacks: parseAttacks('pgd-5'),
        epsilons: [0.5],
        out: false,
      });
      expect(target).to.deep.include({ format: 'onnx', checkpoint: 'net', nonzeros: 16, sparsity: 0.5 });
      expect(clean.value).to.be.above(0.5);
      expect(attacks[0].robust.value).to.equal(0);
    }));

  it('may take images with channels last, or a fixed number of them, of which the rest is filled up', async () => {
    const shapes = { 'channels last': [null, 4, 4, 1], 'two at a time': [2, 1, 4, 4] };
    for (const [name, shape] of Object.entries(shapes)) {
      await written({ ...halves, inputs: [{ name: 'image', shape }] }, async (path) => {
        expect(await logitsOf(path), name).to.deep.equal([8.25, -0.25]);
        const target = await loadTarget(path);
        expect(target.inputShape).to.deep.equal([4, 4, 1]);
        const image = tf.zeros([1, 4, 4, 1]) as Tensor4D;
        const gradient = tf.tidy(() => tf.grad((x) => tf.sum(tf.square(target.classify(x as Tensor4D))))(image));
        // 2 · logit for each weight of 1, which is each pixel's half.
        expect(Array.from(gradient.dataSync().slice(0, 4)), name).to.deep.equal([0.5, 0.5, -0.5, -0.5]);
        tf.dispose([image, gradient]);
        target.dispose();
      });
    }
  });

  for (const [what, data, list] of [
    ['a list of floats', weights, true],
    ['half precision', Uint16Array.from(weights, (value) => (value === 1 ? 0x3c00 : 0)), false],
    ['double precision', Float64Array.from(weights), false],
  ] as const) {
    it(`may keep its weights as ${what}`, () => {
      const initializers = [{ ...tensor('weights', [2, 16], data), list }, halves.initializers[1]];
      return written({ ...halves, initializers }, async (path) => {
        expect(await logitsOf(path)).to.deep.equal([8.25, -0.25]);
      });
    });
  }

  it('may keep its weights in another file of its folder, and in no other folder, by a link neither', () => {
    const apart = (location: string): OnnxSketch => ({
      ...halves,
      initializers: [
        { ...halves.initializers[0], external: { location, offset: '4', length: '128' } },
        halves.initializers[1],
      ],
    });
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(weights.buffer)]);
    return withFolder(async (folder) => {
      const models = join(folder, 'models');
      await mkdir(models);
      const path = join(models, 'net.onnx');
      const attempt = async (location: string): Promise<string> => {
        await writeFile(path, encodeModel(apart(location)));
        const error = await rejection(loadTarget(path));
        expect(error).to.be.instanceOf(InputError);
        return error.message;
      };
      await writeFile(join(folder, 'outside.bin'), bytes);
      await symlink(join(folder, 'outside.bin'), join(models, 'link.bin'));
      await symlink('/dev/zero', join(models, 'endless.bin'));
      await mkdir(join(models, 'folder.bin'));
      await writeFile(join(models, 'short.bin'), bytes.subarray(0, 100));
      expect(await attempt('../outside.bin')).to.contain('outside its folder');
      expect(await attempt(join(folder, 'outside.bin'))).to.contain('outside its folder');
      expect(await attempt('link.bin')).to.contain('outside its folder');
      expect(await attempt('endless.bin')).to.contain('outside its folder');
      expect(await attempt('folder.bin')).to.contain('it is a folder, not a file');
      expect(await attempt('missing.bin')).to.contain('which is missing');
      expect(await attempt('short.bin')).to.contain('bytes 4 to 132 of short.bin, which has 100');
      await cp(join(folder, 'outside.bin'), join(models, 'weights.bin'));
      await writeFile(path, encodeModel(apart('weights.bin')));
      expect(await logitsOf(path)).to.deep.equal([8.25, -0.25]);
    });
  });

  it('with unknown operators is refused with the names of all of them', async () => {
    const nodes = [
      { op: 'NonMaxSuppression', inputs: ['image'], outputs: ['a'], name: 'nms' },
      { op: 'FusedGelu', domain: 'com.microsoft', inputs: ['a'], outputs: ['b'] },
      { op: 'FusedGelu', domain: 'com.microsoft', inputs: ['b'], outputs: ['logits'] },
    ];
    const message = await refused({ ...halves, nodes });
    expect(message)
      .to.contain('NonMaxSuppression (nms)')
      .and.contain('com.microsoft.FusedGelu (computes b) and 1 more');
  });

  it('that gives class numbers is refused with what to do', async () => {
    const nodes = [...halves.nodes, { op: 'ArgMax', inputs: ['logits'], outputs: ['class'] }];
    const sketch = { ...halves, nodes, outputs: [{ name: 'class', shape: [null, 1] }] };
    const error = await written(sketch, (path) => rejection(logitsOf(path)));
    expect(error.message).to.contain('Export the model without ArgMax');
  });

  it('is refused where its graph does not hold together', async () => {
    expect(await refused({ ...halves, opset: 9 })).to.contain('expected operators of opset 11 to 23, got 9');
    expect(await refused({ ...halves, initializers: [] })).to.contain('nothing computes weights');
    const [flatten, gemm] = halves.nodes;
    expect(await refused({ ...halves, nodes: [{ ...flatten, inputs: ['logits'] }, gemm] })).to.contain(
      'its own output',
    );
    const twice = (name: string): string => `the value ${name} has two sources`;
    expect(await refused({ ...halves, nodes: [flatten, gemm, gemm] })).to.contain(twice('logits'));
    const hidden = { op: 'Neg', inputs: ['flat'], outputs: ['weights'] };
    expect(await refused({ ...halves, nodes: [flatten, hidden, gemm] })).to.contain(twice('weights'));
    const [one] = halves.initializers;
    expect(await refused({ ...halves, initializers: [...halves.initializers, one] })).to.contain(twice('weights'));
    const outputs = [...halves.outputs, { name: 'flat', shape: [null, 16] }];
    expect(await refused({ ...halves, outputs })).to.contain('has 1 (image) and 2 (logits, flat)');
    const [stored, bias] = halves.initializers;
    const larger = { ...stored, shape: [2, 2 ** 40] };
    expect(await refused({ ...halves, initializers: [larger, bias] })).to.contain('expected a shape of at most');
    const other = { ...stored, shape: [2, 17] };
    expect(await refused({ ...halves, initializers: [other, bias] })).to.contain('has 136 bytes; the file holds 128');
  });

  it('that is a device, which never ends, is refused', () =>
    withFolder(async (folder) => {
      await symlink('/dev/zero', join(folder, 'net.onnx'));
      expect((await rejection(loadTarget(join(folder, 'net.onnx')))).message).to.contain('neither a file nor a folder');
    }));

  it('is refused where a byte is missing or it is none', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'net.onnx');
      const bytes = await readFile(join(foreign, 'softmax.onnx'));
      for (const part of [
        bytes.subarray(0, -1),
        bytes.subarray(0, 100),
        bytes.subarray(0, 0),
        Buffer.from('PK\x03\x04'),
      ]) {
        await writeFile(path, part);
        const error = await rejection(loadTarget(path));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.contain('cannot be read as an ONNX model');
      }
    }));
});
