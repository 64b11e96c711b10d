// The kernels of `sparseConv2d` and its gradients, on blocks of images.
import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Structure } from '../../core/structure.ts';
import {
  SparseConv2D,
  type SparseConv2DAttributes,
  SparseConv2DBackpropFilter,
  SparseConv2DBackpropInput,
  type SparseConv2DBackpropInputAttributes,
} from '../../ops/sparse-conv2d.ts';
import type { EngineBackend } from '../backend.ts';
import type { Compiled } from '../blocked/rows.ts';
import { fillWeights, weightGradient } from '../blocked/sparse-convolution.ts';
import { blockCount, copyImages, type Form, imagesForm, type Place, padFor } from '../layout/blocks.ts';
import { type ConvolutionShape, type Geometry, geometry, type Layout, padOf } from '../layout/layout.ts';
import { NO_SUMS, rowFields } from '../records/fields.ts';
import type { Call } from '../records/records.ts';
import { ZEROS } from '../runtime/control.ts';
import { engineKernel } from './kernel.ts';
import { inScratch, type Part } from './scratch.ts';

/** A convolution of tensors [batch, height, width, channels], and how they lie in the blocks that it works on. */
export interface Problem {
  readonly geometry: Geometry;
  readonly x: Form;
  readonly y: Form;
}

export function problem(batch: number, shape: ConvolutionShape, { tiles }: EngineBackend): Problem {
  const { input, output, stride } = shape;
  const sampled = samples(shape);
  const convolved: ConvolutionShape = sampled
    ? { ...shape, stride: 1, input: [output[0], output[1], input[2]] }
    : shape;
  const g = geometry(convolved, Math.max(padOf(convolved), padFor(convolved.input[1])), tiles);
  return {
    geometry: g,
    x: { shape: [batch, ...input], layout: g.x, planes: stride, sampled },
    y: { shape: [batch, ...output], layout: g.y, planes: 1, sampled: false },
  };
}

/** True if a convolution reads one pixel in each square of `stride` by `stride`, which make up the image. */
const samples = ({ kernel, stride, padding, input }: ConvolutionShape): boolean =>
  stride > 1 &&
  kernel.every((size) => size === 1) &&
  padding.every((size) => size === 0) &&
  input[0] % stride === 0 &&
  input[1] % stride === 0;

function convolveCall(
  compiled: Compiled,
  direction: 'forward' | 'transposed',
  x: number,
  from: Layout,
  y: Part,
  to: Layout,
): Call {
  const { slices, groups, pointers, records, rowTable } = compiled[direction];
  const { row: yRow, channel: yChannel, ...rows } = rowFields(to, to.nb);
  return {
    kernel: 'convolve',
    fields: {
      ...NO_SUMS,
      x,
      xTask: from.block,
      xBlock: from.block,
      y: y.pointer,
      yTask: y.step,
      yBlock: to.block,
      ...rows,
      yRow,
      yChannel,
      pad: to.padBytes,
      ...{ slices, groups, pointers, records, rowTable },
      bias: ZEROS,
      biasStep: 0,
      add: 0,
      addTask: 0,
      epilogue: 0,
      bits: 0,
      bitsTask: 0,
    },
  };
}

/** The convolution of x; a new tensor of `outputShape`. */
export function convolve(
  backend: EngineBackend,
  { geometry, x: from, y: to }: Problem,
  structure: Structure,
  values: TensorInfo,
  x: TensorInfo,
  outputShape: readonly number[],
): TensorInfo {
  return backend.rows.pinning(() => {
    const compiled = backend.rows.get(structure, geometry);
    fillWeights(backend, compiled, { values }, false);
    const source = backend.blocks(x, from);
    return backend.makeInBlocks(outputShape, to, (pointer) => {
      const y = { pointer, step: geometry.y.block };
      backend.pool.runChain(blockCount(to), [convolveCall(compiled, 'forward', source, geometry.x, y, geometry.y)]);
    });
  });
}

