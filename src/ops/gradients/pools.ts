// The gradients of average and maximum pools, with every way to pad and to round the number of windows.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { runKernel } from '../kernel.ts';
import { gradient } from './gradient.ts';
import { placed, spread } from './spread.ts';

type Shape4D = [number, number, number, number];
type Shape5D = [number, number, number, number, number];

interface Pool {
  readonly filterSize: number | [number, number];
  readonly strides: number | [number, number];
  readonly pad: 'valid' | 'same' | number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

/** The windows along one axis. */
interface Windows {
  /** Values along the axis. */
  readonly input: number;
  readonly output: number;
  readonly size: number;
  readonly stride: number;
  /** Padding before the first value. */
  readonly before: number;
}

function windows2D(shape: readonly number[], { filterSize, strides, pad, dimRoundingMode }: Pool): readonly Windows[] {
  const info = tf.backend_util.computePool2DInfo(shape as Shape4D, filterSize, strides, 1, pad, dimRoundingMode);
  const { inHeight, outHeight, filterHeight, strideHeight, inWidth, outWidth, filterWidth, strideWidth } = info;
  return [
    { input: inHeight, output: outHeight, size: filterHeight, stride: strideHeight, before: info.padInfo.top },
    { input: inWidth, output: outWidth, size: filterWidth, stride: strideWidth, before: info.padInfo.left },
  ];
}

function windows3D(shape: readonly number[], { filterSize, strides, pad, dimRoundingMode }: Pool): readonly Windows[] {
  const info = tf.backend_util.computePool3DInfo(
    shape as Shape5D,
    filterSize as unknown as [number, number, number],
    strides as unknown as [number, number, number],
    1,
    pad,
    dimRoundingMode,
  );
  const { inDepth, outDepth, filterDepth, strideDepth } = info;
  const { inHeight, outHeight, filterHeight, strideHeight, inWidth, outWidth, filterWidth, strideWidth } = info;
  return [
    { input: inDepth, output: outDepth, size: filterDepth, stride: strideDepth, before: info.padInfo.front },
    { input: inHeight, output: outHeight, size: filterHeight, stride: strideHeight, before: info.padInfo.top },
    { input: inWidth, output: outWidth, size: filterWidth, stride: strideWidth, before: info.padInfo.left },
  ];
}

/** Values that each window along an axis has: its size, less what lies in the padding. */
const counts = ({ input, output, size, stride, before }: Windows): readonly number[] =>
  Array.from({ length: output }, (_, i) => {
    const first = i * stride - before;
    return Math.max(1, Math.min(first + size, input) - Math.max(first, 0));
  });

/** The length of an axis that has its padding, as far as a window or a value reaches. */
const paddedLength = ({ input, output, size, stride, before }: Windows): number =>
  Math.max((output - 1) * stride + size, before + input);

const withoutPadding = (dx: Tensor, axes: readonly Windows[], x: Tensor): Tensor =>
  tf.slice(dx, [0, ...axes.map(({ before }) => before), 0], x.shape);

/**
 * The gradients of average pools. A window at the border averages the values that it has, fewer than its size. Several
 * backends divide by its size all the same, so the padding is made explicit here, and no window lies at a border.
 */
const averagePool = (
  kernelName: string,
  gradientKernel: string,
  windowsOf: (shape: readonly number[], pool: Pool) => readonly Windows[],
) =>
  gradient<Pool>({
    kernelName,
    inputsToSave: ['x'],
    gradFunc: (dy, [x], pool) => ({
      x: () => {
        const { filterSize, strides } = pool;
        const axes = windowsOf(x.shape, pool);
        const [batch, channels] = [x.shape[0], x.shape[x.rank - 1]];
        const padded = [batch, ...axes.map(paddedLength), channels];
        const slopes = axes.reduce((scaled: Tensor, windows, axis) => {
          const own = counts(windows);
          if (own.every((count) => count === windows.size)) return scaled;
          const factors = own.map((count) => windows.size / count);
          return tf.mul(scaled, tf.reshape(tf.tensor1d(factors), [own.length, ...Array(axes.length - axis).fill(1)]));
        }, dy);
        const isPadded = axes.some((windows) => paddedLength(windows) !== windows.input);
        const input = isPadded ? tf.fill(padded, 0) : x;
        const dx = runKernel<Tensor>(gradientKernel, { dy: slopes, input }, { filterSize, strides, pad: 'valid' });
        return isPadded ? withoutPadding(dx, axes, x) : dx;
      },
    }),
  });

const maxPool = gradient<Pool>({
  kernelName: 'MaxPool',
  inputsToSave: ['x'],
  outputsToSave: [true],
  gradFunc: (dy, [x, y], pool) => ({ x: () => runKernel('MaxPoolGrad', { dy, input: x, output: y }, pool) }),
});

/** Less than any value that a window may have. */
const LOWEST = -3.4e38;

/**
 * The gradient of maximum pools of volumes. dy of a window goes to its largest values, in equal parts. It is written as
 * one slice for each place in a window, since the kernels mistake windows that are not as high as they are wide.
 */
const maxPool3D = gradient<Pool>({
  kernelName: 'MaxPool3D',
  inputsToSave: ['x'],
  outputsToSave: [true],
  gradFunc: (dy, [x, y], pool) => ({
    x: () => {
      const axes = windows3D(x.shape, pool);
      const lengths = axes.map(paddedLength);
      const around = axes.map(({ before, input }, i) => [before, lengths[i] - before - input] as [number, number]);
      const padded = tf.pad(x, [[0, 0], ...around, [0, 0]], LOWEST);
      const [batch, channels] = [x.shape[0], x.shape[4]] as [number, number];
      const strides = [1, ...axes.map(({ stride }) => stride), 1];
      const isLargest = places(axes.map(({ size }) => size)).map((place) => {
        const end = axes.map(({ output, stride }, i) => place[i] + (output - 1) * stride + 1);
        const values = tf.stridedSlice(padded, [0, ...place, 0], [batch, ...end, channels], strides);
        return { place, mask: tf.cast(tf.equal(values, y), 'float32') };
      });
      const share = tf.div(dy, tf.addN(isLargest.map(({ mask }) => mask)));
      const slopes = isLargest.map(({ place, mask }) =>
        axes.reduce(
          (dx: Tensor, { stride }, i) => placed(spread(dx, i + 1, stride), i + 1, place[i], lengths[i]),
          tf.mul(mask, share),
        ),
      );
      return withoutPadding(tf.addN(slopes), axes, x);
    },
  }),
});

/** All index vectors below the sizes. */
const places = (sizes: readonly number[]): readonly (readonly number[])[] =>
  sizes.reduce<number[][]>(
    (found, size) => found.flatMap((place) => Array.from({ length: size }, (_, i) => [...place, i])),
    [[]],
  );

export const poolGradients = [
  averagePool('AvgPool', 'AvgPoolGrad', windows2D),
  averagePool('AvgPool3D', 'AvgPool3DGrad', windows3D),
  maxPool,
  maxPool3D,
];
