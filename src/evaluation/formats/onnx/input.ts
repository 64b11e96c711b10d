// How a batch of pixels becomes the input of a graph: ONNX models take channels first, a few of them last, and some always
// the same number of images.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { InputError } from '../../../core/errors.ts';
import type { PixelShape } from '../../../data/types.ts';
import { fitInput } from '../fit-input.ts';
import { BYTES_NOTE } from '../format.ts';
import type { EndRecord } from './model.ts';
import { dataTypeName, elementType } from './tensors.ts';
import { isWhole, onBackend, type Value, withChannelsLast } from './values.ts';

export interface InputFit {
  /** [height, width, channels]; null if any image fits. */
  readonly inputShape: PixelShape | null;
  /** How many images the graph takes at once; null if any number. */
  readonly batch: number | null;
  /** A batch of that many images as the graph takes it. */
  readonly toInput: (images: Tensor4D) => Value;
  readonly notes: readonly string[];
}

const isChannels = (extent: number | null): boolean => extent === 1 || extent === 3;

/**
 * @param image of the data set, where one is known
 * @throws InputError for inputs that are no images
 */
export function fitGraphInput({ name, dataType, shape }: EndRecord, image: PixelShape | null): InputFit {
  const type = dataType === 0 ? 'float' : elementType(dataType);
  if (type !== 'float' && type !== 'uint8' && type !== 'int8') {
    throw new InputError(`The input ${name} takes ${dataTypeName(dataType)}; expected an image of floats or bytes.`);
  }
  const batch = shape?.[0] ?? null;
  const notes = [
    ...(isWhole(type) ? [BYTES_NOTE] : []),
    ...(batch === null
      ? []
      : [
          `It takes ${batch} image${batch === 1 ? '' : 's'} at a time, as it was exported; a batch that any number fits is faster.`,
        ]),
  ];
  if (shape === null || shape.length === 4) {
    const [, first = null, second = null, third = null] = shape ?? [];
    const channelsAreLast = !isChannels(first) && isChannels(third);
    const extents = channelsAreLast ? [first, second, third] : [second, third, first];
    const known = extents.every((extent) => extent !== null);
    return {
      inputShape: known ? (extents as unknown as PixelShape) : null,
      batch,
      toInput: channelsAreLast ? onBackend : withChannelsLast,
      notes,
    };
  }
  const { inputShape, reshape, note } = fitInput(shape, image);
  const flat = shape.length === 2 && image !== null && image[2] > 1;
  return {
    inputShape,
    batch,
    toInput: (images) => onBackend(reshape((flat ? tf.transpose(images, [0, 3, 1, 2]) : images) as Tensor4D)),
    notes: [
      ...notes,
      ...(flat ? ['It takes vectors: images are flattened by channels, rows, columns.'] : note === null ? [] : [note]),
    ],
  };
}
