import { golden, toTensor } from '../golden.ts';
import '@tensorflow/tfjs-backend-cpu';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { writeCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { importModel } from '../../src/checkpoints/exchange/import.ts';
import { networkOf, networkOnly } from '../../src/checkpoints/exchange/network.ts';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { encodePytorch } from '../../src/checkpoints/pytorch/exported.ts';
import { encodeCheckpoint } from '../../src/checkpoints/safetensors/encode.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import type { ModelRecord } from '../../src/checkpoints/types.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { sample, uniform } from '../../src/core/key.ts';
import { disposeParams, disposeTensors, isKernel, type Param, type Params, trainable } from '../../src/core/params.ts';
import { sizeOf, structure } from '../../src/core/structure.ts';
import { EXPORT_FORMATS, exportModel } from '../../src/evaluation/export.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { apply } from '../../src/models/init.ts';
import { parametersOf, statisticsOf } from '../../src/models/inspect.ts';
import { buildModel } from '../../src/models/models.ts';
import { rejection } from '../rejection.ts';
import { checkpointOf, dispose, key, NETWORKS } from './any-network.ts';

describe('an exported network', function () {
  this.timeout(30000);
  let folder: string;
  const at = (name: string) => join(folder, name);
  before(async () => {
    await tf.setBackend('cpu');
    folder = mkdtempSync(join(tmpdir(), 'equipoise-export-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  async function written(name: string): Promise<string> {
    const checkpoint = checkpointOf(name);
    const path = at(`${name}.safetensors`);
    await writeCheckpoint(path, checkpoint);
    dispose(checkpoint);
    return path;
  }

  for (const name of NETWORKS) {
    it(`of ${name} comes back bit by bit from what can be imported, and gives the same logits everywhere`, async () => {
      const checkpoint = await written(name);
      const tensors = tf.memory().numTensors;
      const compact = at(`${name}/compact`);
      for (const to of EXPORT_FORMATS) {
        const out = at(`${name}/${to}`);
        const { files, bytes, images, largestDifference } = await exportModel(checkpoint, { to, out });
        expect(bytes).to.equal(files.reduce((total, file) => total + statSync(file).size, 0));
        expect(images).to.equal(16);
        if (to === 'layers' || to === 'onnx') expect(largestDifference).to.be.below(1e-4);
        else expect(largestDifference).to.equal(0);
        if (to === 'onnx') continue;
        const again = at(`${name}/${to}-again`);
        await importModel(out, { out: again });
        expect(readFileSync(again).equals(readFileSync(compact)), to).to.equal(true);
      }
      expect(tf.memory().numTensors).to.equal(tensors);
    });
  }

  it('is the same bytes every time', async () => {
    const checkpoint = await written('cnn');
    for (const to of EXPORT_FORMATS) {
      const [first, second] = [
        await exportModel(checkpoint, { to, out: at(`once/${to}`) }),
        await exportModel(checkpoint, { to, out: at(`twice/${to}`) }),
      ];
      first.files.forEach((file, i) => {
        expect(readFileSync(file).equals(readFileSync(second.files[i])), file).to.equal(true);
      });
    }
  });

  it('is an ONNX file that is evaluated as any other, by the same logits', async () => {
    const checkpoint = await written('preactresnet18');
    const out = at('evaluated.onnx');
    await exportModel(checkpoint, { to: 'onnx', out });
    const [ours, theirs] = [await loadTarget(checkpoint), await loadTarget(out)];
    expect(theirs.record).to.include({ format: 'onnx', checkpoint: 'evaluated' });
    expect([theirs.inputShape, theirs.classes]).to.deep.equal([[16, 20, 3], 7]);
    const [logits, again] = tf.tidy(() => {
      const images = tf.tensor4d(uniform(key, 3 * 16 * 20 * 3), [3, 16, 20, 3]);
      return [ours, theirs].map(({ classify }) => classify(images).dataSync());
    });
    again.forEach((logit, i) => {
      expect(logit).to.be.closeTo(logits[i], 1e-4);
    });
    for (const target of [ours, theirs]) target.dispose();
  });

  it('has Python code beside the weights for PyTorch, which replaces no other code', async () => {
    const out = at('code/first.safetensors');
    const code = at('code/model.py');
    const { files } = await exportModel(await written('cnn'), { to: 'pytorch', out });
    expect(files).to.deep.equal([out, code]);
    const text = readFileSync(code, 'utf8');
    expect(text).to.contain('class Network(nn.Module):');
    await exportModel(await written('cnn'), { to: 'pytorch', out: at('code/second.safetensors') });
    const refused = at('code/third.safetensors');
    const error = await rejection(exportModel(await written('mlp'), { to: 'pytorch', out: refused }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(
      /code\/model\.py holds other code than that of this network; .* --out in another folder/,
    );
    expect(existsSync(refused)).to.equal(false);
    expect(readFileSync(code, 'utf8')).to.equal(text);
  });

  it('is compact: at 99 % under 2 % of the dense file, in half precision under 1.5 %', async () => {
    const { params: replaced, state: statistics, optimizer, ...record } = checkpointOf('mlp');
    dispose({ ...record, params: replaced, state: statistics, optimizer });
    const model = { name: 'vgg16', width: 0.25, inputShape: [32, 32, 3], classes: 10 } as const;
    const program = buildModel(model.name, model);
    const params: Params = Object.fromEntries(
      parametersOf(program).map(({ name, shape }): [string, Param] => {
        if (!isKernel(name)) return [name, tf.zeros([...shape])];
        const size = sizeOf(shape);
        const positions = Int32Array.from(sample(key, Math.ceil(size / 100), size)).sort();
        return [name, { structure: structure(shape, positions), values: tf.ones([positions.length]) }];
      }),
    );
    const state = Object.fromEntries(statisticsOf(program).map(({ name, shape }) => [name, tf.ones([...shape])]));
    const sparse = { ...record, model, params, state, optimizer: {} };
    const share = async (half: boolean) =>
      (await encodeCheckpoint(networkOnly(sparse), { half })).length / dense.length;
    const dense = encodePytorch(await networkOf(sparse));
    expect(await share(false)).to.be.below(0.02);
    expect(await share(true)).to.be.below(0.015);
    dispose(sparse);
  });

  it('has kernels of half precision where that is asked for, in the compact format alone', async () => {
    const checkpoint = await written('cnn');
    const out = at('half.safetensors');
    const { bytes, largestDifference } = await exportModel(checkpoint, { to: 'compact', out, half: true });
    const whole = await exportModel(checkpoint, { to: 'compact', out: at('whole.safetensors') });
    expect(bytes).to.be.below(whole.bytes);
    expect(largestDifference).to.be.within(1e-6, 0.05);
    const [half, full] = await Promise.all([loadModel(out), loadModel(checkpoint)]);
    for (const [name, param] of Object.entries(half.params)) {
      const [rounded, exact] = [param, full.params[name]].map((one) => trainable(one).dataSync());
      const most = isKernel(name) ? 2 ** -11 : 0;
      for (const [i, value] of exact.entries()) {
        expect(Math.abs(rounded[i] - value), name).to.be.at.most(most * Math.abs(value) + (most && 2 ** -25));
      }
    }
    for (const { params, state } of [half, full]) {
      disposeParams(params);
      disposeTensors(state);
    }
    const refused = await exportModel(checkpoint, { to: 'pytorch', out: at('no'), half: true }).catch((error) => error);
    expect(refused).to.be.instanceOf(UsageError);
    expect(refused.message).to.match(/^Half precision applies only to the format compact, got pytorch/);
    expect(existsSync(at('no'))).to.equal(false);
  });

  it('is read without its records too, where the network is named; mostly empty kernels become sparse', async () => {
    const out = at('bare-pytorch.safetensors');
    const checkpoint = await written('resnet18');
    await exportModel(checkpoint, { to: 'pytorch', out });
    const { tensors } = decodeSafetensors(readFileSync(out));
    const counter = { dtype: 'I64', shape: [], data: BigInt64Array.from([5n]) } as const;
    writeFileSync(out, encodeSafetensors({ ...tensors, 'bn1.num_batches_tracked': counter }, { format: 'pt' }));
    const model = { name: 'resnet18', width: 1 / 16, inputShape: [16, 20, 3], classes: 7 } as const;
    const { sparsity } = await importModel(out, { out: at('bare.safetensors'), model });
    expect(sparsity).to.be.within(0.3, 0.8);
  });

  const broken: readonly {
    readonly title: string;
    readonly make: (path: string) => Promise<void> | void;
    readonly says: RegExp;
  }[] = [
    { title: 'nothing', make: () => undefined, says: /There is no .*\. Give a \.safetensors file/ },
    {
      title: 'a state dict that does not say of which network',
      make: (path) =>
        writeFileSync(path, encodeSafetensors({ x: { dtype: 'F32', shape: [1], data: Float32Array.of(1) } })),
      says: /are of no network that Equipoise knows by their names: x/,
    },
    {
      title: 'a state dict that lacks a tensor',
      make: (path) => alter(path, ({ 'linear.bias': _, ...others }) => others),
      says: /looks like a resnet18 but has no linear\.bias \[7\]/,
    },
    {
      title: 'a tensor of another shape',
      make: (path) =>
        alter(path, (all) => ({ ...all, 'linear.bias': { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) } })),
      says: /a resnet18, whose linear\.bias is \[7\]; it has \[2\]/,
    },
    {
      title: 'a tensor too many',
      make: (path) => alter(path, (all) => ({ ...all, extra: { dtype: 'F32', shape: [], data: Float32Array.of(1) } })),
      says: /a resnet18 but also has extra, which a resnet18 has not/,
    },
  ];
  async function alter(
    path: string,
    change: (
      tensors: ReturnType<typeof decodeSafetensors>['tensors'],
    ) => ReturnType<typeof decodeSafetensors>['tensors'],
  ): Promise<void> {
    await exportModel(await written('resnet18'), { to: 'pytorch', out: path });
    const { metadata, tensors } = decodeSafetensors(readFileSync(path));
    writeFileSync(path, encodeSafetensors(change(tensors), metadata));
  }
  for (const { title, make, says } of broken) {
    it(`is refused as ${title}`, async () => {
      const path = at(`broken-${title.replaceAll(' ', '-')}`);
      await make(path);
      const tensors = tf.memory().numTensors;
      const thrown = await importModel(path, { out: at('never.safetensors') }).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).to.be.instanceOf(InputError);
      expect((thrown as Error).message).to.match(says);
      expect(tf.memory().numTensors).to.equal(tensors);
      expect(() => statSync(at('never.safetensors'))).to.throw();
    });
  }

  it('is refused as a LayersModel whose weights are cut, or that came from elsewhere', async () => {
    const out = at('cut-layers');
    await exportModel(await written('cnn'), { to: 'layers', out });
    const rejection = () =>
      importModel(out, { out: at('never.safetensors') }).then(
        () => '',
        (error: Error) => error.message,
      );
    const weights = readFileSync(join(out, 'weights.bin'));
    writeFileSync(join(out, 'weights.bin'), weights.subarray(0, 100));
    expect(await rejection()).to.match(/names weights of \d+ bytes; weights\.bin hold 100/);
    writeFileSync(join(out, 'weights.bin'), weights);
    const model = JSON.parse(readFileSync(join(out, 'model.json'), 'utf8'));
    writeFileSync(join(out, 'model.json'), JSON.stringify({ ...model, userDefinedMetadata: undefined }));
    expect(await rejection()).to.match(/LayersModel that Equipoise did not export.*equipoise evaluate/);
    rmSync(join(out, 'weights.bin'));
    expect(await rejection()).to.match(/names the file weights\.bin, which is missing/);
  });
});

describe('a LayersModel that was changed after its export', function () {
  this.timeout(30000);
  let folder: string;
  before(async () => {
    await tf.setBackend('cpu');
    folder = mkdtempSync(join(tmpdir(), 'equipoise-changed-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  type LayerConfig = { name: string; class_name: string; config: Record<string, unknown> };
  const changes: readonly [string, (layer: LayerConfig) => boolean, Record<string, unknown>][] = [
    ['a ReLU that is cut off', ({ class_name }) => class_name === 'ReLU', { max_value: 0.5 }],
    ['another ε', ({ class_name }) => class_name === 'BatchNormalization', { epsilon: 10 }],
    ['another activation', ({ class_name }) => class_name === 'Conv2D', { activation: 'tanh' }],
  ];
  for (const [what, isChanged, config] of changes) {
    it(`is not imported as the network that it was (${what})`, async () => {
      const [checkpoint, out, never] = ['net', 'layers', 'never'].map((name) => join(folder, `${name}.safetensors`));
      const made = checkpointOf('cnn');
      await writeCheckpoint(checkpoint, made);
      dispose(made);
      await exportModel(checkpoint, { to: 'layers', out });
      const file = join(out, 'model.json');
      const model = JSON.parse(readFileSync(file, 'utf8'));
      for (const layer of model.modelTopology.config.layers) {
        if (isChanged(layer)) Object.assign(layer.config, config);
      }
      writeFileSync(file, JSON.stringify(model));
      const tensors = tf.memory().numTensors;
      const error = await rejection(importModel(out, { out: never }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/was changed after it was exported: a layer.*equipoise evaluate/);
      expect(tf.memory().numTensors).to.equal(tensors);
      expect(existsSync(never)).to.equal(false);
      rmSync(out, { recursive: true });
    });
  }
});

describe('weights that PyTorch wrote', () => {
  const { tensors } = golden('models');
  const foreign = (name: string) =>
    fileURLToPath(new URL(`../../../test/evaluation/foreign/${name}.safetensors`, import.meta.url));
  const cifar = { inputShape: [32, 32, 3], classes: 10 } as const;
  const networks: Readonly<Record<string, ModelRecord>> = {
    resnet18: { name: 'resnet18', width: 1 / 16, ...cifar },
    wrn10_1: { name: 'wrn-10-1', width: 1 / 2, ...cifar },
  };
  let folder: string;
  before(async () => {
    await tf.setBackend('cpu');
    folder = mkdtempSync(join(tmpdir(), 'equipoise-pytorch-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [network, model] of Object.entries(networks)) {
    it(`are imported as a ${model.name} of the same logits, and exported as the very tensors`, async () => {
      const [checkpoint, again] = ['checkpoint', 'again'].map((part) => join(folder, network, `${part}.safetensors`));
      await importModel(foreign(network), { out: checkpoint, model });
      const { program, params, state } = await loadModel(checkpoint);
      const logits = tf.tidy(() => {
        const images = tf.div(toTensor(tensors.images), 255) as tf.Tensor4D;
        return apply(program, params, state, images, { training: false }).logits.dataSync();
      });
      const expected = tensors[`${network}.torch.eval.logits`].data as Float32Array;
      logits.forEach((logit, i) => {
        expect(logit).to.be.closeTo(expected[i], 1e-4);
      });
      disposeParams(params);
      disposeTensors(state);

      await exportModel(checkpoint, { to: 'pytorch', out: again });
      const [theirs, ours] = [foreign(network), again].map((path) => decodeSafetensors(readFileSync(path)).tensors);
      const kept = Object.entries(theirs).filter(([key]) => !key.endsWith('num_batches_tracked'));
      expect(ours).to.deep.equal(Object.fromEntries(kept));
    });
  }
});
