// Fits batches of images to the input shape that a model declares.
import type { Tensor, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../core/errors.ts';
import { sizeOf } from '../../core/structure.ts';
import type { PixelShape } from '../../data/types.ts';

/** How a model takes a batch of images, by the shape that it declares; an extent is null if it takes any. */
export interface InputFit {
  /** [height, width, channels]; null if any image fits. */
  readonly inputShape: PixelShape | null;
  /** A batch as the model takes it. */
  readonly reshape: (images: Tensor4D) => Tensor;
  readonly note: string | null;
}

type Extent = number | null | undefined;

const known = (extent: Extent): extent is number => typeof extent === 'number' && extent > 0;

/**
 * How images [batch, height, width, channels] become what a model takes: as they are, without the axis of a single
 * channel, or as vectors, row by row.
 *
 * @param shape declared by the model, its batch first; undefined if it does not say
 * @param image of the data set, where one is known
 * @throws InputError for inputs that are no images
 */
export function fitInput(shape: readonly Extent[] | undefined, image: PixelShape | null): InputFit {
  const [, ...rest] = shape ?? [];
  const asTheyAre = (images: Tensor4D): Tensor => images;
  if (shape === undefined || rest.length === 0) return { inputShape: null, reshape: asTheyAre, note: null };
  if (rest.length === 3) {
    return { inputShape: rest.every(known) ? (rest as unknown as PixelShape) : null, reshape: asTheyAre, note: null };
  }
  const reshape = (images: Tensor4D): Tensor => tf.reshape(images, [images.shape[0], ...rest.map((e) => e ?? -1)]);
  if (rest.length === 2 && (image === null || image[2] === 1)) {
    const inputShape = rest.every(known) ? ([rest[0], rest[1], 1] as PixelShape) : null;
    return { inputShape, reshape, note: 'It takes images without an axis of channels.' };
  }
  if (rest.length === 1 && image !== null && (!known(rest[0]) || rest[0] === sizeOf(image))) {
    return { inputShape: image, reshape, note: 'It takes vectors: images are flattened by rows, columns, channels.' };
  }
  const takes = rest.map((extent) => extent ?? 'any').join(', ');
  throw new InputError(
    `The model takes inputs [batch, ${takes}], which are no images${image === null ? '' : ` of [${image.join(', ')}]`}. Name the data set that it was trained on, or wrap it with --module.`,
  );
}
