// Reads the extra images that the objective `rst` trains on.
import { readSafetensors } from '../../checkpoints/safetensors/safetensors-file.ts';
import { InputError } from '../../core/errors.ts';
import type { Dataset, Split } from '../../data/types.ts';
import type { TrainConfig } from '../config/config.ts';
import { checkedFile } from '../run/fingerprint.ts';

const LABELS = { U8: true, I8: true, I32: true, I64: true, U16: true, I16: true, U32: true, U64: true } as const;

/**
 * The extra images of `rst`, a safetensors file of `images`, uint8 [n, height, width, channels], and `labels`, whole
 * numbers [n]: the classes that a model trained before gives them.
 *
 * @throws InputError if the file is not given, not the one that the configuration names, or not of this form and of the
 * data set's images and classes
 */
export async function readExtraImages(
  config: TrainConfig,
  { imageShape, classes, name }: Pick<Dataset, 'imageShape' | 'classes' | 'name'>,
  path: string | undefined,
): Promise<Split> {
  const file = await checkedFile(path, config.extraImages ?? '', {
    what: 'the file of extra images',
    option: 'extraImages (--extra-images)',
  });
  const { images, labels } = (await readSafetensors(file, ['images', 'labels'])).tensors;
  const form = `images, uint8 [n, ${imageShape.join(', ')}], and labels, whole numbers [n]`;
  if (!images || !labels) {
    throw new InputError(`${file} has no tensor ${images ? 'labels' : 'images'}; expected ${form}.`);
  }
  const [count, ...shape] = images.shape;
  if (images.dtype !== 'U8' || shape.join() !== imageShape.join() || count < 1) {
    throw new InputError(`${file} has images ${images.dtype} [${images.shape}]; expected, for ${name}, ${form}.`);
  }
  if (!Object.hasOwn(LABELS, labels.dtype) || labels.shape.join() !== `${count}`) {
    throw new InputError(`${file} has labels ${labels.dtype} [${labels.shape}] for ${count} images; expected ${form}.`);
  }
  return {
    count,
    images: images.data,
    labels: Uint8Array.from(labels.data as ArrayLike<number | bigint>, (label, i) => {
      const number = Number(label);
      if (number >= 0 && number < classes.length) return number;
      throw new InputError(
        `${file} has label ${label} at image ${i}; ${name} has the classes 0 to ${classes.length - 1}.`,
      );
    }),
  };
}
