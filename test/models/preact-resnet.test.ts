import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, seedKey, uniform } from '../../src/core/key.ts';
import { disposeParams, disposeTensors, type Params, type Tensors } from '../../src/core/params.ts';
import { apply, init } from '../../src/models/init.ts';
import { statisticsOf } from '../../src/models/inspect.ts';
import { buildModel } from '../../src/models/models.ts';
import { useBackend } from '../backend.ts';

const options = { inputShape: [16, 16, 3], classes: 10, width: 1 / 16 } as const;
const normalize = { mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616] };
const key = seedKey('preactresnet18');

const imagesOf = (count: number): Tensor4D => tf.tensor4d(uniform(key, count * 16 * 16 * 3), [count, 16, 16, 3]);

/** Initial weights, with running statistics that are not the identity. */
function weights(): { params: Params; state: Tensors } {
  const program = buildModel('preactresnet18', options);
  const { params, state } = init(program, key);
  disposeTensors(state);
  const moved = statisticsOf(program).map(({ name, shape }) => [
    name,
    tf.tensor(
      uniform(foldIn(key, name), shape[0]).map((x) => 0.5 + x),
      [...shape],
    ),
  ]);
  return { params, state: Object.fromEntries(moved) };
}

/** The forward pass as the authors of robust overfitting write it, block by block, with plain ops. */
function reference(params: Params, state: Tensors, images: Tensor4D): Tensor2D {
  const tensor = (name: string) => params[name] as Tensor;
  const conv = (x: Tensor4D, name: string, stride: number, padding: number) =>
    tf.conv2d(x, tensor(`${name}.kernel`) as Tensor4D, stride, padding);
  const normalised = (x: Tensor4D, name: string) =>
    tf.relu(
      tf.batchNorm4d(
        x,
        state[`${name}.moving_mean`] as tf.Tensor1D,
        state[`${name}.moving_variance`] as tf.Tensor1D,
        tensor(`${name}.beta`) as tf.Tensor1D,
        tensor(`${name}.gamma`) as tf.Tensor1D,
        1e-5,
      ),
    );
  let x = conv(images, 'conv1', 1, 1);
  for (const stage of [1, 2, 3, 4]) {
    for (const i of [0, 1]) {
      const block = `layer${stage}.${i}`;
      const stride = stage > 1 && i === 0 ? 2 : 1;
      const out = normalised(x, `${block}.bn1`);
      const shortcut = stride === 2 ? conv(out, `${block}.shortcut.0`, 2, 0) : x;
      x = tf.add(
        conv(normalised(conv(out, `${block}.conv1`, stride, 1), `${block}.bn2`), `${block}.conv2`, 1, 1),
        shortcut,
      );
    }
  }
  const features = tf.mean(normalised(x, 'bn'), [1, 2]) as Tensor2D;
  return tf.add(tf.matMul(features, tensor('linear.kernel') as Tensor2D), tensor('linear.bias'));
}

describe('preactresnet18', () => {
  before(() => useBackend('cpu'));

  it('gives the logits of its definition, block by block', () => {
    const { params, state } = weights();
    const images = imagesOf(3);
    const { logits } = apply(buildModel('preactresnet18', options), params, state, images, { training: false });
    const expected = tf.tidy(() => reference(params, state, images));
    const [ours, theirs] = [logits.dataSync(), expected.dataSync()];
    ours.forEach((logit, i) => {
      expect(logit).to.be.closeTo(theirs[i], 1e-4);
    });
    tf.dispose([images, logits, expected]);
    disposeParams(params);
    disposeTensors(state);
  });
});

describe('a model that normalises its images', () => {
  before(() => useBackend('cpu'));

  it('gives of pixels what it gives of normalised pixels without that, and has no weights more', () => {
    const { params, state } = weights();
    const images = imagesOf(3);
    const program = buildModel('preactresnet18', { ...options, normalize });
    expect(program.layers.slice(1)).to.deep.equal(buildModel('preactresnet18', options).layers);
    const { logits } = apply(program, params, state, images, { training: false });
    const expected = tf.tidy(() =>
      reference(params, state, tf.div(tf.sub(images, tf.tensor1d(normalize.mean)), tf.tensor1d(normalize.std))),
    );
    const theirs = expected.dataSync();
    logits.dataSync().forEach((logit, i) => {
      expect(logit).to.be.closeTo(theirs[i], 1e-4);
    });
    tf.dispose([images, logits, expected]);
    disposeParams(params);
    disposeTensors(state);
  });

  it('takes a mean and a deviation above 0 for each channel', () => {
    const built = (mean: number[], std: number[]) => () => buildModel('cnn', { ...options, normalize: { mean, std } });
    expect(built([0.5], [0.5])).to.throw(InputError, 'images of 3 channels needs one mean');
    expect(built([0, 0, 0], [1, 0, 1])).to.throw(InputError, 'deviations above 0, got 0,0,0 and 1,0,1');
    expect(built([0, Number.NaN, 0], [1, 1, 1])).to.throw(InputError, 'finite');
  });
});
