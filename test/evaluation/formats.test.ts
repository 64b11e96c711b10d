import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { floatsOf } from '../../src/checkpoints/safetensors/floats.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../src/checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../src/core/errors.ts';
import { seedKey } from '../../src/core/key.ts';
import { batchImages } from '../../src/data/batch.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { exportModel } from '../../src/evaluation/export.ts';
import { formatOf } from '../../src/evaluation/formats/index.ts';
import { type LoadOptions, loadTarget, modelFiles } from '../../src/evaluation/targets/target.ts';
import { apply, init } from '../../src/models/init.ts';
import { buildModel } from '../../src/models/models.ts';
import { pytorchTensors, toPytorch } from '../../src/models/pytorch.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import {
  goldenImages,
  graphLogits,
  halvesLayersModel,
  pytorchFile,
  pytorchLogits,
  saveGraphModel,
  saveLayersModel,
  smallLayersModel,
  withFolder,
} from './models.ts';
import { tinyData, withRun } from './tiny.ts';

const images = goldenImages();
const digits = tinyData();

/** The largest difference of two tensors' values; both are disposed. */
function difference(a: tf.Tensor, b: tf.Tensor): number {
  const [x, y] = [a.dataSync(), b.dataSync()];
  expect(a.shape).to.deep.equal(b.shape);
  tf.dispose([a, b]);
  return Math.max(...Array.from(x, (value, i) => Math.abs(value - y[i])));
}

async function logitsAt(source: string, options: LoadOptions, batch: Tensor4D): Promise<tf.Tensor> {
  const target = await loadTarget(source, options);
  try {
    return target.classify(batch);
  } finally {
    target.dispose();
  }
}

