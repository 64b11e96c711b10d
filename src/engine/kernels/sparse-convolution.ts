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
import { ZEROS } from '../control.ts';
import { fillWeights, weightGradient } from '../convolution.ts';
import { asTarget, blockedFields, NO_SUMS, plainFields, rowFields } from '../fields.ts';
import { type ConvolutionShape, type Geometry, geometry, type Layout, layout, padOf } from '../layout.ts';
import type { Call } from '../records.ts';
import type { Compiled } from '../rows.ts';
import { engineKernel } from './kernel.ts';
import { inScratch, type Part } from './scratch.ts';

/** A convolution of tensors [batch, height, width, channels]. */
export interface Problem {
  readonly batch: number;
  readonly shape: ConvolutionShape;
  readonly geometry: Geometry;
}

export const problem = (batch: number, shape: ConvolutionShape, { tiles }: EngineBackend): Problem => ({
  batch,
  shape,
  geometry: geometry(shape, padOf(shape), tiles),
});

/** What a copy between a plain tensor and blocks moves, whichever way. */
const moved = ({ batch }: Problem, of: Layout, [rows, width, channels]: readonly number[], planes: number) => ({
  images: of.nb,
  batch,
  rows,
  channels,
  width,
  planes,
});

/** Copies a plain tensor's images into blocks (of the planes of a strided convolution). */
function pack(
  problem: Problem,
  from: number,
  tensorShape: readonly number[],
  to: Part,
  of: Layout,
  stride: number,
): Call {
  const [height, width, channels] = tensorShape;
  const plain = layout(height, width, channels, 0, 4);
  return {
    kernel: 'repack',
    fields: {
      x: from,
      xTask: of.nb * height * width * channels * 4,
      ...plainFields(plain),
      xPixel: stride * 4 * channels,
      xPlane: 4 * channels,
      y: to.pointer,
      yTask: to.step,
      ...blockedFields('y', of),
      yPlane: channels * of.channel,
      ...moved(problem, of, tensorShape, stride),
      columns: of.width + of.pad,
      interleaved: 0,
      pad: of.padBytes,
    },
  };
}

/** The way back. */
function unpack(
  problem: Problem,
  from: Part,
  of: Layout,
  to: number,
  tensorShape: readonly number[],
  stride: number,
): Call {
  const [height, width, channels] = tensorShape;
  const plain = layout(height, width, channels, 0, 4);
  return {
    kernel: 'repack',
    fields: {
      x: from.pointer,
      xTask: from.step,
      ...blockedFields('x', of),
      xPlane: channels * of.channel,
      y: to,
      yTask: of.nb * height * width * channels * 4,
      ...asTarget(plainFields(plain)),
      yPixel: stride * 4 * channels,
      yPlane: 4 * channels,
      ...moved(problem, of, tensorShape, stride),
      columns: width,
      interleaved: 1,
      pad: 0,
    },
  };
}

function convolveCall(
  compiled: Compiled,
  direction: 'forward' | 'transposed',
  x: Part,
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
      x: x.pointer,
      xTask: x.step,
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
      channelMajor: to.tiles > 1 && compiled.nonzeros > 0.03 * compiled.size ? 0 : 1,
    },
  };
}

/** The convolution of x, or with `direction` transposed the gradient of its input at dy; a new tensor of `outputShape`. */
export function convolve(
  backend: EngineBackend,
  problem: Problem,
  structure: Structure,
  values: TensorInfo,
  x: TensorInfo,
  outputShape: readonly number[],
  direction: 'forward' | 'transposed' = 'forward',
): TensorInfo {
  const { geometry, shape, batch } = problem;
  return backend.rows.pinning(() => {
    const compiled = backend.rows.get(structure, geometry);
    const transposed = direction === 'transposed';
    fillWeights(backend, compiled, { values }, transposed);
    const source = backend.pointer(x);
    return backend.make(outputShape, (pointer) =>
      inScratch(backend, [geometry.x, geometry.y], 'thread', ([inner, outer]) => {
        const tasks = Math.ceil(batch / geometry.y.nb);
        const { stride } = shape;
        backend.pool.runChain(
          tasks,
          transposed
            ? [
                pack(problem, source, shape.output, outer, geometry.y, 1),
                convolveCall(compiled, direction, outer, geometry.y, inner, geometry.x),
                unpack(problem, inner, geometry.x, pointer, shape.input, stride),
              ]
            : [
                pack(problem, source, shape.input, inner, geometry.x, stride),
                convolveCall(compiled, direction, inner, geometry.x, outer, geometry.y),
                unpack(problem, outer, geometry.y, pointer, shape.output, 1),
              ],
        );
      }),
    );
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
  const { geometry, shape, batch } = problem;
  return backend.rows.pinning(() => {
    const compiled = backend.rows.get(structure, geometry);
    const [xAt, dAt] = [backend.pointer(x), backend.pointer(dy)];
    const tasks = Math.ceil(batch / geometry.y.nb);
    return backend.make(outputShape, (pointer) =>
      inScratch(backend, [geometry.x, geometry.y], tasks, ([inner, outer]) => {
        backend.pool.runChain(tasks, [
          pack(problem, xAt, shape.input, inner, geometry.x, shape.stride),
          pack(problem, dAt, shape.output, outer, geometry.y, 1),
        ]);
        weightGradient(backend, compiled, geometry, tasks * geometry.y.nb, inner.pointer, outer.pointer, pointer);
      }),
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
    return convolve(backend, p, attrs.structure, values, x, [p.batch, ...p.shape.output]);
  },
);

const sparseConv2DBackpropInput = engineKernel<
  { dy: TensorInfo; values: TensorInfo },
  SparseConv2DBackpropInputAttributes
>(SparseConv2DBackpropInput, ({ inputs: { dy, values }, attrs, backend }) =>
  convolve(
    backend,
    sparseProblem(backend, attrs.inputShape, attrs),
    attrs.structure,
    values,
    dy,
    attrs.inputShape,
    'transposed',
  ),
);

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
