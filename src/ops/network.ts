// A network as data, and the op that runs it.
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../core/errors.ts';
import { isSparse, type Params, structureOf, type Tensors, trainable } from '../core/params.ts';
import { type Structure, sizeOf } from '../core/structure.ts';
import { type ActivationName, activations } from './activations.ts';
import './gradients.ts';
import { hasKernel, runKernel } from './kernel.ts';
import { sparseConv2d } from './sparse-conv2d.ts';
import { sparseMatMul } from './sparse-matmul.ts';

/** One layer of a network, as data. Parameters and statistics are found by the layer's name. */
export type Layer =
  /** (x − mean) / std per channel: normalisation belongs to the model, attacks see pixels. */
  | { readonly kind: 'normalize'; readonly mean: readonly number[]; readonly std: readonly number[] }
  /** `name.kernel` [size, size, inputs, filters], `name.bias` [filters] if `bias`; zero padding on both sides. */
  | {
      readonly kind: 'conv';
      readonly name: string;
      readonly inputs: number;
      readonly filters: number;
      readonly size: number;
      readonly stride: number;
      readonly padding: number;
      readonly bias: boolean;
    }
  /** `name.kernel` [inputs, units], `name.bias` [units] if `bias`. */
  | {
      readonly kind: 'dense';
      readonly name: string;
      readonly inputs: number;
      readonly units: number;
      readonly bias: boolean;
    }
  /** `name.gamma`, `name.beta`; statistics `name.moving_mean`, `name.moving_variance`; all [channels]. */
  | { readonly kind: 'batchNorm'; readonly name: string; readonly channels: number }
  /** The program's activation. */
  | { readonly kind: 'relu' }
  /** Windows of size × size, moved by `stride` (default `size`), with `padding` (default none) on all sides. */
  | { readonly kind: 'maxPool'; readonly size: number; readonly stride?: number; readonly padding?: number }
  /** The mean over height and width: [batch, channels]. */
  | { readonly kind: 'globalAveragePool' }
  /** Row-major over height, width, channels: [batch, height · width · channels]. */
  | { readonly kind: 'flatten' }
  /** body(x) + shortcut(x); an empty shortcut is the identity. */
  | { readonly kind: 'residual'; readonly body: readonly Layer[]; readonly shortcut: readonly Layer[] };

/** A network as data: what models build, the engine compiles, and exports, FLOP counts and sparsity methods walk. */
export interface Program {
  /** [height, width, channels] of one image. */
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
  readonly layers: readonly Layer[];
  /** What its `relu` layers compute; default ReLU. */
  readonly activation?: ActivationName;
}

/** The momentum of running statistics, as in PyTorch: running = 0.9 · running + 0.1 · batch. The running variance is unbiased, and the one that normalises is biased. */
export const BATCH_NORM_MOMENTUM = 0.1;
/** The number that batch norm adds to variances, as in PyTorch. */
export const BATCH_NORM_EPSILON = 1e-5;

/** Options of running a network. */
export interface RunOptions {
  /** Batch statistics instead of running ones. */
  readonly training: boolean;
  /** All-zero dense kernels by name, not read: the gradient of one is the dense gradient of that sparse kernel. */
  readonly probes?: Tensors;
}

/** What a network computes of a batch. */
export interface NetworkResult {
  /** [batch, classes] */
  readonly logits: Tensor2D;
  /** The running statistics after this batch; the given ones (borrowed) in evaluation mode. */
  readonly state: Tensors;
}

/** The names of the batch-norm layers of a program in order of execution. */
export const batchNorms = (program: Program): string[] =>
  [...eachShape(program.layers, program.inputShape)].flatMap(({ layer }) =>
    layer.kind === 'batchNorm' ? [layer.name] : [],
  );

/**
 * Runs images through a network. Differentiable in the images, the trainable parameters and the probes.
 *
 * Where the backend has a kernel for whole networks it is one op, else it is composed of plain ones.
 *
 * @param params by name, as the layers declare them; borrowed
 * @param state running statistics of batch norm by name; borrowed
 * @param images [batch, height, width, channels], pixels in [0, 1]; borrowed
 * @throws InputError if the images are not the program's, or none in training mode, or a layer's window does not fit
 * @returns logits and, in training mode, new statistics, owned by the caller; the statistics outlive any tidy, since a
 *   gradient is taken in one
 */
