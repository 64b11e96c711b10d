// The layout of activations in blocks of images.

/**
 * How activations lie in memory: blocks of `nb` images, the innermost axis (see assembly/blocked/sparse-convolution.ts for a picture).
 * Strides are in bytes.
 */
export interface Layout {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  /** Columns of zeros on the right of each channel's row, which are also those on the left of the next one. */
  readonly pad: number;
  /** Images a block: 4, 8, 16 or 32. */
  readonly nb: number;
  readonly pixel: number;
  readonly channel: number;
  readonly row: number;
  readonly block: number;
  /** Bytes of zeros before the first block and on the right of each channel's row. */
  readonly padBytes: number;
  /** Register tiles of 32 values in one channel's row. */
  readonly tiles: number;
}

/** Images a super-block: the batch is filled up to a multiple of it with zero images. */
export const SUPER_BLOCK = 32;
/** Values of a register tile. */
const TILE = 32;

/**
 * The smallest block for which a row of `width` pixels is a whole number of register tiles, or of `tiles` of them if a
 * block of 32 images or fewer can do that.
 */
export function naturalBlock(width: number, tiles = 1): number {
  let nb = 4;
  while (nb < SUPER_BLOCK && (width * nb) % (tiles * TILE) !== 0) nb *= 2;
  return nb;
}

export function layout(height: number, width: number, channels: number, pad: number, nb: number): Layout {
  const pixel = 4 * nb;
  const channel = (width + pad) * pixel;
  const row = channels * channel;
  return {
    height,
    width,
    channels,
    pad,
    nb,
    pixel,
    channel,
    row,
    block: height * row,
    padBytes: pad * pixel,
    tiles: (width * nb) / TILE,
  };
}

/** The layout of [batch, features]. */
export const features = (channels: number): Layout => layout(1, 1, channels, 0, SUPER_BLOCK);

/** Bytes of sign bits of one block. */
export const bitsBlock = ({ height, channels, tiles }: Layout): number => 4 * height * channels * tiles;

/** The batch with its filling. */
export const paddedBatch = (batch: number): number => Math.ceil(batch / SUPER_BLOCK) * SUPER_BLOCK;

/** A convolution's shapes and strides: everything that the offsets of its records depend on. */
export interface Geometry {
  readonly kernel: readonly [number, number];
  readonly stride: number;
  /** Zeros above and on the left; those below and on the right follow from the output's size. */
  readonly padding: readonly [number, number];
  readonly inputs: number;
  readonly outputs: number;
  /** What the convolution reads: the input itself, or for stride s the s planes of its columns, s · inputs channels. */
  readonly x: Layout;
  readonly y: Layout;
}

export interface ConvolutionShape {
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padding: readonly [number, number];
  /** [height, width, channels] */
  readonly input: readonly [number, number, number];
  readonly output: readonly [number, number, number];
}

/** Columns of planes that a convolution reads left (≤ 0) and right (≥ 0) of the one with the output's number. */
const reach = ({ kernel: [, width], stride, padding: [, left] }: ConvolutionShape): [number, number] => [
  Math.floor(-left / stride),
  Math.floor((width - 1 - left) / stride),
];

/** Zero columns that a convolution and its input gradient need around their inputs. */
export function padOf(shape: ConvolutionShape): number {
  const [left, right] = reach(shape);
  const planeWidth = Math.ceil(shape.input[1] / shape.stride);
  const outputWidth = shape.output[1];
  return Math.max(0, -left, outputWidth + right - planeWidth, right, planeWidth - left - outputWidth);
}

/**
 * The layouts that a convolution works on.
 *
 * @param tiles register tiles that the kernels take at once
 */
export function geometry(shape: ConvolutionShape, pad: number, tiles = 1): Geometry {
  const { kernel, stride, padding, input, output } = shape;
  const planeWidth = Math.ceil(input[1] / stride);
  const nb = Math.max(naturalBlock(planeWidth, tiles), naturalBlock(output[1], tiles));
  return {
    kernel,
    stride,
    padding,
    inputs: input[2],
    outputs: output[2],
    x: layout(input[0], planeWidth, stride * input[2], pad, nb),
    y: layout(output[0], output[1], output[2], pad, nb),
  };
}
