// Elementwise ops and sums on tensors that lie in blocks of images.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import { sizeOf } from '../../core/structure.ts';
import type { EngineBackend } from '../backend.ts';
import { blockCount, type Form, sameImages, span } from '../layout/blocks.ts';
import { rowFields } from '../records/fields.ts';

// Elementwise kernels of tensors that lie in blocks. What was made in blocks gives a result in blocks; whether someone has
// read it plain meanwhile makes no difference to anyone's bits.

/** The form that a kernel of tensors of one shape works in; undefined if none of them was made in blocks. */
export function commonForm(backend: EngineBackend, tensors: readonly TensorInfo[]): Form | undefined {
  const [{ shape }] = tensors;
  const alike = tensors.every((x) => x.dtype === 'float32' && sameShape(x.shape, shape));
  const forms = alike ? tensors.flatMap((x) => backend.formOf(x) ?? []) : [];
  return forms.every((form) => sameImages(form.shape, forms[0].shape)) ? forms[0] : undefined;
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** A tensor in blocks whose values `run` computes one by one, with the zeros around them, which must stay zero. */
export function mapBlocks(
  backend: EngineBackend,
  inputs: readonly TensorInfo[],
  form: Form,
  run: (inputs: readonly number[], y: number, length: number) => void,
): TensorInfo {
  const { padBytes } = form.layout;
  const sources = inputs.map((x) => backend.blocks(x, form) - padBytes);
  return backend.makeInBlocks(inputs[0].shape, form, (y) => run(sources, y - padBytes, span(form)));
}

/** The form of a tensor that was made in blocks, if `vector` has a value for each of its channels, repeated over all else. */
export function channelForm(backend: EngineBackend, x: TensorInfo, vector: TensorInfo): Form | undefined {
  const channels = x.shape.at(-1);
  const repeated = vector.shape.at(-1) === channels && sizeOf(vector.shape) === channels;
  if (!repeated || vector.dtype !== 'float32' || vector.shape.length > x.shape.length) return undefined;
  const form = commonForm(backend, [x]);
  return form?.shape[3] === channels ? form : undefined;
}

/** scale · x + shift of each channel, of a tensor that was made in blocks of `form`. */
export function affineInBlocks(
  backend: EngineBackend,
  x: TensorInfo,
  form: Form,
  scale: ArrayLike<number>,
  shift: ArrayLike<number>,
): TensorInfo {
  const { heap, pool } = backend;
  const { layout } = form;
  const source = backend.blocks(x, form);
  return backend.makeInBlocks(x.shape, form, (y) => {
    const coefficients = heap.allocate(8 * layout.channels);
    try {
      heap.float32(coefficients, layout.channels).set(scale);
      heap.float32(coefficients + 4 * layout.channels, layout.channels).set(shift);
      pool.run(blockCount(form), 'affine', {
        ...{ x: source, xTask: layout.block, y, yTask: layout.block, block: layout.block },
        ...rowFields(layout, layout.nb),
        pad: layout.padBytes,
        scale: coefficients,
        shift: coefficients + 4 * layout.channels,
        ...{ add: 0, addTask: 0, relu: 0, bits: 0, bitsTask: 0 },
      });
    } finally {
      heap.free(coefficients);
    }
    clearFiller(backend, form, y);
  });
}

/** Zeros the images that fill the last block. */
function clearFiller({ heap }: EngineBackend, form: Form, pointer: number): void {
  const { block, nb } = form.layout;
  const valid = form.shape[0] % nb;
  if (valid === 0) return;
  const values = heap.float32(pointer + (blockCount(form) - 1) * block, block / 4);
  for (let pixel = 0; pixel < values.length; pixel += nb) values.fill(0, pixel + valid, pixel + nb);
}

/** Sums in f64 over images, rows and columns, times `factor`, of a tensor that was made in blocks of `form`; to the address y. */
export function channelSums(backend: EngineBackend, x: TensorInfo, form: Form, factor: number, y: number): void {
  const { heap, pool } = backend;
  const { layout } = form;
  const { block, row, channel, height: rows, channels, tiles } = layout;
  const source = backend.blocks(x, form);
  const tasks = blockCount(form);
  const sums = heap.allocate(8 * tasks * channels);
  try {
    pool.run(tasks, 'sumChannels', { x: source, block, row, channel, rows, channels, tiles, sums });
    const numbers = heap.float64(sums, tasks * channels);
    const totals = heap.float32(y, channels);
    for (let c = 0; c < channels; c++) {
      let total = 0;
      for (let task = 0; task < tasks; task++) total += numbers[task * channels + c];
      totals[c] = total * factor;
    }
  } finally {
    heap.free(sums);
  }
}