export function runNetwork(
  program: Program,
  params: Params,
  state: Tensors,
  images: Tensor4D,
  { training, probes = {} }: RunOptions,
): NetworkResult {
  const expected = program.inputShape;
  if (images.rank !== 4 || expected.some((extent, i) => images.shape[i + 1] !== extent)) {
    throw new InputError(`The network takes images of shape [batch, ${expected.join(', ')}], got [${images.shape}].`);
  }
  if (training && images.shape[0] === 0) {
    throw new InputError(
      'A network in training mode computes statistics of the batch and needs at least one image, got 0.',
    );
  }
  checkProgram(program);
  if (hasKernel(RunNetwork) && images.shape[0] > 0 && kernelCanRun(program))
    return runNetworkKernel(program, params, state, images, { training, probes });
  const newState: Record<string, Tensor> = {};
  const activation = activations[program.activation ?? 'relu'];
  const context: Context = { params, state, probes, training, newState, activation };
  const logits = tf.tidy(() => {
    const result = runLayers(program.layers, images, context) as Tensor2D;
    for (const tensor of Object.values(newState)) tf.keep(tensor);
    return result;
  });
  return { logits, state: training ? newState : state };
}

/** True if a program has nothing but what kernels of whole networks know: ReLU, and poolings of disjoint windows. */
const kernelCanRun = ({ activation = 'relu', layers }: Program): boolean =>
  activation === 'relu' && layers.every((layer) => layer.kind !== 'maxPool' || layer.stride === undefined);

const checked = new WeakSet<Program>();

/** Throws where windows do not fit into what they are moved over. */
function checkProgram(program: Program): void {
  if (checked.has(program)) return;
  for (const { layer, input, output } of eachShape(program.layers, program.inputShape)) {
    if (output.some((extent) => extent < 1)) {
      const name = 'name' in layer ? ` '${layer.name}'` : '';
      throw new InputError(
        `The ${layer.kind} layer${name} makes [${output.join(', ')}] of [${input.join(', ')}]: give it a smaller window, more ` +
          'padding, or the network larger images.',
      );
    }
  }
  checked.add(program);
}

interface Context {
  readonly params: Params;
  readonly state: Tensors;
  readonly probes: Tensors;
  readonly training: boolean;
  /** Filled as batch-norm layers are met in training mode. */
  readonly newState: Record<string, Tensor>;
  readonly activation: (x: Tensor) => Tensor;
}

const runLayers = (layers: readonly Layer[], x: Tensor, context: Context): Tensor =>
  layers.reduce((value, layer) => runLayer(layer, value, context), x);

function runLayer(layer: Layer, x: Tensor, context: Context): Tensor {
  const { params, probes } = context;
  switch (layer.kind) {
    case 'normalize':
      return tf.div(tf.sub(x, tf.tensor1d([...layer.mean])), tf.tensor1d([...layer.std]));
    case 'conv': {
      const kernel = params[`${layer.name}.kernel`];
      const y = isSparse(kernel)
        ? sparseConv2d(
            x as Tensor4D,
            kernel.structure,
            kernel.values,
            layer,
            probes[`${layer.name}.kernel`] as Tensor4D | undefined,
          )
        : tf.conv2d(x as Tensor4D, kernel as Tensor4D, layer.stride, layer.padding);
      return layer.bias ? tf.add(y, params[`${layer.name}.bias`] as Tensor) : y;
    }
    case 'dense': {
      const kernel = params[`${layer.name}.kernel`];
      const y = isSparse(kernel)
        ? sparseMatMul(
            x as Tensor2D,
            kernel.structure,
            kernel.values,
            probes[`${layer.name}.kernel`] as Tensor2D | undefined,
          )
        : tf.matMul(x as Tensor2D, kernel as Tensor2D);
      return layer.bias ? tf.add(y, params[`${layer.name}.bias`] as Tensor) : y;
    }
    case 'batchNorm':
      return batchNorm(layer.name, x, context);
    case 'relu':
      return context.activation(x);
    case 'maxPool':
      return tf.maxPool(x as Tensor4D, layer.size, layer.stride ?? layer.size, layer.padding ?? 'valid');
    case 'globalAveragePool':
      return tf.mean(x, [1, 2]);
    case 'flatten':
      return tf.reshape(x, [x.shape[0], sizeOf(x.shape.slice(1))]);
    case 'residual':
      return tf.add(runLayers(layer.body, x, context), runLayers(layer.shortcut, x, context));
    default:
      return layer satisfies never;
  }
}

