// When Winograd's algorithm is used, and the weights that it reads.
import type { Geometry, Layout } from '../layout/layout.ts';
import type { Direction } from './rows.ts';

/** Channels on both sides from which the products outweigh the transforms around them. */
const CHANNELS = 32;
const POINTS = 16;
/** Channels of the output that share what they read. */
const GROUP = 6;
/** Vectors of a chunk, at least where there are so many: each reads all weights. */
const POSITIONS = 32;

/** True if a convolution with a full kernel runs by Winograd's F(2×2, 3×3) (assembly/blocked/winograd.ts), forward and for its input. */
export const usesWinograd = ({ kernel, stride, padding, inputs, outputs, x, y }: Geometry): boolean =>
  [...kernel].every((size) => size === 3) &&
  stride === 1 &&
  padding.every((zeros) => zeros === 1) &&
  y.height === x.height &&
  y.width === x.width &&
  y.height % 2 === 0 &&
  y.width % 2 === 0 &&
  Math.min(inputs, outputs) >= CHANNELS;

/** Channels that are read and written. */
const sides = ({ inputs, outputs }: Geometry, direction: Direction) =>
  direction === 'forward' ? { inputs, channels: outputs } : { inputs: outputs, channels: inputs };

/** Groups of output channels. */
export const winogradGroups = (geometry: Geometry, direction: Direction): number =>
  Math.ceil(sides(geometry, direction).channels / GROUP);

/** Bytes of the transformed weights. */
export const winogradBytes = (geometry: Geometry, direction: Direction): number =>
  4 * POINTS * winogradGroups(geometry, direction) * GROUP * sides(geometry, direction).inputs;

/** Where the weights of a kernel at `values` are, for the kernel that transforms them. */
export function winogradSource(geometry: Geometry, direction: Direction, values: number) {
  const place = 4 * geometry.inputs * geometry.outputs;
  const output = 4 * geometry.outputs;
  const channels = sides(geometry, direction);
  return direction === 'forward'
    ? { ...channels, values, placeStep: place, inputStep: output, channelStep: 4, transposed: 0 }
    : { ...channels, values: values + 8 * place, placeStep: -place, inputStep: 4, channelStep: output, transposed: 1 };
}

/** Pairs of rows that a task takes at a time, and the bytes of their transforms. */
export function winogradChunk({ tiles, height, nb }: Layout, images: number, inputs: number, channels: number) {
  const perPair = 4 * tiles;
  const pairs = (height / 2) * Math.ceil(images / nb);
  const chunk = Math.min(pairs, Math.ceil(POSITIONS / perPair));
  return { chunk, bytes: 16 * POINTS * chunk * perPair * (inputs + channels) };
}
