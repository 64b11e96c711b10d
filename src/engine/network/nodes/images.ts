// Plans the copy of the images into blocks, and of their gradient out of blocks.
import { paddedBatch } from '../../layout/layout.ts';
import { asTarget, blockedFields, plainFields } from '../../records/fields.ts';
import type { Backward } from '../backward-pass.ts';
import type { Forward } from '../forward-pass.ts';
import type { NodeOf, Value } from '../graph.ts';

/** The fields of a repack between images as a plain tensor and blocks. */
const between = ({ layout: { height, width, channels } }: Value, images: number) =>
  ({ images, rows: height, channels, width, planes: 1, spread: 0, interleaved: 0 }) as const;

const bytes = ({ layout: { height, width, channels } }: Value, images: number): number =>
  images * height * width * channels * 4;

/** Images from a tensor into blocks, those beyond the batch filled with zeros. */
export function forward({ y }: NodeOf<'input'>, pass: Forward): void {
  const { builder, options } = pass;
  const images = builder.imagesFor(y.layout);
  builder.emit(images, 'repack', {
    x: (run) => run.images,
    xTask: bytes(y, images),
    ...plainFields(y.layout),
    ...pass.target('y', y, images),
    ...blockedFields('y', y.layout),
    ...between(y, images),
    xImages: options.batch,
    yImages: paddedBatch(options.batch),
    columns: y.layout.width + y.layout.pad,
    pad: y.layout.padBytes,
  });
}

/** The images' gradient from blocks into a tensor. */
export function backward({ y }: NodeOf<'input'>, pass: Backward): void {
  if (pass.wants !== 'images') return;
  const d = pass.take(y, true);
  if (!d) return;
  const { builder, options } = pass;
  const images = builder.imagesFor(y.layout);
  builder.emit(images, 'repack', {
    ...pass.side('x', d.place, y, images),
    ...blockedFields('x', y.layout),
    y: (run) => run.dImages,
    yTask: bytes(y, images),
    ...asTarget(plainFields(y.layout)),
    ...between(y, images),
    xImages: paddedBatch(options.batch),
    yImages: options.batch,
    columns: y.layout.width,
    pad: 0,
  });
  builder.release(d.place);
}