/** gamma · (x − mean) / √(variance + ε) + beta, by the batch's statistics in training and the running ones otherwise. */
function batchNorm(name: string, x: Tensor, { params, state, training, newState }: Context): Tensor {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const { mean, variance } = training
    ? tf.moments(x, axes)
    : { mean: state[`${name}.moving_mean`], variance: state[`${name}.moving_variance`] };
  if (training) Object.assign(newState, movedStatistics(name, state, mean, variance, x.size / x.shape[x.rank - 1]));
  const scale = tf.mul(params[`${name}.gamma`] as Tensor, tf.rsqrt(tf.add(variance, BATCH_NORM_EPSILON)));
  return tf.add(tf.mul(tf.sub(x, mean), scale), params[`${name}.beta`] as Tensor);
}

/** The running statistics of one layer after a batch with this mean and biased variance over `count` values a channel. */
function movedStatistics(name: string, state: Tensors, mean: Tensor, variance: Tensor, count: number): Tensors {
  const moved = (running: Tensor, batch: Tensor): Tensor =>
    tf.tidy(() => tf.add(tf.mul(running, 1 - BATCH_NORM_MOMENTUM), tf.mul(batch, BATCH_NORM_MOMENTUM)));
  const unbiased = tf.mul(variance, count / Math.max(1, count - 1));
  return {
    [`${name}.moving_mean`]: moved(state[`${name}.moving_mean`], mean),
    [`${name}.moving_variance`]: moved(state[`${name}.moving_variance`], unbiased),
  };
}

/*
 * The whole network as one kernel.
 *
 * RunNetwork takes the list [images, ...parameters, ...state, ...probes] and gives the list
 * [logits, residuals, mean, variance, mean, variance, …], the running statistics after the batch of each batch-norm layer in
 * training mode. `residuals` is a tensor of the backend's own that stands for whatever its backward pass needs; disposing
 * it frees that. It may be empty where `residuals` is false in the attributes.
 *
 * RunNetworkGradient takes [dLogits, residuals, images, ...parameters, ...state] and gives, as `wants` says, the list
 * [dImages] or one gradient for each parameter and then each probe. Gradients of sparse parameters are [nonzeros].
 */
export const RunNetwork = 'RunNetwork';
export const RunNetworkGradient = 'RunNetworkGradient';

export interface RunNetworkAttributes {
  readonly program: Program;
  readonly training: boolean;
  /** True if a gradient may be asked for. */
  readonly residuals: boolean;
  /** Names of the inputs that follow the images. */
  readonly parameterNames: readonly string[];
  readonly stateNames: readonly string[];
  readonly probeNames: readonly string[];
  /** One a parameter; null for a dense one. */
  readonly structures: readonly (Structure | null)[];
}

export interface RunNetworkGradientAttributes extends RunNetworkAttributes {
  readonly wants: 'images' | 'parameters';
}

function runNetworkKernel(
  program: Program,
  params: Params,
  state: Tensors,
  images: Tensor4D,
  { training, probes }: Required<RunOptions>,
): NetworkResult {
  const parameterNames = Object.keys(params);
  const stateNames = Object.keys(state);
  const probeNames = Object.keys(probes);
  const attributes: RunNetworkAttributes = {
    program,
    training,
    residuals: tf.engine().state.gradientDepth > 0,
    parameterNames,
    stateNames,
    probeNames,
    structures: parameterNames.map((name) => (isSparse(params[name]) ? structureOf(params[name]) : null)),
  };
  const inputs = [
    images,
    ...parameterNames.map((name) => trainable(params[name])),
    ...stateNames.map((name) => state[name]),
    ...probeNames.map((name) => probes[name]),
  ];
  const [logits, residuals, ...statistics] = runKernel<Tensor[]>(RunNetwork, inputs, attributes);
  residuals.dispose();
  if (!training) return { logits: logits as Tensor2D, state };
  const newState = Object.fromEntries(
    batchNorms(program).flatMap((name, i) => [
      [`${name}.moving_mean`, statistics[2 * i]],
      [`${name}.moving_variance`, statistics[2 * i + 1]],
    ]),
  );
  for (const tensor of Object.values(newState)) tf.keep(tensor);
  return { logits: logits as Tensor2D, state: newState };
}

