// One row for each kernel that has a registered gradient: cases that run the kernel, over odd shapes, strides, broadcasts
// and modes. gradients.test.ts compares the gradient of every case with central differences.
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D, Tensor5D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { structure } from '../../src/core/structure.ts';
import { runNetwork } from '../../src/ops/network.ts';
import { sparseConv2d } from '../../src/ops/sparse-conv2d.ts';
import { sparseMatMul } from '../../src/ops/sparse-matmul.ts';

/**
 * Values of inputs: spread evenly over a range and shuffled, so that no two of an input are near each other; or a list for
 * each input.
 */
export type Values = readonly [low: number, high: number] | { readonly lists: readonly (readonly number[])[] };

export interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly apply: (...inputs: readonly never[]) => Tensor | readonly Tensor[];
  readonly values: Values;
}

const USUAL: Values = [-1.9, 2.1];

/** A case of `apply` at inputs of the shapes given. */
const at = <Inputs extends readonly Tensor[]>(
  shapes: readonly (readonly number[])[],
  apply: (...inputs: Inputs) => Tensor | readonly Tensor[],
  values: Values = USUAL,
): Case => ({ shapes, apply: apply as unknown as Case['apply'], values });

const unary = (apply: (x: Tensor) => Tensor, values?: Values): readonly Case[] => [
  at([[3, 5]], apply, values),
  at([[]], apply, values),
];

/** Shapes that broadcast: the same, either one, both, and against a scalar. */
const PAIRS: readonly (readonly number[])[][] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], [3]],
  [[3], [2, 3]],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[], [3]],
  [[1, 3, 1, 2], [1]],
];
const binary = (apply: (a: Tensor, b: Tensor) => Tensor, values?: Values): readonly Case[] =>
  PAIRS.map((shapes) => at(shapes, apply, values));

const int = (values: readonly number[], shape?: number[]): Tensor =>
  tf.tensor(Int32Array.from(values), shape ?? [values.length], 'int32');

const float = (x: Tensor): Tensor => tf.cast(x, 'float32');

/** What an op with a zero gradient adds to one with a gradient: so the tape passes both. */
const beside = (constant: (x: Tensor) => Tensor) => (x: Tensor) => [tf.square(x), float(constant(x))];

const compared = (compare: (a: Tensor, b: Tensor) => Tensor): readonly Case[] =>
  PAIRS.map((shapes) => at(shapes, (a: Tensor, b: Tensor) => tf.mul(tf.add(a, b), float(compare(a, b)))));

const reductions = (apply: (x: Tensor, axis?: number | number[], keepDims?: boolean) => Tensor): readonly Case[] => [
  at([[2, 3, 4]], (x: Tensor) => apply(x)),
  at([[2, 3, 4]], (x: Tensor) => apply(x, 1)),
  at([[2, 3, 4]], (x: Tensor) => apply(x, -1, true)),
  at([[2, 3, 4]], (x: Tensor) => apply(x, [0, 2])),
  at([[2, 3, 4]], (x: Tensor) => apply(x, [2, 0], true)),
  at([[5]], (x: Tensor) => apply(x, 0)),
];

const IMAGES: Values = [-1, 1];
/** A range in which a hundred values are far enough apart for a maximum to stay the same value. */
const APART: Values = [-9, 9];

/** Sizes of windows over images: odd heights and widths, strides that leave a rest, and each way to pad. */
const WINDOWS = [
  { size: 2, stride: 1, pad: 'valid' },
  { size: 2, stride: 2, pad: 'same' },
  { size: 3, stride: 2, pad: 'same' },
  { size: 3, stride: 2, pad: 'valid' },
  { size: [2, 3], stride: [3, 1], pad: 'same' },
  { size: 3, stride: 2, pad: 1, round: 'floor' },
  { size: 3, stride: 2, pad: 1, round: 'ceil' },
] as const;