/** The gradient of a convolution's input; a new tensor of `inputShape`. */
export function inputGradient(
  backend: EngineBackend,
  { geometry, x: to, y: from }: Problem,
  structure: Structure,
  values: TensorInfo,
  dy: TensorInfo,
  inputShape: readonly number[],
): TensorInfo {
  return backend.rows.pinning(() => {
    const compiled = backend.rows.get(structure, geometry);
    fillWeights(backend, compiled, { values }, true);
    const source = backend.blocks(dy, from);
    const tasks = blockCount(from);
    const into = (y: Part) => convolveCall(compiled, 'transposed', source, geometry.y, y, geometry.x);
    if (to.planes === 1) {
      return backend.makeInBlocks(inputShape, to, (pointer) =>
        backend.pool.runChain(tasks, [into({ pointer, step: geometry.x.block })]),
      );
    }
    // The planes' columns go to their places while they are in a thread's cache.
    const form = imagesForm(to.shape, geometry.x.pad, backend.tiles);
    const gather = (target: Place) =>
      inScratch(backend, geometry.x, (part) =>
        backend.pool.runChain(tasks, [into(part), copyImages(to.shape, { form: to, ...part }, target).call]),
      );
    return form.layout.nb <= geometry.x.nb
      ? backend.makeInBlocks(inputShape, form, (pointer) => gather({ form, pointer }))
      : backend.make(inputShape, (pointer) => gather({ pointer }));
  });
}

/** The gradient of a kernel's weights at the structure's nonzeros; a new tensor of `outputShape`. */
export function filterGradient(
  backend: EngineBackend,
  problem: Problem,
  structure: Structure,
  x: TensorInfo,
  dy: TensorInfo,
  outputShape: readonly number[],
): TensorInfo {
  const { geometry } = problem;
  return backend.rows.pinning(() => {
    const compiled = backend.rows.get(structure, geometry);
    const [xAt, dAt] = [backend.blocks(x, problem.x), backend.blocks(dy, problem.y)];
    const images = blockCount(problem.y) * geometry.y.nb;
    return backend.make(outputShape, (pointer) =>
      weightGradient(backend, compiled, geometry, images, xAt, dAt, pointer),
    );
  });
}

const sparseProblem = (
  backend: EngineBackend,
  [batch, height, width, inputs]: readonly number[],
  { structure, stride, padding }: SparseConv2DAttributes,
): Problem => {
  const [kernelHeight, kernelWidth, , outputs] = structure.shape;
  const extent = (input: number, kernel: number) => Math.floor((input + 2 * padding - kernel) / stride) + 1;
  const shape: ConvolutionShape = {
    kernel: [kernelHeight, kernelWidth],
    stride,
    padding: [padding, padding],
    input: [height, width, inputs],
    output: [extent(height, kernelHeight), extent(width, kernelWidth), outputs],
  };
  return problem(batch, shape, backend);
};

const sparseConv2D = engineKernel<{ x: TensorInfo; values: TensorInfo }, SparseConv2DAttributes>(
  SparseConv2D,
  ({ inputs: { x, values }, attrs, backend }) => {
    const p = sparseProblem(backend, x.shape, attrs);
    return convolve(backend, p, attrs.structure, values, x, p.y.shape);
  },
);

const sparseConv2DBackpropInput = engineKernel<
  { dy: TensorInfo; values: TensorInfo },
  SparseConv2DBackpropInputAttributes
>(SparseConv2DBackpropInput, ({ inputs: { dy, values }, attrs, backend }) => {
  const { structure, inputShape } = attrs;
  return inputGradient(backend, sparseProblem(backend, inputShape, attrs), structure, values, dy, inputShape);
});

const sparseConv2DBackpropFilter = engineKernel<{ x: TensorInfo; dy: TensorInfo }, SparseConv2DAttributes>(
  SparseConv2DBackpropFilter,
  ({ inputs: { x, dy }, attrs, backend }) => {
    const { structure } = attrs;
    return filterGradient(backend, sparseProblem(backend, x.shape, attrs), structure, x, dy, [
      structure.positions.length,
    ]);
  },
);

export const sparseConvolutionKernels = [sparseConv2D, sparseConv2DBackpropInput, sparseConv2DBackpropFilter];