/**
 * Tensors that live until the scope around the current one ends. tfjs runs each gradient closure in a scope of its own
 * and would dispose what the first closure computed for the others.
 */
function outlivingScope(compute: () => Tensor[]): Tensor[] {
  const tensors = compute();
  const { activeScope, scopeStack } = tf.engine().state;
  const outer = scopeStack[scopeStack.length - 2];
  activeScope.track = activeScope.track.filter((tensor) => !tensors.includes(tensor));
  for (const tensor of tensors) {
    tensor.scopeId = outer.id;
    outer.track.push(tensor);
  }
  return tensors;
}

tf.registerGradient({
  kernelName: RunNetwork,
  saveAllInputs: true,
  outputsToSave: [false, true],
  gradFunc: (dy, saved, attrs) => {
    const attributes = attrs as unknown as RunNetworkAttributes;
    const { parameterNames, stateNames, probeNames } = attributes;
    const [dLogits] = dy as Tensor[];
    const [images, ...rest] = saved;
    const residuals = rest[rest.length - 1];
    const parametersAndState = rest.slice(0, parameterNames.length + stateNames.length);
    const backward = (wants: RunNetworkGradientAttributes['wants']): Tensor[] =>
      runKernel<Tensor[]>(RunNetworkGradient, [dLogits, residuals, images, ...parametersAndState], {
        ...attributes,
        wants,
      });
    let parameterGradients: Tensor[] | undefined;
    const parameterGradient = (index: number) => () => {
      parameterGradients ??= outlivingScope(() => backward('parameters'));
      return parameterGradients[index];
    };
    const gradients: Record<string, () => Tensor> = { 0: () => backward('images')[0] };
    parameterNames.forEach((_, i) => {
      gradients[1 + i] = parameterGradient(i);
    });
    // A later pass starts from the statistics of an earlier one, which depend on the parameters; training reads them not.
    stateNames.forEach((_, i) => {
      gradients[1 + parameterNames.length + i] = () => tf.zerosLike(rest[parameterNames.length + i]);
    });
    probeNames.forEach((_, i) => {
      gradients[1 + parameterNames.length + stateNames.length + i] = parameterGradient(parameterNames.length + i);
    });
    return gradients;
  },
});

/** Height, width and channels (or features) after each layer; the shape an image has there. */
export type ImageShape = readonly number[];

/** The shape of one image's activations after `layer`, given the shape before it. */
export function outputShape(layer: Layer, [height, width, channels]: ImageShape): ImageShape {
  switch (layer.kind) {
    case 'conv': {
      const extent = (input: number) => Math.floor((input + 2 * layer.padding - layer.size) / layer.stride) + 1;
      return [extent(height), extent(width), layer.filters];
    }
    case 'dense':
      return [layer.units];
    case 'maxPool': {
      const { size, stride = size, padding = 0 } = layer;
      const extent = (input: number) => Math.floor((input + 2 * padding - size) / stride) + 1;
      return [extent(height), extent(width), channels];
    }
    case 'globalAveragePool':
      return [channels];
    case 'flatten':
      return [height * width * channels];
    case 'residual':
      return layer.body.reduce<ImageShape>((shape, inner) => outputShape(inner, shape), [height, width, channels]);
    case 'normalize':
    case 'relu':
    case 'batchNorm':
      return channels === undefined ? [height] : [height, width, channels];
    default:
      return layer satisfies never;
  }
}

/** Every layer with the shapes of one image before and after it, in order of execution. */
export function* eachShape(
  layers: readonly Layer[],
  inputShape: ImageShape,
): Generator<{ layer: Layer; input: ImageShape; output: ImageShape }> {
  let input = inputShape;
  for (const layer of layers) {
    if (layer.kind === 'residual') {
      yield* eachShape(layer.body, input);
      yield* eachShape(layer.shortcut, input);
    }
    const output = outputShape(layer, input);
    if (layer.kind !== 'residual') yield { layer, input, output };
    input = output;
  }
}