const pools = (
  apply: (
    x: Tensor4D,
    size: number | [number, number],
    stride: number | [number, number],
    pad: 'valid' | 'same' | number,
    round?: 'floor' | 'round' | 'ceil',
  ) => Tensor,
): readonly Case[] =>
  WINDOWS.map((windows) =>
    at(
      [[2, 5, 4, 2]],
      (x: Tensor4D) =>
        apply(
          x,
          windows.size as number | [number, number],
          windows.stride as number | [number, number],
          windows.pad,
          'round' in windows ? windows.round : undefined,
        ),
      APART,
    ),
  );

const pools3D = (apply: typeof tf.avgPool3d): readonly Case[] => [
  at([[1, 3, 4, 5, 2]], (x: Tensor5D) => apply(x, 2, 2, 'same'), APART),
  at([[1, 3, 4, 5, 2]], (x: Tensor5D) => apply(x, [2, 3, 2], [1, 2, 2], 'same'), APART),
  at([[2, 3, 3, 3, 1]], (x: Tensor5D) => apply(x, 2, 1, 'valid'), APART),
  at([[1, 3, 4, 5, 1]], (x: Tensor5D) => apply(x, 3, 2, 1, 'ceil'), APART),
];

/** Strides, padding and dilations of convolutions of [2, 6, 5, channels] by [3, 2, …]. */
const CONVOLUTIONS = [
  { strides: 1, pad: 'same' },
  { strides: 2, pad: 'same' },
  { strides: [2, 3], pad: 'valid' },
  { strides: 2, pad: 1, round: 'floor' },
  { strides: 2, pad: 2, round: 'ceil' },
  { strides: 1, pad: 'same', dilations: 2 },
  { strides: 1, pad: 'valid', dilations: [2, 3] },
  { strides: 1, pad: 2, dilations: [1, 2] },
] as const;

const convolutions = (
  filter: readonly number[],
  apply: (
    x: Tensor4D,
    filter: Tensor4D,
    strides: number | [number, number],
    pad: 'same' | 'valid' | number,
    dilations: number | [number, number],
    round?: 'floor' | 'ceil',
  ) => Tensor,
): readonly Case[] =>
  CONVOLUTIONS.map((convolution) =>
    at(
      [[2, 6, 5, 2], filter],
      (x: Tensor4D, taps: Tensor4D) =>
        apply(
          x,
          taps,
          convolution.strides as number | [number, number],
          convolution.pad,
          ('dilations' in convolution ? convolution.dilations : 1) as number | [number, number],
          'round' in convolution ? convolution.round : undefined,
        ),
      IMAGES,
    ),
  );

const RESIZES: readonly (readonly [from: readonly number[], to: [number, number]])[] = [
  [
    [1, 4, 6, 2],
    [8, 12],
  ],
  [
    [2, 5, 7, 1],
    [3, 4],
  ],
  [
    [1, 3, 4, 2],
    [7, 9],
  ],
  [
    [1, 5, 3, 1],
    [2, 8],
  ],
  [
    [1, 6, 5, 1],
    [1, 5],
  ],
  [
    [1, 1, 3, 1],
    [4, 1],
  ],
];
const MODES = [
  [false, false],
  [true, false],
  [false, true],
] as const;
const resizes = (apply: typeof tf.image.resizeBilinear): readonly Case[] =>
  RESIZES.flatMap(([from, to]) =>
    MODES.map(([alignCorners, halfPixels]) => at([from], (x: Tensor4D) => apply(x, to, alignCorners, halfPixels))),
  );

const mirrored = (mode: 'reflect' | 'symmetric'): readonly Case[] => [
  at([[4]], (x: Tensor1D) => tf.mirrorPad(x, [[3, 2]], mode)),
  at([[3, 4]], (x: Tensor2D) =>
    tf.mirrorPad(
      x,
      [
        [0, 2],
        [1, 0],
      ],
      mode,
    ),
  ),
  at([[2, 4, 3, 2]], (x: Tensor4D) =>
    tf.mirrorPad(
      x,
      [
        [0, 0],
        [3, 2],
        [1, 2],
        [0, 0],
      ],
      mode,
    ),
  ),
];

const SPARSE = structure([3, 3, 2, 3], Int32Array.of(0, 3, 7, 12, 20, 21, 30, 33, 40, 53));
const SPARSE_MATRIX = structure([4, 3], Int32Array.of(0, 2, 3, 7, 8, 10));

