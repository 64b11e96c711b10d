// The layout of activations in blocks of images.
import { type Strides, sideFields } from '../records/fields.ts';
import type { Call, Fields } from '../records/records.ts';
import { type Layout, layout, naturalBlock } from './layout.ts';

/** [batch, height, width, channels] */
export type ImagesShape = readonly [number, number, number, number];

/**
 * How the values of images lie in blocks: in a layout of their own (`planes` 1), or in one of the planes of their columns,
 * which a strided convolution reads. If `sampled`, only the first plane of every `planes`-th row is there, all that a 1×1
 * kernel reads. Whatever is not a value is zero: columns of padding, the odd column that a plane lacks, and images that fill
 * the last block.
 */
export interface Form {
  readonly shape: ImagesShape;
  readonly layout: Layout;
  readonly planes: number;
  readonly sampled: boolean;
}

/** Blocks in the heap. */
export interface Blocks {
  readonly form: Form;
  /** The address of the first block; zeros lie before it (`layout.padBytes`). */
  readonly pointer: number;
  /** What was allocated. */
  readonly base: number;
}

/**
 * Columns of padding that images of a width get at least: one, even where a 1×1 kernel needs none, so that the layers of a
 * network agree.
 */
export const padFor = (width: number): number => (width > 1 ? 1 : 0);

/** Images in the smallest blocks that kernels take. */
export const imagesForm = (shape: ImagesShape, pad: number, tiles: number): Form => {
  const [, height, width, channels] = shape;
  return { shape, layout: layout(height, width, channels, pad, naturalBlock(width, tiles)), planes: 1, sampled: false };
};

export const blockCount = ({ shape: [batch], layout: { nb } }: Form): number => Math.ceil(batch / nb);

/** Bytes kept free before the first block. */
export const leadBytes = ({ layout: { padBytes } }: Form): number => 128 * Math.ceil(padBytes / 128);
export const formBytes = (form: Form): number => leadBytes(form) + blockCount(form) * form.layout.block;

/** Values from the first zero before the blocks to the end of the last one. */
export const span = (form: Form): number => (form.layout.padBytes + blockCount(form) * form.layout.block) / 4;

export const sameImages = (a: ImagesShape, b: ImagesShape): boolean => a.every((size, i) => size === b[i]);

export const sameForm = (a: Form, b: Form): boolean =>
  a === b ||
  (a.planes === b.planes &&
    a.sampled === b.sampled &&
    a.layout.nb === b.layout.nb &&
    a.layout.pad === b.layout.pad &&
    sameImages(a.shape, b.shape));

/** Where a copy reads or writes: blocks of a form, or a plain tensor. */
export interface Place {
  readonly form?: Form;
  readonly pointer: number;
  /** Bytes from one task's part to the next one's. By default they follow the images; negative for scratch memory of a thread. */
  readonly step?: number;
}

/** Strides over images of which every `rowStep`-th row is walked, and columns as those of `planes` planes. */
function strides(
  form: Form | undefined,
  [, height, width, channels]: ImagesShape,
  planes: number,
  rowStep: number,
): Strides {
  if (form === undefined) {
    const pixel = 4 * channels;
    const row = width * pixel;
    return { Nb: 1, Block: height * row, Row: rowStep * row, Channel: 4, Pixel: planes * pixel, Plane: pixel };
  }
  const { nb, block, row, channel, pixel } = form.layout;
  const own = { Nb: nb, Block: block, Channel: channel };
  return form.planes === 1
    ? { ...own, Row: rowStep * row, Pixel: planes * pixel, Plane: pixel }
    : { ...own, Row: row, Pixel: pixel, Plane: channels * channel };
}

/**
 * The copy of all images from one place to another, one of which lies in blocks; of different planes, one has 1. What a
 * sampled source lacks is zero in its target, which lies in blocks.
 */
export function copyImages(shape: ImagesShape, from: Place, to: Place): { tasks: number; call: Call } {
  const [batch, height, width, channels] = shape;
  const image = 4 * height * width * channels;
  const [source, target] = [from.form, to.form];
  const planes = Math.max(source?.planes ?? 1, target?.planes ?? 1);
  // Of a sampled target the first plane alone is walked, and the rows that it has.
  const rowStep = target?.sampled ? planes : 1;
  const images = Math.max(source?.layout.nb ?? 1, target?.layout.nb ?? 1);
  const step = (form: Form | undefined) => (form ? (images / form.layout.nb) * form.layout.block : images * image);
  const room = (form: Form | undefined) => (form ? blockCount(form) * form.layout.nb : batch);
  const fields: Fields<'repack'> = {
    x: from.pointer,
    xTask: from.step ?? step(source),
    ...sideFields('x', strides(source, shape, planes, rowStep)),
    y: to.pointer,
    yTask: to.step ?? step(target),
    ...sideFields('y', strides(target, shape, planes, rowStep)),
    images,
    xImages: room(source),
    yImages: room(target),
    rows: Math.ceil(height / rowStep),
    channels,
    width: Math.ceil(width / rowStep),
    planes: planes / rowStep,
    spread: Number(source?.sampled ?? false),
    columns: target ? target.layout.width + target.layout.pad : width,
    interleaved: Number(target?.planes !== planes),
    pad: target?.layout.padBytes ?? 0,
  };
  return { tasks: Math.ceil(batch / images), call: { kernel: 'repack', fields } };
}
