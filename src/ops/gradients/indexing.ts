// The gradients of ops that take values at places, or put them there. Indices themselves have gradient zero.
import type { Tensor } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { gradient, zerosLike } from './gradient.ts';
import { placed, spread } from './spread.ts';

/** Adds rows [rows, ...] up at their places [rows] of `count`. */
const sumRows = (rows: Tensor, places: Tensor, count: number): Tensor =>
  tf.scatterND(tf.reshape(places, [places.size, 1]), rows, [count, ...rows.shape.slice(1)]);

/** Places in each of `groups` runs of `size` values, [groups, k], as places in all of them. */
const inAllGroups = (places: Tensor, groups: number, size: number): Tensor =>
  groups === 1 ? places : tf.add(places, tf.reshape(tf.range(0, groups * size, size, 'int32'), [groups, 1]));

/** The gradient of gather. The leading `batchDims` dimensions of x and indices are the same, and each has its own indices. */
const gather = gradient<{ readonly axis: number; readonly batchDims: number }>({
  kernelName: 'GatherV2',
  inputsToSave: ['x', 'indices'],
  reads: { x: ['indices'] },
  gradFunc: (dy, [x, indices], attrs) => ({
    x: () => {
      const [axis] = tf.util.parseAxisParam(attrs.axis, x.shape);
      const batchDims = attrs.batchDims < 0 ? attrs.batchDims + indices.rank : attrs.batchDims;
      const batch = sizeOf(x.shape.slice(0, batchDims));
      const outer = sizeOf(x.shape.slice(batchDims, axis));
      const inner = sizeOf(x.shape.slice(axis + 1));
      const [size, taken] = [x.shape[axis], indices.size / batch];
      const rows = tf.transpose(tf.reshape(dy, [batch, outer, taken, inner]), [0, 2, 1, 3]);
      const places = inAllGroups(tf.reshape(indices, [batch, taken]), batch, size);
      const sums = sumRows(tf.reshape(rows, [batch * taken, outer * inner]), places, batch * size);
      return tf.reshape(tf.transpose(tf.reshape(sums, [batch, size, outer, inner]), [0, 2, 1, 3]), x.shape);
    },
    indices: () => zerosLike(indices),
  }),
});

const topK = gradient<object, readonly Tensor[]>({
  kernelName: 'TopK',
  inputsToSave: ['x'],
  reads: {},
  outputsToSave: [false, true],
  gradFunc: ([dy], [x, indices]) => ({
    x: () => {
      const size = x.shape[x.rank - 1];
      const [rows, k] = [x.size / size, indices.shape[indices.rank - 1]];
      const places = inAllGroups(tf.reshape(indices, [rows, k]), rows, size);
      return tf.reshape(sumRows(tf.reshape(dy, [rows * k]), places, x.size), x.shape);
    },
  }),
});

const gatherND = gradient({
  kernelName: 'GatherNd',
  inputsToSave: ['params', 'indices'],
  reads: { params: ['indices'] },
  gradFunc: (dy, [params, indices]) => ({
    params: () => tf.scatterND(indices, dy, params.shape),
    indices: () => zerosLike(indices),
  }),
});

const scatterND = gradient({
  kernelName: 'ScatterNd',
  inputsToSave: ['indices'],
  gradFunc: (dy, [indices]) => ({
    updates: () => tf.gatherND(dy, indices),
    indices: () => zerosLike(indices),
  }),
});

/** The gradient of sums of rows by segment: each row's is its segment's, and zero for rows in no segment. */
const segmentSum = gradient<{ readonly numSegments: number }>({
  kernelName: 'UnsortedSegmentSum',
  inputsToSave: ['x', 'segmentIds'],
  gradFunc: (dy, [x, segmentIds]) => ({
    x: () => {
      const hasSegment = tf.greaterEqual(segmentIds, tf.scalar(0, 'int32'));
      const rows = tf.gather(dy, tf.cast(tf.maximum(segmentIds, tf.scalar(0, 'int32')), 'int32'));
      return tf.mul(rows, tf.reshape(tf.cast(hasSegment, 'float32'), [x.shape[0], ...Array(x.rank - 1).fill(1)]));
    },
    segmentIds: () => zerosLike(segmentIds),
  }),
});

interface StridedSlice {
  readonly begin: number[];
  readonly end: number[];
  readonly strides: number[];
  readonly beginMask: number;
  readonly endMask: number;
  readonly ellipsisMask: number;
  readonly newAxisMask: number;
  readonly shrinkAxisMask: number;
}

/** The gradient of slices with strides: along each axis dy is set apart, turned round and padded to where it was taken. */
const stridedSlice = gradient<StridedSlice>({
  kernelName: 'StridedSlice',
  inputsToSave: ['x'],
  reads: {},
  gradFunc: (dy, [x], attrs) => ({
    x: () => {
      const { begin, end, strides } = tf.slice_util.sliceInfo(
        x.shape,
        attrs.begin,
        attrs.end,
        attrs.strides,
        attrs.beginMask,
        attrs.endMask,
        attrs.ellipsisMask,
        attrs.newAxisMask,
        attrs.shrinkAxisMask,
      );
      const sizes = begin.map((first, axis) => Math.max(0, Math.ceil((end[axis] - first) / strides[axis])));
      if (sizes.includes(0)) return zerosLike(x);
      return sizes.reduce(
        (taken: Tensor, size, axis) => {
          const stride = strides[axis];
          const forwards = stride < 0 ? tf.reverse(taken, axis) : taken;
          const apart = spread(forwards, axis, Math.abs(stride));
          return placed(apart, axis, Math.min(begin[axis], begin[axis] + (size - 1) * stride), x.shape[axis]);
        },
        tf.reshape(dy, sizes),
      );
    },
  }),
});

export const indexingGradients = [gather, topK, gatherND, scatterND, segmentSum, stridedSlice];
