// Plans the copy of the logits out of blocks, and of their gradient into blocks.
import { paddedBatch } from '../../layout/layout.ts';
import { asTarget, blockedFields, plainFields } from '../../records/fields.ts';
import type { Backward } from '../backward-pass.ts';
import type { Forward } from '../forward-pass.ts';
import type { NodeOf } from '../graph.ts';

const ONE_PIXEL = { rows: 1, width: 1, planes: 1, spread: 0, columns: 1, interleaved: 0, pad: 0 } as const;

/** Logits from blocks into a tensor. */
export function forward({ x }: NodeOf<'output'>, pass: Forward): void {
  const { builder, options } = pass;
  const images = builder.imagesFor(x.layout);
  const { channels } = x.layout;
  builder.emit(images, 'repack', {
    ...pass.source('x', x, images),
    ...blockedFields('x', x.layout),
    y: (run) => run.logits,
    yTask: images * channels * 4,
    ...asTarget(plainFields(x.layout)),
    ...ONE_PIXEL,
    images,
    xImages: paddedBatch(options.batch),
    yImages: options.batch,
    channels,
  });
  pass.done(x);
}

/** Their gradient from a tensor into blocks. */
export function backward({ x }: NodeOf<'output'>, pass: Backward): void {
  const { builder, options } = pass;
  const images = builder.imagesFor(x.layout);
  const { channels } = x.layout;
  const place = pass.room(x, images);
  builder.emit(images, 'repack', {
    x: (run) => run.dLogits,
    xTask: images * channels * 4,
    ...plainFields(x.layout),
    ...pass.side('y', place, x, images),
    ...blockedFields('y', x.layout),
    ...ONE_PIXEL,
    images,
    xImages: options.batch,
    yImages: paddedBatch(options.batch),
    channels,
  });
  pass.add(x, { place, owned: true, masked: false });
}
