// Models that are valid but awkward: fixed batch sizes, one output, backends without gradients of weights, other layouts,
// and formats of other frameworks.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { input as inputOf, layers, model, type SymbolicTensor, sequential } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { crossEntropy, lossGradient } from '../../attacks/index.ts';
import { InputError } from '../../src/core/errors.ts';
import { seedKey, uniform } from '../../src/core/key.ts';
import type { Dataset } from '../../src/data/types.ts';
import { checkFit } from '../../src/evaluation/targets/loading.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { graphLogits, saveGraphModel, saveLayersModel, withFolder } from './models.ts';

const images = { name: 'digits', imageShape: [4, 4, 1], classes: ['a', 'b'] } as const;
const batchOf = (count: number) => tf.tensor4d(uniform(seedKey(3), count * 16), [count, 4, 4, 1]);

/** Closeness of two tensors, by the largest difference. */
const difference = (a: tf.Tensor, b: tf.Tensor): number => tf.tidy(() => tf.max(tf.abs(tf.sub(a, b))).dataSync()[0]);

describe('an awkward model', () => {
  before(() => useBackend('cpu'));

  for (const batch of [1, 8]) {
    for (const count of [1, 3, 8, 10]) {
      it(`of a GraphModel that takes ${batch} images is given ${count}, with gradients`, () =>
        withFolder(async (folder) => {
          await saveGraphModel(folder, { batch, ending: 'softmax' });
          const target = await loadTarget(folder, { images });
          const before = tf.memory().numTensors;
          const pixels = batchOf(count);
          const logits = target.classify(pixels);
          const expected = graphLogits(pixels);
          expect(difference(logits, expected)).to.be.below(1e-5);
          const labels = tf.ones([count], 'int32') as tf.Tensor1D;
          const goal = { kind: 'untargeted', labels } as const;
          const found = lossGradient(target.classify, crossEntropy, goal, pixels);
          const wanted = lossGradient((x) => graphLogits(x), crossEntropy, goal, pixels);
          expect(difference(found.gradient, wanted.gradient)).to.be.below(1e-5);
          tf.dispose([pixels, logits, expected, labels, Object.values(found), Object.values(wanted)]);
          expect(tf.memory().numTensors).to.equal(before);
          target.dispose();
        }));
    }
  }

  const convolutional = () =>
    sequential({
      layers: [
        layers.conv2d({ inputShape: [4, 4, 1], filters: 3, kernelSize: 3, padding: 'same' }),
        layers.conv2d({ filters: 3, kernelSize: 3, activation: 'relu', useBias: false }),
        layers.flatten(),
        layers.dense({ units: 2, activation: 'softmax' }),
      ],
    });

  for (const [kind, save] of Object.entries({
    LayersModel: (folder: string) => saveLayersModel(convolutional(), folder),
    GraphModel: (folder: string) => saveGraphModel(folder, { fused: true }),
  })) {
    it(`has gradients as a ${kind} where the backend has none for weights of convolutions`, () =>
      withFolder(async (folder) => {
        await save(folder);
        const target = await loadTarget(folder, { images });
        const pixels = batchOf(3);
        const goal = { kind: 'untargeted', labels: tf.zeros([3], 'int32') as tf.Tensor1D } as const;
        const loss = (x: tf.Tensor4D) => tf.tidy(() => tf.sum(crossEntropy(target.classify(x), goal)).dataSync()[0]);
        const kernel = tf.getKernel('Conv2DBackpropFilter', 'cpu');
        tf.unregisterKernel('Conv2DBackpropFilter', 'cpu');
        try {
          const { gradient } = lossGradient(target.classify, crossEntropy, goal, pixels);
          const step = tf.mul(gradient, 1e-2);
          const slope = tf.sum(tf.mul(gradient, step)).dataSync()[0] * 2;
          const rise = loss(tf.add(pixels, step)) - loss(tf.sub(pixels, step));
          expect(rise).to.be.closeTo(slope, 0.02 * Math.abs(slope) + 1e-6);
          expect(slope).to.be.above(0);
        } finally {
          tf.registerKernel(kernel);
          target.dispose();
        }
      }));
  }

  it('with one output is told what it needs', () =>
    withFolder(async (folder) => {
      const one = sequential({
        layers: [layers.flatten({ inputShape: [4, 4, 1] }), layers.dense({ units: 1, activation: 'sigmoid' })],
      });
      await saveLayersModel(one, folder);
      const error = await rejection(loadTarget(folder, { images }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.match(/has one output.*\[0, z\].*--module/s)
        .and.to.contain('tf.concat([tf.zerosLike(z), z], 1)');
    }));

  const colour = {
    ...images,
    imageShape: [4, 6, 3],
    test: { count: 1, images: new Uint8Array(72), labels: Uint8Array.of(0) },
  } as unknown as Dataset;
  it('that keeps a state between images is refused', () =>
    withFolder(async (folder) => {
      const recurrent = (stateful: boolean) =>
        sequential({
          layers: [
            layers.reshape({ batchInputShape: [1, 4, 4, 1], targetShape: [4, 4] }),
            layers.bidirectional({
              layer: layers.simpleRNN({ units: 2, stateful, recurrentInitializer: 'zeros', name: 'memory' }) as never,
              mergeMode: 'sum',
            }),
          ],
        });
      await saveLayersModel(recurrent(true), folder);
      const error = await rejection(loadTarget(folder, { images }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/The layer \w*memory of .* is stateful.*stateful=False/);
      await saveLayersModel(recurrent(false), folder);
      (await loadTarget(folder, { images })).dispose();
    }));

  it('that Keras runs in training mode is told that TensorFlow.js does not', () =>
    withFolder(async (folder) => {
      const input = inputOf({ shape: [4, 4, 1] });
      for (const [training, notes] of [
        [true, /^Its layer noisy is called with training=True, which TensorFlow\.js leaves out/],
        [false, /^$/],
      ] as const) {
        const dropped = layers.dropout({ rate: 0.5, name: 'noisy' }).apply(layers.flatten().apply(input), { training });
        const outputs = layers.dense({ units: 2 }).apply(dropped) as SymbolicTensor;
        await saveLayersModel(model({ inputs: input, outputs }), folder);
        const target = await loadTarget(folder, { images });
        expect(target.warnings.join('\n')).to.match(notes);
        target.dispose();
      }
    }));

  it('in the other layout is told so, and else is not', () =>
    withFolder(async (folder) => {
      for (const [name, shape, says] of [
        ['first', [3, 4, 6], /Give --layout=nchw\.$/],
        ['other', [5, 5, 5], /Wrap it with --module\.$/],
      ] as const) {
        const file = join(folder, `${name}.mjs`);
        await writeFile(
          file,
          `export const load = (tf) => (images) => tf.slice(tf.reshape(images, [images.shape[0], ${shape.join(' * ')}]), 0, [-1, 2]) && (() => { if (String(images.shape.slice(1)) !== '${shape}') throw new Error('shape'); return tf.ones([images.shape[0], 2]); })();`,
        );
        const target = await loadTarget({ path: file, format: 'module' }, { images: colour });
        const error = await rejection(checkFit(target, colour));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(says);
      }
    }));

  for (const [kind, save] of Object.entries({
    LayersModel: async (folder: string, bytes: boolean) => {
      const model = sequential({
        layers: [
          layers.inputLayer({ inputShape: [4, 4, 1] }),
          layers.rescaling({ scale: 1 / 255 }),
          layers.flatten(),
          layers.dense({ units: 2, activation: 'softmax' }),
        ],
      });
      model.setWeights([tf.tensor2d(uniform(seedKey(4), 32, -1, 1), [16, 2]), tf.zeros([2])]);
      await saveLayersModel(model, folder);
      if (!bytes) return;
      const path = join(folder, 'model.json');
      const json = await readFile(path, 'utf8');
      await writeFile(path, json.replace('"dtype":"float32"', '"dtype":"uint8"'));
    },
    GraphModel: (folder: string, bytes: boolean) => saveGraphModel(folder, { bytes }),
  })) {
    it(`that takes bytes gives a ${kind} the gradients of one of floats`, () =>
      withFolder(async (folder) => {
        const found = [];
        for (const bytes of [false, true]) {
          const path = join(folder, String(bytes));
          await save(path, bytes);
          const target = await loadTarget(path, { images, preprocessing: { bounds: [0, 255] } });
          expect(target.warnings.some((note) => /It takes bytes: give --bounds=0,255/.test(note))).to.equal(bytes);
          const goal = { kind: 'untargeted', labels: tf.zeros([3], 'int32') as tf.Tensor1D } as const;
          found.push(lossGradient(target.classify, crossEntropy, goal, batchOf(3)));
          target.dispose();
        }
        const [floats, bytes] = found;
        expect(difference(bytes.logits, floats.logits)).to.be.below(1e-5);
        expect(difference(bytes.gradient, floats.gradient)).to.be.below(1e-5);
        expect(difference(bytes.gradient, tf.zerosLike(bytes.gradient))).to.be.above(1e-4);
      }));
  }

  it('of another number of channels or another size is told what to do', () =>
    withFolder(async (folder) => {
      const net = (inputShape: (number | null)[]) =>
        sequential({
          layers: [
            layers.conv2d({ inputShape, filters: 2, kernelSize: 3 }),
            layers.globalAveragePooling2d({}),
            layers.dense({ units: 2 }),
          ],
        });
      const setOf = (name: string, imageShape: readonly number[]): Dataset => ({
        ...(colour as Dataset),
        name,
        imageShape: imageShape as unknown as Dataset['imageShape'],
        test: { count: 1, images: new Uint8Array(300), labels: Uint8Array.of(0) },
      });
      const cases: readonly (readonly [(number | null)[], Dataset, RegExp])[] = [
        [[8, 8, 3], setOf('digits', [8, 8, 1]), /on images of 3 channels; or, .* --module, as .*tf\.tile\(images/],
        [[8, 8, 1], setOf('photos', [8, 8, 3]), /on images of 1 channel; or, .*tf\.image\.rgbToGrayscale\(images/],
        [
          [null, null, 3],
          setOf('digits', [8, 8, 1]),
          /cannot take an image of digits, .*got shape.*images of 3 channels/,
        ],
        [[null, null, 5], setOf('digits', [8, 8, 1]), /cannot take an image of digits, .*Wrap it with --module\.$/],
        [[6, 9, 1], setOf('folder', [8, 8, 1]), /equipoise data prepare FOLDER --size 9x6 --out FOLDER\.$/],
        [[6, 6, 1], setOf('digits', [8, 8, 1]), /Evaluate it on the data set it was trained on\.$/],
      ];
      for (const [i, [inputShape, dataset, says]] of cases.entries()) {
        const path = join(folder, String(i));
        await saveLayersModel(net(inputShape), path);
        const target = await loadTarget(path, { images: dataset });
        const error = await rejection(checkFit(target, dataset));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(says);
        target.dispose();
      }
    }));

  const zip = (name: string) => {
    const header = Buffer.alloc(30);
    header.set([0x50, 0x4b, 0x03, 0x04]);
    header.writeUInt16LE(name.length, 26);
    return Buffer.concat([header, Buffer.from(name), Buffer.alloc(100)]);
  };
  const files: readonly (readonly [string, Buffer, RegExp])[] = [
    [
      'net.keras',
      zip('metadata.json'),
      /is an archive of Keras.*export.*tensorflowjs_converter --input_format=tf_saved_model/s,
    ],
    ['renamed', zip('config.json'), /is an archive of Keras/],
    ["bob's net.keras", zip('metadata.json'), /^python -c 'import keras; .*bob'\\''s net\.keras"\)/m],
    ['net.weights.h5', Buffer.from('\x89HDF\r\n'), /holds the weights.*load_weights\(.*export\("net-saved-model"\)/s],
    ['net.tflite', Buffer.from('x'), /TensorFlow Lite.*tf2onnx\.convert --opset 17 --tflite .*--output net\.onnx/s],
    ['flat', Buffer.from('\x1c\0\0\0TFL3'), /TensorFlow Lite/],
    ['net.h5', Buffer.from('\x89HDF\r\n'), /is an HDF5 file.*tensorflowjs_converter --input_format=keras/s],
    ['weights.hdf5', Buffer.from('x'), /is an HDF5 file/],
    ['saved_model.pb', Buffer.from('x'), /is a SavedModel.*tensorflowjs_converter --input_format=tf_saved_model/s],
    ['net.zip', zip('archive/data.pkl'), /is a pickle/],
    ['net.npz', zip('arr_0.npy'), /is no model that Equipoise knows/],
  ];
  for (const [name, bytes, says] of files) {
    it(`in the file ${name} is refused with what to do`, () =>
      withFolder(async (folder) => {
        await writeFile(join(folder, name), bytes);
        const error = await rejection(loadTarget(join(folder, name), { images }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(says);
      }));
  }

  it('in a folder of TensorFlow is refused with the lines that convert it', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'saved');
      await mkdir(path);
      await writeFile(join(path, 'saved_model.pb'), 'x');
      const error = await rejection(loadTarget(path, { images }));
      expect(error.message).to.contain(`tfjs_graph_model ${path} saved-tfjs`);
    }));
});
