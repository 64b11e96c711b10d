// The kernel of batch norm on plain tensors and on blocks.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import { affineInBlocks, channelForm } from './in-blocks.ts';
import { CHUNK, engineKernel, reference } from './kernel.ts';

interface Inputs {
  readonly x: TensorInfo;
  readonly mean: TensorInfo;
  readonly variance: TensorInfo;
  readonly scale?: TensorInfo;
  readonly offset?: TensorInfo;
}

/** Copies of the channels that make a multiple of four, as the kernel's vectors are. */
const repeats = (channels: number): number => 4 / [4, 2, 1].reduce((best, n) => (channels % best === 0 ? best : n));

/** y = (x − mean) · scale / √(variance + ε) + offset, one of each a channel. */
const batchNorm = engineKernel<Inputs, { varianceEpsilon?: number }>('FusedBatchNorm', (call) => {
  const { inputs, attrs, backend } = call;
  const { x, mean, variance, scale, offset } = inputs;
  const channels = x.shape[x.shape.length - 1];
  const length = sizeOf(x.shape);
  const one = (tensor: TensorInfo | undefined) => !tensor || sizeOf(tensor.shape) === channels;
  const ours = x.dtype === 'float32' && length > 0 && [mean, variance, scale, offset].every(one);
  if (!ours) return reference('FusedBatchNorm', call);
  const { heap, pool } = backend;
  const { varianceEpsilon = 0.001 } = attrs;
  const values = (tensor: TensorInfo) => heap.float32(backend.pointer(tensor), channels);
  const [means, variances, scales, offsets] = [
    values(mean),
    values(variance),
    scale && values(scale),
    offset && values(offset),
  ];
  const factor = (c: number) => (scales?.[c] ?? 1) / Math.sqrt(variances[c] + varianceEpsilon);
  const form = channelForm(backend, x, mean);
  if (form) {
    const scale = Float32Array.from({ length: channels }, (_, c) => factor(c));
    const shift = scale.map((s, c) => (offsets?.[c] ?? 0) - s * means[c]);
    return affineInBlocks(backend, x, form, scale, shift);
  }
  const source = backend.pointer(x);
  const period = channels * repeats(channels);
  const coefficients = heap.allocate(12 * period);
  try {
    const table = heap.float32(coefficients, 3 * period);
    for (let i = 0; i < period; i++) {
      const c = i % channels;
      table[i] = means[c];
      table[period + i] = factor(c);
      table[2 * period + i] = offsets?.[c] ?? 0;
    }
    const chunk = period * Math.max(1, Math.floor(CHUNK / period));
    return backend.make(x.shape, (y) => {
      pool.run(Math.ceil(length / chunk), 'normalize', {
        ...{ x: source, y, length, chunk, period },
        mean: coefficients,
        scale: coefficients + 4 * period,
        offset: coefficients + 8 * period,
      });
    });
  } finally {
    heap.free(coefficients);
  }
});

export const batchNormKernels = [batchNorm];