/** The rows by kernel. */
export const ROWS: Readonly<Record<string, readonly Case[]>> = {
  Abs: unary(tf.abs),
  Acos: unary(tf.acos, [-0.8, 0.8]),
  Acosh: unary(tf.acosh, [1.3, 3]),
  Add: binary(tf.add),
  AddN: [
    at(
      [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
      (...xs: Tensor[]) => tf.addN(xs),
    ),
  ],
  All: [
    at(
      [[3, 4]],
      beside((x) => tf.all(tf.greater(x, -1), 1)),
    ),
  ],
  Any: [
    at(
      [[3, 4]],
      beside((x) => tf.any(tf.greater(x, 1), 1)),
    ),
  ],
  ArgMax: [
    at(
      [[3, 4]],
      beside((x) => tf.argMax(x, 1)),
    ),
  ],
  ArgMin: [
    at(
      [[3, 4]],
      beside((x) => tf.argMin(x, 0)),
    ),
  ],
  Asin: unary(tf.asin, [-0.8, 0.8]),
  Asinh: unary(tf.asinh),
  Atan: unary(tf.atan),
  Atan2: binary(tf.atan2, [0.5, 2]),
  Atanh: unary(tf.atanh, [-0.8, 0.8]),
  AvgPool: [...pools(tf.avgPool), at([[5, 3, 2]], (x: Tensor3D) => tf.avgPool(x, [3, 2], 2, 'same'))],
  AvgPool3D: pools3D(tf.avgPool3d),
  BatchMatMul: [
    [[3, 4], [4, 2], false, false],
    [[4, 3], [4, 2], true, false],
    [[3, 4], [2, 4], false, true],
    [[4, 3], [2, 4], true, true],
    [[2, 3, 4], [2, 4, 2], false, false],
    [[2, 3, 4], [1, 4, 2], false, false],
    [[1, 4, 3], [2, 4, 2], true, false],
    [[3, 1, 3, 4], [2, 4], false, true],
    [[2, 3, 4], [4, 2], false, false],
    [[4, 3], [2, 2, 4], true, true],
  ].map(([a, b, transposeA, transposeB]) =>
    at([a as number[], b as number[]], (x: Tensor, y: Tensor) =>
      tf.matMul(x, y, transposeA as boolean, transposeB as boolean),
    ),
  ),
  BatchToSpaceND: [
    at([[4, 2, 3, 1]], (x: Tensor4D) =>
      tf.batchToSpaceND(
        x,
        [2, 2],
        [
          [0, 1],
          [1, 0],
        ],
      ),
    ),
  ],
  Cast: [
    at([[3, 4]], (x: Tensor) => tf.mul(x, float(tf.cast(x, 'int32'))), { lists: [[0.5, -0.5, 1.4, 2.6, -1.7, 0.3]] }),
    at([[3, 4]], (x: Tensor) => tf.mul(x, float(tf.cast(x, 'bool')))),
    at([[3, 4]], float),
  ],
  Ceil: [at([[3]], (x: Tensor) => tf.add(x, tf.ceil(x)), { lists: [[0.5, -0.6, 1.3]] })],
  ClipByValue: unary((x) => tf.clipByValue(x, -1.05, 0.9)),
  Concat: [
    at(
      [
        [2, 3],
        [2, 1],
        [2, 2],
      ],
      (...xs: Tensor2D[]) => tf.concat(xs, -1),
    ),
    at(
      [
        [1, 2, 2],
        [3, 2, 2],
      ],
      (...xs: Tensor3D[]) => tf.concat(xs, 0),
    ),
  ],
  Conv2D: [
    ...convolutions([3, 2, 2, 3], (x, filter, strides, pad, dilations, round) =>
      tf.conv2d(x, filter, strides, pad, 'NHWC', dilations, round),
    ),
    at(
      [
        [1, 2, 5, 4],
        [3, 2, 2, 3],
      ],
      (x: Tensor4D, filter: Tensor4D) => tf.conv2d(x, filter, 1, 'same', 'NCHW'),
      IMAGES,
    ),
    at(
      [
        [2, 7, 2],
        [3, 2, 2],
      ],
      (x: Tensor3D, filter: Tensor3D) => tf.conv1d(x, filter, 1, 'same', 'NWC', 2),
      IMAGES,
    ),
  ],
  Conv2DBackpropInput: [
    at(
      [
        [1, 3, 2, 3],
        [3, 2, 2, 3],
      ],
      (x: Tensor4D, filter: Tensor4D) => tf.conv2dTranspose(x, filter, [1, 6, 4, 2], 2, 'same'),
      IMAGES,
    ),
    at(
      [
        [2, 3, 3, 1],
        [2, 2, 2, 1],
      ],
      (x: Tensor4D, filter: Tensor4D) => tf.conv2dTranspose(x, filter, [2, 4, 4, 2], 1, 'valid'),
      IMAGES,
    ),
  ],
  Conv3D: [
    ['same', 1, 1],
    ['same', [1, 2, 2], 1],
    ['valid', 1, [1, 2, 2]],
  ].map(([pad, strides, dilations]) =>
    at(
      [
        [1, 3, 5, 4, 2],
        [2, 3, 2, 2, 2],
      ],
      (x: Tensor5D, filter: Tensor5D) =>
        tf.conv3d(
          x,
          filter,
          strides as number | [number, number, number],
          pad as 'same' | 'valid',
          'NDHWC',
          dilations as number | [number, number, number],
        ),
      IMAGES,
    ),
  ),
  Cos: unary(tf.cos),
  Cosh: unary(tf.cosh),
  Cumsum: [0, 1, 2].flatMap((axis) =>
    [
      [false, false],
      [true, false],
      [false, true],
      [true, true],
    ].map(([exclusive, reverse]) => at([[2, 3, 4]], (x: Tensor) => tf.cumsum(x, axis, exclusive, reverse))),
  ),
  DepthToSpace: [
    at([[2, 2, 3, 8]], (x: Tensor4D) => tf.depthToSpace(x, 2)),
    at([[1, 1, 2, 18]], (x: Tensor4D) => tf.depthToSpace(x, 3)),
  ],
  DepthwiseConv2dNative: convolutions([3, 2, 2, 2], (x, filter, strides, pad, dilations, round) =>
    tf.depthwiseConv2d(x, filter, strides, pad, 'NHWC', dilations, round),
  ),
  Dilation2D: [
    at(
      [
        [1, 4, 5, 2],
        [2, 3, 2],
      ],
      (x: Tensor4D, filter: Tensor3D) => tf.dilation2d(x, filter, 1, 'same'),
      { lists: [Array.from({ length: 40 }, (_, i) => (i * 17) % 41), [0.2, 0.8, 0.4, 0, 0.5, 0.65]] },
    ),
    at(
      [
        [2, 5, 4, 1],
        [2, 2, 1],
      ],
      (x: Tensor4D, filter: Tensor3D) => tf.dilation2d(x, filter, 2, 'valid'),
      { lists: [Array.from({ length: 40 }, (_, i) => (i * 17) % 41), [0.2, 0.8, 0.4, 0]] },
    ),
  ],
  Einsum: [
    at(
      [
        [2, 3],
        [3, 4],
      ],
      (a: Tensor, b: Tensor) => tf.einsum('ij,jk->ik', a, b),
    ),
    at(
      [
        [2, 3, 4],
        [2, 5, 4],
      ],
      (a: Tensor, b: Tensor) => tf.einsum('bij, bkj -> bki', a, b),
    ),
    at([[2, 3, 4], [3]], (a: Tensor, b: Tensor) => tf.einsum('ijk,j->i', a, b)),
    at([[2], [3]], (a: Tensor, b: Tensor) => tf.einsum('i,j->ji', a, b)),
    at(
      [
        [3, 2],
        [2, 3],
      ],
      (a: Tensor, b: Tensor) => tf.einsum('ij,ji->', a, b),
    ),
    at(
      [
        [2, 3],
        [3, 4],
      ],
      (a: Tensor, b: Tensor) => tf.einsum('ij,jk->i', a, b),
    ),
    at([[2, 3, 4]], (a: Tensor) => tf.einsum('ijk->ki', a)),
    at([[2, 3]], (a: Tensor) => tf.einsum('ij->ji', a)),
    at(
      [
        [2, 3, 2, 5],
        [2, 4, 2, 5],
      ],
      (q: Tensor, k: Tensor) => tf.einsum('bqhd,bkhd->bhqk', q, k),
    ),
  ],
  Elu: unary(tf.elu),
  Equal: compared(tf.equal),
  Erf: unary(tf.erf),
  Exp: unary(tf.exp),
  ExpandDims: [at([[2, 3]], (x: Tensor) => tf.expandDims(x, 1)), at([[2, 3]], (x: Tensor) => tf.expandDims(x, -1))],
  Expm1: unary(tf.expm1),
  FlipLeftRight: [at([[2, 3, 4, 2]], (x: Tensor4D) => tf.image.flipLeftRight(x))],
  Floor: [at([[3]], (x: Tensor) => tf.add(x, tf.floor(x)), { lists: [[0.5, -0.6, 1.3]] })],
  FloorDiv: [
    at([[3], [3]], (a: Tensor, b: Tensor) => tf.add(tf.mul(a, b), tf.floorDiv(a, b)), {
      lists: [
        [1.3, 2.2, 5.7],
        [1.05, -1.5],
      ],
    }),
    at([[3], []], (a: Tensor, b: Tensor) => tf.add(tf.mul(a, b), tf.floorDiv(a, b)), {
      lists: [[2.3, 3.2, 5.7], [1.3]],
    }),
  ],
  FusedBatchNorm: [
    [[2, 3, 4, 2], [2]],
    [
      [2, 3, 4, 2],
      [1, 1, 1, 2],
    ],
    [
      [2, 3, 1, 2],
      [2, 3, 1, 2],
    ],
    [[5, 3], [3]],
  ].map(([shape, channels]) =>
    at(
      [shape, channels, channels, channels, channels],
      (x: Tensor, mean: Tensor1D, variance: Tensor1D, offset: Tensor1D, scale: Tensor1D) =>
        tf.batchNorm(x, mean, variance, offset, scale, 0.01),
      [0.5, 2],
    ),
  ),
  GatherNd: [
    at([[3, 4]], (x: Tensor) => tf.gatherND(x, int([0, 1, 2, 3, 0, 1], [3, 2]))),
    at([[3, 4, 2]], (x: Tensor) => tf.gatherND(x, int([2, 0, 2, 1], [4, 1]))),
    at([[3, 2, 2]], (x: Tensor) => tf.gatherND(x, int([2, 0, 2, 1, 0, 0, 2, 0], [2, 2, 2]))),
  ],
  GatherV2: [
    at([[4, 3]], (x: Tensor) => tf.gather(x, int([3, 0, 3]))),
    at([[2, 4, 3]], (x: Tensor) => tf.gather(x, int([1, 1, 0, 3, 2, 1], [2, 3]), 1)),
    at([[2, 3, 4]], (x: Tensor) => tf.gather(x, int([3, 1, 1]), -1)),
    at([[3]], (x: Tensor) => tf.gather(x, int([2, 2, 0]))),
    at([[2, 4, 3]], (x: Tensor) => tf.gather(x, int([3, 0, 0, 1], [2, 2]), 1, 1)),
    at([[2, 3, 4, 2]], (x: Tensor) => tf.gather(x, int([3, 0, 0, 1], [2, 2]), 2, 1)),
    at([[3, 3]], (x: Tensor) => tf.mul(tf.gather(x, tf.argMax(x, 1)), 2)),
  ],
  Greater: compared(tf.greater),
  GreaterEqual: compared(tf.greaterEqual),
  Identity: unary(tf.clone),
  IsFinite: [at([[3]], beside(tf.isFinite))],
  IsInf: [at([[3]], beside(tf.isInf))],
  IsNan: [at([[3]], beside(tf.isNaN))],
  LRN: [
    at([[2, 3, 2, 7]], (x: Tensor4D) => tf.localResponseNormalization(x, 2, 1.3, 0.6, 0.7)),
    at([[1, 2, 2, 5]], (x: Tensor4D) => tf.localResponseNormalization(x, 1, 0.9, 1.2, 1.4)),
  ],
  LeakyRelu: [...unary((x) => tf.leakyRelu(x, 0.3)), ...unary((x) => tf.leakyRelu(x))],
  Less: compared(tf.less),
  LessEqual: compared(tf.lessEqual),
  Log: unary(tf.log, [0.4, 3]),
  Log1p: unary(tf.log1p, [-0.5, 3]),
  LogicalAnd: compared((a, b) => tf.logicalAnd(tf.greater(a, 0.05), tf.greater(b, 0.05))),
  LogicalNot: [at([[5]], (x: Tensor) => tf.mul(x, float(tf.logicalNot(tf.greater(x, 0.2)))))],
  LogicalOr: compared((a, b) => tf.logicalOr(tf.greater(a, 0.05), tf.greater(b, 0.05))),
  Max: reductions(tf.max),
  MaxPool: [...pools(tf.maxPool), at([[5, 3, 2]], (x: Tensor3D) => tf.maxPool(x, [3, 2], 2, 'same'), APART)],
  MaxPool3D: pools3D(tf.maxPool3d),
  Maximum: binary(tf.maximum),
  Mean: reductions(tf.mean),
  Min: reductions(tf.min),
  Minimum: binary(tf.minimum),
  MirrorPad: [...mirrored('reflect'), ...mirrored('symmetric')],
  Mod: [
    at([[3], [3]], (a: Tensor, b: Tensor) => tf.mod(a, b), {
      lists: [
        [1.3, 2.2, 5.7],
        [1.05, -1.5],
      ],
    }),
    at([[2, 3], [1]], (a: Tensor, b: Tensor) => tf.mod(a, b), { lists: [[1.3, 2.2, 5.7, -4.1, 0.3, 3.1], [1.7]] }),
    at([[3], [2, 1]], (a: Tensor, b: Tensor) => tf.mod(a, b), {
      lists: [
        [1.3, 2.2, 5.7],
        [1.05, -1.5],
      ],
    }),
  ],
  Multiply: binary(tf.mul),
  Neg: unary(tf.neg),
  NotEqual: compared(tf.notEqual),
  OneHot: [
    at(
      [[3, 4]],
      beside((x) => tf.oneHot(tf.argMax(x, 1), 4)),
    ),
  ],
  OnesLike: [at([[3]], beside(tf.onesLike))],
  Pack: [0, 1, -1].map((axis) =>
    at(
      [
        [2, 3],
        [2, 3],
      ],
      (...xs: Tensor[]) => tf.stack(xs, axis),
    ),
  ),
  PadV2: [
    at([[3]], (x: Tensor1D) => tf.pad(x, [[2, 1]], 3)),
    at([[2, 3, 2]], (x: Tensor3D) =>
      tf.pad(x, [
        [0, 1],
        [2, 0],
        [1, 1],
      ]),
    ),
  ],
  Pow: [
    ...binary(tf.pow, [0.4, 2.2]),
    at([[4]], (x: Tensor) => tf.pow(x, tf.scalar(3))),
    at([[4]], (x: Tensor) => tf.pow(x, tf.scalar(2, 'int32'))),
  ],
  Prelu: [
    at(
      [
        [2, 3],
        [2, 3],
      ],
      tf.prelu,
    ),
    at([[2, 2, 3], [3]], tf.prelu),
    at([[2, 3], [1]], tf.prelu),
  ],
  Prod: [...reductions(tf.prod), at([[2, 3]], (x: Tensor) => tf.prod(x, 1), { lists: [[0, 1.5, 2, 0, 0, 3]] })],
  RealDiv: binary(tf.div, [0.5, 2]),
  Reciprocal: unary(tf.reciprocal, [0.4, 2]),
  Relu: unary(tf.relu),
  Relu6: [at([[3, 5]], tf.relu6, [-3.3, 9]), at([[7]], hardSwish, [-5.3, 5])],
  Reshape: [at([[2, 3]], (x: Tensor) => tf.reshape(x, [3, 1, 2]))],
  ResizeBilinear: resizes(tf.image.resizeBilinear),
  ResizeNearestNeighbor: resizes(tf.image.resizeNearestNeighbor),
  Reverse: [
    at([[2, 3, 2]], (x: Tensor) => tf.reverse(x, [0, -1])),
    at([[2, 3]], (x: Tensor) => tf.reverse(x)),
    at([[2, 3]], (x: Tensor) => tf.reverse(x, 1)),
  ],
  Round: [at([[3]], (x: Tensor) => tf.add(x, tf.round(x)), { lists: [[0.3, -0.8, 1.3]] })],
  Rsqrt: unary(tf.rsqrt, [0.4, 2]),
  RunNetwork: [
    at(
      [[2, 3, 3, 1], [2, 2, 1, 2], [8, 3], [3]],
      (images: Tensor4D, kernel: Tensor, weights: Tensor, bias: Tensor) =>
        runNetwork(
          {
            inputShape: [3, 3, 1],
            classes: 3,
            layers: [
              { kind: 'conv', name: 'conv', inputs: 1, filters: 2, size: 2, stride: 1, padding: 0, bias: false },
              { kind: 'flatten' },
              { kind: 'dense', name: 'dense', inputs: 8, units: 3, bias: true },
            ],
          },
          { 'conv.kernel': kernel, 'dense.kernel': weights, 'dense.bias': bias },
          {},
          images,
          { training: false },
        ).logits,
      IMAGES,
    ),
  ],
  ScatterNd: [
    at([[3]], (x: Tensor) => tf.scatterND(int([4, 0, 4], [3, 1]), x, [6])),
    at([[2, 3]], (x: Tensor) => tf.scatterND(int([1, 0, 0, 1], [2, 2]), x, [2, 2, 3])),
  ],
  Select: [
    at(
      [
        [2, 3],
        [2, 3],
      ],
      (a: Tensor, b: Tensor) => tf.where(tf.greater(a, b), a, tf.mul(b, 3)),
    ),
    at([[2, 1, 3], [3]], (a: Tensor, b: Tensor) => tf.where(tf.greater(a, 0.1), tf.square(a), b)),
    at([[4, 1, 1, 1, 2], [2]], (a: Tensor, b: Tensor) => tf.where(tf.less(b, 0.1), a, b)),
  ],
  Selu: unary(tf.selu),
  Sigmoid: unary(tf.sigmoid),
  Sign: [at([[5]], (x: Tensor) => tf.mul(x, tf.sign(x)))],
  Sin: unary(tf.sin),
  Sinh: unary(tf.sinh),
  Slice: [
    at([[3, 4]], (x: Tensor) => tf.slice(x, [1, 2], [2, 1])),
    at([[3, 4, 2]], (x: Tensor) => tf.slice(x, [1, 0], [1, -1])),
    at([[5]], (x: Tensor) => tf.slice(x, 2)),
  ],
  Softmax: [at([[3, 4]], (x: Tensor) => tf.softmax(x)), at([[2, 3, 2]], (x: Tensor) => tf.softmax(x, -1))],
  Softplus: unary(tf.softplus),
  SpaceToBatchND: [
    at([[1, 3, 5, 2]], (x: Tensor4D) =>
      tf.spaceToBatchND(
        x,
        [2, 3],
        [
          [1, 0],
          [0, 1],
        ],
      ),
    ),
  ],
  SparseConv2D: [
    at(
      [[2, 5, 4, 2], [10]],
      (x: Tensor4D, values: Tensor1D) => sparseConv2d(x, SPARSE, values, { stride: 2, padding: 1 }),
      IMAGES,
    ),
  ],
  SparseMatMul: [at([[3, 4], [6]], (x: Tensor2D, values: Tensor1D) => sparseMatMul(x, SPARSE_MATRIX, values), IMAGES)],
  SplitV: [
    at([[2, 6]], (x: Tensor) => tf.split(x, [1, 3, 2], 1)),
    at([[4, 2]], (x: Tensor) => tf.split(x, 2)),
    at([[2, 6]], (x: Tensor) => tf.split(x, 3, -1)[1]),
    at([[2, 3]], (x: Tensor) => tf.split(x, 1, 1)),
  ],
  Sqrt: unary(tf.sqrt, [0.4, 2]),
  Square: unary(tf.square),
  SquaredDifference: binary(tf.squaredDifference),
  Step: [at([[5]], (x: Tensor) => tf.mul(x, tf.step(x))), at([[5]], (x: Tensor) => tf.mul(x, tf.step(x, 0.4)))],
  StridedSlice: [
    at([[7]], (x: Tensor) => tf.stridedSlice(x, [1], [7], [3])),
    at([[7]], (x: Tensor) => tf.stridedSlice(x, [-1], [-8], [-2])),
    at([[4, 5]], (x: Tensor) => tf.stridedSlice(x, [3, 0], [0, 5], [-2, 2])),
    at([[4, 5, 3]], (x: Tensor) => tf.stridedSlice(x, [0, 1, 0], [0, 4, 0], [2, 1, 2], 0b101, 0b101)),
    at([[4, 5]], (x: Tensor) => tf.stridedSlice(x, [1, 1], [2, 4], [1, 1], 0, 0, 0, 0, 0b01)),
    at([[4, 5]], (x: Tensor) => tf.stridedSlice(x, [0, 0, 1], [0, 0, 5], [1, 1, 2], 0, 0, 0b001, 0b010)),
    at([[2, 3, 4]], (x: Tensor) => tf.stridedSlice(x, [0, 1], [0, 3], [1, 1], 0, 0, 0b01)),
  ],
  Sub: binary(tf.sub),
  Sum: reductions(tf.sum),
  Tan: unary(tf.tan, [-0.9, 0.9]),
  Tanh: unary(tf.tanh),
  Tile: [
    at([[3]], (x: Tensor) => tf.tile(x, [3])),
    at([[2, 3]], (x: Tensor) => tf.tile(x, [2, 2])),
    at([[2, 1, 2, 1, 3]], (x: Tensor) => tf.tile(x, [1, 3, 2, 2, 1])),
    at([[2, 1, 1]], (x: Tensor) => tf.broadcastTo(x, [2, 2, 2, 1, 3])),
    at([[]], (x: Tensor) => tf.broadcastTo(x, [2, 3])),
  ],
  TopK: [
    at([[6]], (x: Tensor1D) => tf.topk(x, 3).values),
    at([[3, 5]], (x: Tensor) => tf.topk(x, 2).values),
    at([[2, 2, 4]], (x: Tensor) => {
      const { values, indices } = tf.topk(x, 1);
      return [values, float(indices)];
    }),
  ],
  Transpose: [
    at([[2, 3, 4]], (x: Tensor) => tf.transpose(x, [2, 0, 1])),
    at([[2, 3]], (x: Tensor) => tf.transpose(x)),
    at([[2, 1, 3, 2, 2]], (x: Tensor) => tf.transpose(x, [4, 2, 0, 3, 1])),
  ],
  Unpack: [
    at([[3, 2]], (x: Tensor) => tf.unstack(x)),
    at([[2, 3]], (x: Tensor) => tf.unstack(x, 1)[2]),
    at([[2, 3, 2]], (x: Tensor) => tf.unstack(x, -1)),
    at([[1, 3]], (x: Tensor) => tf.unstack(x, 0)),
  ],
  UnsortedSegmentSum: [
    at([[4, 3]], (x: Tensor) => tf.unsortedSegmentSum(x, int([2, 0, 2, 1]) as Tensor1D, 4)),
    at([[3]], (x: Tensor) => tf.unsortedSegmentSum(x, int([1, 1, 0]) as Tensor1D, 2)),
  ],
  ZerosLike: [at([[3]], beside(tf.zerosLike))],
};

/** x · relu6(x + 3) / 6. */
function hardSwish(x: Tensor): Tensor {
  return tf.div(tf.mul(x, tf.relu6(tf.add(x, 3))), 6);
}
