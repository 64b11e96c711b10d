import type { backend_util, TensorInfo } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { asTarget, blockedFields, plainFields, poolFields } from '../fields.ts';
import { type Layout, layout } from '../layout.ts';
import type { Call } from '../records.ts';
import { engineKernel, reference } from './kernel.ts';
import { inScratch, type Part } from './scratch.ts';

interface PoolAttributes {
  readonly filterSize: [number, number] | number;
  readonly strides: [number, number] | number;
  readonly pad: 'valid' | 'same' | number | backend_util.ExplicitPadding;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

interface Pooling {
  readonly batch: number;
  readonly size: number;
  readonly x: Layout;
  readonly y: Layout;
}

/** Images a task; also the block, since pooling has no register tiles. */
const IMAGES = 4;

/** A pooling of square windows that neither overlap nor are padded; null for others. */
function pooling(
  shape: readonly number[],
  { filterSize, strides, pad, dimRoundingMode }: PoolAttributes,
): Pooling | null {
  const info = tf.backend_util.computePool2DInfo(
    shape as [number, number, number, number],
    filterSize,
    strides,
    1,
    pad,
    dimRoundingMode,
  );
  const size = info.filterHeight;
  const { top, bottom, left, right } = info.padInfo;
  const ours =
    info.filterWidth === size &&
    info.strideHeight === size &&
    info.strideWidth === size &&
    top + bottom + left + right === 0 &&
    size <= 15 &&
    info.outHeight === Math.floor(info.inHeight / size) &&
    info.outWidth === Math.floor(info.inWidth / size) &&
    Math.min(info.batchSize, info.outHeight, info.outWidth, info.inChannels) > 0;
  if (!ours) return null;
  return {
    batch: info.batchSize,
    size,
    x: layout(info.inHeight, info.inWidth, info.inChannels, 0, IMAGES),
    y: layout(info.outHeight, info.outWidth, info.outChannels, 0, IMAGES),
  };
}

/** A copy between a plain tensor and blocks. */
function copy(batch: number, of: Layout, tensor: number, part: Part, direction: 'pack' | 'unpack'): Call {
  const tensorStep = IMAGES * of.height * of.width * of.channels * 4;
  const common = {
    images: IMAGES,
    batch,
    rows: of.height,
    channels: of.channels,
    width: of.width,
    planes: 1,
    columns: of.width,
    interleaved: 0,
    pad: 0,
  };
  return direction === 'pack'
    ? {
        kernel: 'repack',
        fields: {
          x: tensor,
          xTask: tensorStep,
          ...plainFields(of),
          y: part.pointer,
          yTask: part.step,
          ...blockedFields('y', of),
          ...common,
        },
      }
    : {
        kernel: 'repack',
        fields: {
          x: part.pointer,
          xTask: part.step,
          ...blockedFields('x', of),
          y: tensor,
          yTask: tensorStep,
          ...asTarget(plainFields(of)),
          ...common,
        },
      };
}

const poolCall = (kernel: 'maxPool' | 'maxPoolGradient', p: Pooling, x: Part, y: Part, choices: Part | null): Call => ({
  kernel,
  fields: {
    x: x.pointer,
    xTask: x.step,
    y: y.pointer,
    yTask: y.step,
    ...poolFields(p.x, p.y, IMAGES),
    size: p.size,
    pad: 0,
    choices: choices?.pointer ?? 0,
    choicesTask: choices?.step ?? 0,
    relu: 0,
  },
});

const maxPool = engineKernel<{ x: TensorInfo }, PoolAttributes>('MaxPool', (call) => {
  const { inputs, attrs, backend } = call;
  const { x } = inputs;
  const p = x.dtype === 'float32' ? pooling(x.shape, attrs) : null;
  if (!p) return reference('MaxPool', call);
  const source = backend.pointer(x);
  return backend.make([p.batch, p.y.height, p.y.width, p.y.channels], (pointer) =>
    inScratch(backend, [p.x, p.y], 'thread', ([from, to]) => {
      backend.pool.runChain(Math.ceil(p.batch / IMAGES), [
        copy(p.batch, p.x, source, from, 'pack'),
        poolCall('maxPool', p, from, to, null),
        copy(p.batch, p.y, pointer, to, 'unpack'),
      ]);
    }),
  );
});

const maxPoolGrad = engineKernel<{ dy: TensorInfo; input: TensorInfo; output: TensorInfo }, PoolAttributes>(
  'MaxPoolGrad',
  (call) => {
    const { inputs, attrs, backend } = call;
    const { dy, input } = inputs;
    const p = input.dtype === 'float32' ? pooling(input.shape, attrs) : null;
    if (!p) return reference('MaxPoolGrad', call);
    const [source, gradient] = [backend.pointer(input), backend.pointer(dy)];
    return backend.make(input.shape, (pointer) =>
      inScratch(backend, [p.x, p.y, p.y], 'thread', ([from, to, choices]) => {
        backend.pool.runChain(Math.ceil(p.batch / IMAGES), [
          copy(p.batch, p.x, source, from, 'pack'),
          poolCall('maxPool', p, from, to, choices),
          copy(p.batch, p.y, gradient, to, 'pack'),
          poolCall('maxPoolGradient', p, from, to, choices),
          copy(p.batch, p.x, pointer, from, 'unpack'),
        ]);
      }),
    );
  },
);

export const poolingKernels = [maxPool, maxPoolGrad];
