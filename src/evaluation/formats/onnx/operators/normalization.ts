// Normalisations: (x − mean) / √(variance + ε) · scale + bias, over a batch's running statistics, a layer, groups or instances.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../../core/errors.ts';
import { type Call, flagOf, input, numberOf, type Operator } from '../call.ts';
import { axisOf, channelsLastOf, onBackend, tensorOf, withChannelsLast } from '../values.ts';
import { absolute } from './elementwise.ts';
import { atLeastTiny, euclideanNorm } from './reductions.ts';

const epsilonOf = (call: Call): number => numberOf(call, 'epsilon', 1e-5);

/** (x − mean) / √(variance + ε) over axes, which are kept. */
function standardised(x: Tensor, axes: number[], epsilon: number): Tensor {
  const centred = tf.sub(x, tf.mean(x, axes, true));
  return tf.mul(centred, tf.rsqrt(tf.add(tf.mean(tf.square(centred), axes, true), epsilon)));
}

const scaled = (x: Tensor, scale: Tensor | undefined, bias: Tensor | undefined): Tensor => {
  const y = scale === undefined ? x : tf.mul(x, scale);
  return bias === undefined ? y : tf.add(y, bias);
};

const axesFrom = (axis: number, rank: number): number[] => Array.from({ length: rank - axis }, (_, i) => axis + i);

/**
 * Normalisation by running statistics. With training_mode set it is by the batch's own, which some networks apply to their
 * weights; of images the prediction for one would depend on the others.
 */
const batchNormalization: Operator = (call) => {
  const x = channelsLastOf(input(call, 0));
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((i) => tensorOf(input(call, i)) as tf.Tensor1D);
  // Before opset 14, outputs for the batch's own statistics stand for the mode.
  const isTraining =
    call.opset < 14 ? call.node.outputs.some((name, i) => i > 0 && name !== '') : flagOf(call, 'training_mode');
  if (!isTraining) {
    return withChannelsLast(tf.batchNorm(x as tf.Tensor4D, mean, variance, bias, scale, epsilonOf(call)));
  }
  if (!call.isConstant) {
    throw new InputError(
      'expected normalisation by running statistics, got training mode: export the model after model.eval()',
    );
  }
  const y = standardised(x, axesFrom(0, x.rank - 1), epsilonOf(call));
  return withChannelsLast(scaled(y, scale, bias));
};

const layerNormalization: Operator = (call) => {
  const x = tensorOf(input(call, 0));
  const axes = axesFrom(axisOf(numberOf(call, 'axis', -1), x.rank), x.rank);
  const bias = call.inputs[2];
  const y = standardised(x, axes, epsilonOf(call));
  return onBackend(scaled(y, tensorOf(input(call, 1)), bias && tensorOf(bias)));
};

/** x / √(mean of squares + ε) · scale. */
const rmsNormalization: Operator = (call) => {
  const x = tensorOf(input(call, 0));
  const axes = axesFrom(axisOf(numberOf(call, 'axis', -1), x.rank), x.rank);
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(x), axes, true), epsilonOf(call)));
  return onBackend(tf.mul(tf.mul(x, inverse), tensorOf(input(call, 1))));
};

/** Images [batch, …, channels] as [batch, places, groups, channels of a group]. */
function normalisedByGroups(call: Call, groups: number): { y: Tensor; shape: number[] } {
  const x = channelsLastOf(input(call, 0));
  const channels = x.shape[x.rank - 1];
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new InputError(`expected num_groups to divide ${channels} channels, got ${groups}`);
  }
  const places = x.size / (x.shape[0] * channels);
  const parts = tf.reshape(x, [x.shape[0], places, groups, channels / groups]);
  return { y: standardised(parts, [1, 3], epsilonOf(call)), shape: x.shape };
}

const groupNormalization: Operator = (call) => {
  const groups = numberOf(call, 'num_groups', 0);
  const { y, shape } = normalisedByGroups(call, groups);
  // One number for each group up to opset 20, for each channel from 21 on.
  const [scale, bias] = [1, 2].map((i) => {
    const tensor = tensorOf(input(call, i));
    return tf.reshape(tensor, [1, 1, groups, -1]);
  });
  return withChannelsLast(tf.reshape(scaled(y, scale, bias), shape));
};

const instanceNormalization: Operator = (call) => {
  const channels = input(call, 0).shape[1];
  const { y, shape } = normalisedByGroups(call, channels);
  const whole = tf.reshape(y, shape);
  return withChannelsLast(scaled(whole, tensorOf(input(call, 1)), tensorOf(input(call, 2))));
};

/** x / ‖x‖ along an axis, of order 1 or 2; 0 where all of x is. */
const lpNormalization: Operator = (call) => {
  const x = tensorOf(input(call, 0));
  const axis = axisOf(numberOf(call, 'axis', -1), x.rank);
  const norm =
    numberOf(call, 'p', 2) === 1 ? atLeastTiny(tf.sum(absolute(x), axis, true)) : euclideanNorm(x, [axis], true);
  return onBackend(tf.div(x, norm));
};

/** x / (bias + alpha / size · Σ x² over neighbouring channels)^beta. */
const localResponse: Operator = (call) => {
  const size = numberOf(call, 'size', 1);
  if (size % 2 !== 1) throw new InputError(`expected an odd size, got ${size}, which Equipoise does not compute`);
  const images = channelsLastOf(input(call, 0)) as tf.Tensor4D;
  const alpha = numberOf(call, 'alpha', 1e-4) / size;
  return withChannelsLast(
    tf.localResponseNormalization(
      images,
      (size - 1) / 2,
      numberOf(call, 'bias', 1),
      alpha,
      numberOf(call, 'beta', 0.75),
    ),
  );
};

export const normalizationOperators = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  InstanceNormalization: instanceNormalization,
  LpNormalization: lpNormalization,
  LRN: localResponse,
} as const satisfies Readonly<Record<string, Operator>>;