describe('weights of PyTorch', () => {
  before(() => useBackend('cpu'));

  for (const [network, model, sparsity] of [
    ['vgg16', 'vgg16', 0],
    ['resnet18', 'resnet18', 0],
    ['wrn10_1', 'wrn-10-1', 0],
    ['preactresnet18', 'preactresnet18', 0],
  ] as const) {
    it(`of ${network}, saved by PyTorch, give PyTorch's logits, and leave no tensor behind`, async () => {
      const before = tf.memory().numTensors;
      const batch = batchImages(images.test, [0, 1, 2, 3, 4, 5, 6, 7], [32, 32, 3]);
      const logits = await logitsAt(pytorchFile(network), { images }, batch);
      expect(difference(logits, pytorchLogits(network))).to.be.below(1e-4);
      const target = await loadTarget(pytorchFile(network), { images });
      expect(target.warnings.join()).to.contain(`read as a ${model}`);
      expect(target).to.deep.include({ inputShape: [32, 32, 3], classes: 10, trainedOn: null });
      expect(target.record).to.deep.include({ format: 'pytorch', checkpoint: network, sparsity, epoch: null });
      target.dispose();
      batch.dispose();
      expect(tf.memory().numTensors).to.equal(before);
    });
  }

  /** The ResNet with other names, shapes or values of its entries, in a file. */
  const changed = <Result>(
    change: (tensors: Record<string, StoredTensor>) => Record<string, StoredTensor>,
    use: (path: string, folder: string) => Promise<Result>,
    network = 'resnet18',
  ): Promise<Result> =>
    withFolder(async (folder) => {
      const { tensors } = decodeSafetensors(await readFile(pytorchFile(network)));
      await writeFile(join(folder, 'net.safetensors'), encodeSafetensors(change({ ...tensors })));
      return use(join(folder, 'net.safetensors'), folder);
    });

  const renaming = (pattern: RegExp, to: string) => (tensors: Record<string, StoredTensor>) =>
    Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name.replace(pattern, to), tensor]));

  const expectGolden = async (path: string, options: LoadOptions = {}, network = 'resnet18', tolerance = 1e-4) => {
    const batch = batchImages(images.test, [0, 1, 2, 3, 4, 5, 6, 7], [32, 32, 3]);
    const logits = await logitsAt(path, { images, ...options }, batch);
    batch.dispose();
    expect(difference(logits, pytorchLogits(network))).to.be.below(tolerance);
  };

  it('may be named as torchvision does, below a wrapper and with its normalisation beside them', () =>
    changed(
      (tensors) => ({
        ...renaming(/^/, '1.')(renaming(/^linear/, 'fc')(renaming(/shortcut/, 'downsample')(tensors))),
        '0.mean': { dtype: 'F32', shape: [1, 3, 1, 1], data: Float32Array.of(0.5, 0.4, 0.3) },
      }),
      async (path) => {
        await expectGolden(path);
        const target = await loadTarget(path, { images });
        expect(target.warnings.join()).to.contain('It holds 0.mean = 0.5,0.4,0.3').and.contain('--mean');
        target.dispose();
      },
    ));

  it('of a pre-activation ResNet without its last norm are told from those of a ResNet', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'net.safetensors');
      const { tensors } = decodeSafetensors(await readFile(pytorchFile('preactresnet18')));
      const left = Object.entries(tensors).filter(([name]) => !name.startsWith('bn.'));
      await writeFile(path, encodeSafetensors(Object.fromEntries(left)));
      const error = await rejection(loadTarget(path, { images }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/pre-activation ResNet without a last norm.*--names; else export.*ONNX/);
    }));

  it('may have other names that a file explains', () =>
    changed(renaming(/^layer(\d)\.(\d)\.conv(\d)/, 'stages.$1.$2.c.$3'), async (path, folder) => {
      const names = join(folder, 'names.yaml');
      await writeFile(names, 'stages.*.*.c.*: layer*.*.conv*\n');
      await expectGolden(path, { names });
      const error = await rejection(loadTarget(path, { images }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain('no network that Equipoise knows').and.contain('--names');
    }));

  it('may not have names without end, nor a file of names without end', () =>
    changed(renaming(/^layer(\d)\.(\d)\.conv(\d)/, 'stages.$1.$2.c.$3'), async (path, folder) => {
      const names = join(folder, 'names.json');
      for (const key of ['*'.repeat(100_000), 'a'.repeat(100_000), '*a'.repeat(50_000)]) {
        await writeFile(names, JSON.stringify({ [key]: 'conv1' }));
        const error = await rejection(loadTarget(path, { images, names }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message.length).to.be.below(2000);
      }
      const endless = await rejection(loadTarget(path, { images, names: '/dev/zero' }));
      expect(endless.message).to.match(/--names .*\/dev\/zero/);
    }));

  it('may be stored in half precision', async () => {
    const half = (value: number): number => {
      const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
      return (bits >>> 16) & 0xffff;
    };
    await changed(
      (tensors) =>
        Object.fromEntries(
          Object.entries(tensors).map(([name, tensor]) =>
            tensor.dtype === 'F32'
              ? [name, { dtype: 'BF16', shape: tensor.shape, data: Uint16Array.from(tensor.data, half) }]
              : [name, tensor],
          ),
        ),
      (path) => expectGolden(path, {}, 'resnet18', 0.3),
    );
    // 1, −2, the largest, the smallest normal, the smallest, and 2/3 rounded.
    const data = Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x3955);
    expect([...floatsOf({ dtype: 'F16', shape: [6], data })]).to.deep.equal([
      1,
      -2,
      65504,
      2 ** -14,
      2 ** -24,
      0.66650390625,
    ]);
  });

  it('are stored sparse where most are 0', () =>
    changed(
      (tensors) =>
        Object.fromEntries(
          Object.entries(tensors).map(([name, tensor]) => [
            name,
            tensor.dtype === 'F32' && tensor.shape.length === 4
              ? { ...tensor, data: tensor.data.map((value, i) => (i % 10 === 0 ? value : 0)) }
              : tensor,
          ]),
        ),
      async (path) => {
        const target = await loadTarget(path, { images });
        expect(target.record.sparsity).to.be.within(0.88, 0.9);
        expect(target.record.flops).to.be.above(target.record.nonzeros ?? 0);
        target.dispose();
      },
    ));

  const wrong: [string, (tensors: Record<string, StoredTensor>) => Record<string, StoredTensor>, RegExp][] = [
    [
      'a stem of 5×5',
      (t) => ({ ...t, 'conv1.weight': { dtype: 'F32', shape: [4, 3, 5, 5], data: new Float32Array(300) } }),
      /convolution of 5×5; Equipoise knows .*--module/,
    ],
    [
      'weights left over',
      (t) => ({ ...t, 'layer1.0.extra.weight': { dtype: 'F32', shape: [1], data: Float32Array.of(1) } }),
      /looks like a resnet18 but also has layer1\.0\.extra\.weight/,
    ],
    [
      'weights missing',
      ({ 'layer3.1.bn2.running_var': _, ...t }) => t,
      /looks like a resnet18 but has no layer3\.1\.bn2\.running_var \[16\].*--names/,
    ],
    [
      'weights of another shape',
      (t) => ({ ...t, 'layer3.1.bn2.bias': { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } }),
      /whose layer3\.1\.bn2\.bias is \[16\]; it has \[2\]/,
    ],
    [
      'stages of unknown depth',
      (t) => Object.fromEntries(Object.entries(t).filter(([name]) => !name.startsWith('layer4.1'))),
      /stages of 2, 2, 2, 1 is none of resnet18/,
    ],
  ];
  for (const [what, change, message] of wrong) {
    it(`with ${what} are refused`, () =>
      changed(change, async (path) => {
        const error = await rejection(loadTarget(path, { images }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      }));
  }

  it('need a data set to be named, and of a VGG images of the size it was trained on', async () => {
    const error = await rejection(loadTarget(pytorchFile('vgg16')));
    expect(error.message).to.contain('name a data set with --dataset');
    const small = { ...images, imageShape: [48, 48, 3] as const };
    expect((await rejection(loadTarget(pytorchFile('vgg16'), { images: small }))).message).to.contain('64 features');
  });

  it('of our own small networks follow PyTorch in flattening', () =>
    withFolder(async (folder) => {
      const program = buildModel('cnn', { inputShape: [32, 32, 3], classes: 10, width: 1 / 16 });
      const { params, state } = init(program, seedKey(3));
      const stored = pytorchTensors(program).map(({ name, key, layout }): [string, StoredTensor] => {
        const values = ((params[name] ?? state[name]) as tf.Tensor).dataSync() as Float32Array;
        return [key, { dtype: 'F32', shape: layout.shape, data: toPytorch(values, layout) }];
      });
      const path = join(folder, 'cnn.safetensors');
      await writeFile(path, encodeSafetensors(Object.fromEntries(stored)));
      const batch = batchImages(images.test, [0, 1], [32, 32, 3]);
      const { logits } = apply(program, params, state, batch, { training: false });
      expect(difference(await logitsAt(path, { images }, batch), logits)).to.be.below(1e-6);
      tf.dispose([batch, ...Object.values(state), ...(Object.values(params) as tf.Tensor[])]);
    }));
});

describe('a LayersModel in a folder', () => {
  before(() => useBackend('cpu'));

  for (const ending of [undefined, 'softmax', 'sigmoid'] as const) {
    it(`gives its logits${ending ? ` without the ${ending} that ends it` : ''}, and leaves no tensor behind`, () =>
      withFolder(async (folder) => {
        const before = tf.memory().numTensors;
        const model = smallLayersModel({ ending, inputShape: [4, 4, 1] });
        const plain = smallLayersModel({ inputShape: [4, 4, 1] });
        const path = join(folder, 'mine');
        await saveLayersModel(model, path);
        const batch = batchImages(digits.test, [3, 30], [4, 4, 1]);
        const expected = plain.apply(batch, { training: false }) as tf.Tensor;
        for (const source of [path, join(path, 'model.json')]) {
          expect(await formatOf(source)).to.equal('layers-model');
          const target = await loadTarget(source, { images: digits });
          expect(target.warnings.join()).to.contain(ending ? `The ${ending} that ends it was taken off` : '');
          expect(target.warnings).to.have.length(ending ? 1 : 0);
          expect(target).to.deep.include({ inputShape: [4, 4, 1], classes: 2 });
          expect(target.record).to.deep.include({ checkpoint: 'mine', sparsity: 0, nonzeros: 3 * 3 * 4 + 16 * 2 });
          expect(difference(target.classify(batch), tf.clone(expected))).to.be.below(1e-6);
          target.dispose();
        }
        tf.dispose([batch, expected]);
        model.dispose();
        plain.dispose();
        expect(tf.memory().numTensors).to.equal(before);
      }));
  }

  it('may take vectors, or images without channels', () =>
    withFolder(async (folder) => {
      for (const inputShape of [[16], [4, 4]]) {
        const flatten = inputShape.length > 1 ? [layers.flatten({ inputShape })] : [];
        const model = sequential({
          layers: [...flatten, layers.dense({ units: 2, ...(flatten.length ? {} : { inputShape }) })],
        });
        await saveLayersModel(model, folder);
        const batch = batchImages(digits.test, [1, 2, 3], [4, 4, 1]);
        const expected = model.apply(tf.reshape(batch, [3, ...inputShape])) as tf.Tensor;
        expect(difference(await logitsAt(folder, { images: digits }, batch), expected)).to.equal(0);
        batch.dispose();
      }
    }));

  it('is evaluated and attacked as any model', () =>
    withFolder(async (folder) => {
      const model = halvesLayersModel();
      await saveLayersModel(model, folder);
      model.dispose();
      const out = join(folder, 'evaluation.json');
      const before = tf.memory().numTensors;
      const [{ clean, attacks, alarms }] = await evaluate(folder, {
        dataset: digits,
        attacks: parseAttacks('pgd-5'),
        epsilons: [0.05, 0.1],
        out,
      });
      expect(tf.memory().numTensors).to.equal(before);
      expect(clean.value).to.equal(1);
      // The model is linear: an image falls where ε exceeds half the difference of its halves.
      const margins = Array.from({ length: 40 }, (_, i) => {
        const pixels = digits.test.images.subarray(16 * i, 16 * i + 16);
        const signed = pixels.reduce((sum, pixel, p) => sum + (p % 4 < 2 ? pixel : -pixel), 0) / 255 / 16;
        return digits.test.labels[i] === 0 ? signed : -signed;
      });
      for (const { epsilon, robust, inputGradients } of attacks) {
        expect(robust.correct).to.equal(margins.filter((margin) => margin > epsilon).length);
        expect(inputGradients).to.be.above(0);
      }
      expect(alarms.find(({ name }) => name.startsWith('probabilities'))?.status).to.equal('ok');
      const { evaluations } = JSON.parse(await readFile(out, 'utf8'));
      expect(evaluations[0].target.format).to.equal('layers-model');
    }));

  const wrong: [string, (folder: string) => Promise<unknown>, RegExp][] = [
    [
      'weights missing',
      (f) => rm(join(f, 'group1-shard2of2.bin')),
      /names the file group1-shard2of2\.bin, which is missing/,
    ],
    [
      'weights cut off',
      (f) => writeFile(join(f, 'group1-shard2of2.bin'), 'x'),
      /names weights of \d+ bytes; .* hold \d+/,
    ],
    ['weights too long', (f) => appendFile(join(f, 'group1-shard2of2.bin'), 'x'), /names weights of \d+ bytes/],
    ['a model.json cut off', (f) => writeFile(join(f, 'model.json'), '{"format"'), /model\.json is no JSON/],
    [
      'a layer that tfjs-layers does not know',
      async (f) => {
        const json = await readFile(join(f, 'model.json'), 'utf8');
        await writeFile(join(f, 'model.json'), json.replace('"BatchNormalization"', '"Mystery"'));
      },
      /cannot be built by tfjs-layers: Unknown layer: Mystery\. If .*--module/,
    ],
    [
      'layers that do not fit each other',
      async (f) => {
        const json = await readFile(join(f, 'model.json'), 'utf8');
        await writeFile(join(f, 'model.json'), json.replace('"BatchNormalization"', '"Flatten"'));
      },
      /cannot be built by tfjs-layers: .* found ndim=2\. If .*--module/,
    ],
    [
      'the layers of Keras 3',
      async (f) => {
        const { modelTopology, ...json } = JSON.parse(await readFile(join(f, 'model.json'), 'utf8'));
        const topology = JSON.stringify({ ...modelTopology, keras_version: '3.5.0' });
        const renamed = JSON.parse(topology.replaceAll('batch_input_shape', 'batch_shape'));
        await writeFile(join(f, 'model.json'), JSON.stringify({ ...json, modelTopology: renamed }));
      },
      /Keras 3\.5\.0 wrote it, .*GraphModel/,
    ],
  ];
  for (const [what, damage, message] of wrong) {
    it(`with ${what} is refused`, () =>
      withFolder(async (folder) => {
        await saveLayersModel(smallLayersModel({ inputShape: [4, 4, 1] }), folder);
        await damage(folder);
        const error = await rejection(loadTarget(folder, { images: digits }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      }));
  }
});

describe('a GraphModel in a folder', () => {
  before(() => useBackend('cpu'));

  for (const ending of [undefined, 'softmax', 'sigmoid'] as const) {
    it(`gives its logits${ending ? ` without the ${ending} that ends it` : ''}, and can be attacked`, () =>
      withFolder(async (folder) => {
        const before = tf.memory().numTensors;
        await saveGraphModel(folder, { ending });
        expect(await formatOf(folder)).to.equal('graph-model');
        const target = await loadTarget(folder, { images: digits });
        const batch = batchImages(digits.test, [0, 5, 9], [4, 4, 1]);
        expect(difference(target.classify(batch), graphLogits(batch))).to.be.below(1e-6);
        expect(target.warnings.join()).to.contain(ending ? `The ${ending} that ends it was taken off` : '');
        expect(target.record).to.deep.include({ format: 'graph-model', nonzeros: 36 + 8, sparsity: 0, flops: null });
        batch.dispose();
        target.dispose();
        expect(tf.memory().numTensors).to.equal(before);
        const [evaluation] = await evaluate(folder, {
          dataset: digits,
          attacks: parseAttacks('pgd-5'),
          epsilons: [0.3],
          out: false,
        });
        expect(evaluation.attacks[0].inputGradients).to.be.above(0);
        expect(evaluation.alarms.find(({ name }) => name === 'zero gradients')?.status).to.equal('ok');
        expect(tf.memory().numTensors).to.equal(before);
      }));
  }
});

describe('a module that exports a classifier', () => {
  before(() => useBackend('cpu'));

  const twoPixels = '(x) => tf.slice(tf.reshape(x, [-1, 16]), [0, 0], [-1, 2])';
  const texts: [string, string][] = [
    ['a function', `export const load = (tf) => ${twoPixels};`],
    ['a promise of one', `export const load = async (tf) => ${twoPixels};`],
    ['a model with apply', `export const load = (tf) => ({ apply: ${twoPixels} });`],
    ['a function that needs no more', 'export const classifier = globalThis.twoPixels;'],
  ];
  for (const [what, text] of texts) {
    it(`as ${what} is run where --module names it`, () =>
      withFolder(async (folder) => {
        const module = join(folder, 'mine.mjs');
        await writeFile(module, text);
        const twoOf = (x: tf.Tensor) => tf.slice(tf.reshape(x, [-1, 16]), [0, 0], [-1, 2]);
        Object.assign(globalThis, { twoPixels: twoOf });
        const [file] = await modelFiles({ module });
        const target = await loadTarget(file, { images: digits });
        expect(target.warnings.join()).to.contain('was run');
        const batch = batchImages(digits.test, [0, 5], [4, 4, 1]);
        expect(difference(target.classify(batch), twoOf(batch))).to.equal(0);
        batch.dispose();
      }));
  }

  const refused: [string, string | null, RegExp][] = [
    ['no classifier', 'export const model = 1;', /must export classifier.*it exports model/],
    ['a fault', 'throw new Error("broken");', /failed when it was run: broken/],
    ['a fault in load', 'export const load = () => { throw "broken"; };', /failed when it was run: broken/],
    [
      'no promise kept',
      'export const load = () => Promise.reject(new TypeError("broken"));',
      /when it was run: broken/,
    ],
    ['no file', null, /there is no .*mine\.mjs/],
  ];
  for (const [what, text, message] of refused) {
    it(`with ${what} is refused`, () =>
      withFolder(async (folder) => {
        const module = join(folder, 'mine.mjs');
        if (text !== null) await writeFile(module, text);
        const [file] = await modelFiles({ module });
        const error = await rejection(loadTarget(file, { images: digits }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      }));
  }

  it('that fails on more than one image, as it answers, is told by name', () =>
    withFolder(async (folder) => {
      for (const [thrown, said] of [
        ['new RangeError("broken")', 'broken'],
        ['undefined', 'undefined'],
      ]) {
        const module = join(folder, `${said}.mjs`);
        await writeFile(
          module,
          `export const load = (tf) => (x) => { if (x.shape[0] > 1) throw ${thrown}; return tf.ones([1, 2]); };`,
        );
        const error = await rejection(
          evaluate({ module }, { dataset: digits, attacks: parseAttacks('fgsm'), epsilons: [0.1], out: false }),
        );
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(
          new RegExp(`model of ${said}\\.mjs failed on images \\[\\d+, 4, 4, 1\\]: ${said}`),
        );
      }
    }));

  it('is never run where a path only leads to it', () =>
    withFolder(async (folder) => {
      const path = join(folder, 'mine.mjs');
      await writeFile(path, 'globalThis.ranUnasked = true; export const classifier = () => 0;');
      const error = await rejection(loadTarget(path, { images: digits }));
      expect(error.message).to.contain('--module');
      expect(globalThis).to.not.have.property('ranUnasked');
    }));
});

describe('other files', () => {
  it('of torch.save are refused with the lines that convert them', () =>
    withFolder(async (folder) => {
      for (const [name, head] of [
        ['net.pt', 'PK\u0003\u0004archive'],
        ['net.pth', '\u0080\u0002}'],
        ['weights.bin', `PK\u0003\u0004${'\0'.repeat(22)}\u0010\0\0\0archive/data.pkl`],
      ]) {
        const path = join(folder, name);
        await writeFile(path, Buffer.from(head, 'latin1'));
        const error = await rejection(loadTarget(path, { images }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message)
          .to.contain('weights_only=True')
          .and.contain(`torch.load("${path}"`)
          .and.contain(`save_file(tensors, "${name.replace(/\..*/, '.safetensors')}")`);
      }
    }));

  it('of no known kind are refused with the list of what is known', () =>
    withFolder(async (folder) => {
      await writeFile(join(folder, 'notes.txt'), 'nothing of the kind');
      const error = await rejection(loadTarget(join(folder, 'notes.txt')));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message)
        .to.contain('no model that Equipoise knows')
        .and.match(/\n {2}a folder .* GraphModel\n/);
      expect(error.message).not.to.contain('.pt');
      await mkdir(join(folder, 'empty'));
      expect((await rejection(modelFiles(join(folder, 'empty')))).message).to.contain('holds no checkpoints');
    }));
});

describe('what was exported', () => {
  before(() => useBackend('cpu'));

  for (const [to, name, format] of [
    ['pytorch', 'net.safetensors', 'exported'],
    ['layers', 'net', 'layers-model'],
    ['compact', 'net.safetensors', 'checkpoint'],
  ] as const) {
    it(`to ${to} says what it was trained on and against, and gives the logits of its checkpoint`, () =>
      withRun(async (folder) => {
        const source = join(folder, 'checkpoints', 'best.safetensors');
        const out = join(folder, name);
        await exportModel(source, { to, out });
        expect(await formatOf(out)).to.equal(format);
        const [target, original] = [await loadTarget(out), await loadTarget(source)];
        expect(target.trainedOn).to.deep.equal({ name: 'synthetic', sha256: null });
        expect(target.threat).to.deep.equal({ norm: 'linf', epsilon: 0.1 });
        expect(target.record.sparsity).to.equal(original.record.sparsity);
        const batch = batchImages(digits.test, [0, 7, 30], [4, 4, 1]);
        expect(difference(target.classify(batch), original.classify(batch))).to.be.below(1e-6);
        batch.dispose();
        target.dispose();
        original.dispose();
      }));
  }
});

describe('a damaged checkpoint', () => {
  before(() => useBackend('cpu'));

  it('is replaced by the one before it, whose SHA-256 is then recorded', () =>
    withRun(async (folder) => {
      const path = join(folder, 'checkpoints', 'best.safetensors');
      const whole = await readFile(path);
      await writeFile(`${path}.previous`, whole);
      for (const damaged of [whole.subarray(0, 100), Buffer.from(whole).fill(7, whole.length - 8)]) {
        await writeFile(path, damaged);
        const warnings: string[] = [];
        const [{ target }] = await evaluate(path, {
          dataset: digits,
          attacks: parseAttacks('fgsm'),
          out: false,
          warn: (message) => warnings.push(message),
        });
        expect(target.sha256).to.equal(createHash('sha256').update(whole).digest('hex'));
        expect(target.bytes).to.equal(whole.length);
        expect(warnings.join()).to.contain('is used instead');
      }
    }));
});
