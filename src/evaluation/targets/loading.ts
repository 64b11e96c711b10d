// Loads a model together with the data set that it is evaluated on.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { checkExpectedLogits } from '../../checkpoints/exchange/expected-logits.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { plural } from '../../core/quantities.ts';
import { batchImages } from '../../data/batch.ts';
import { checkDataset } from '../../data/check.ts';
import { checkFolderMeant, checkTestSplit, loadDataset } from '../../data/load.ts';
import type { Dataset } from '../../data/types.ts';
import type { ModelOptions } from '../options.ts';
import { type ClassMap, outputsOf, readClassMap } from './class-map.ts';
import { logitsOf } from './predict.ts';
import type { Preprocessing } from './preprocessing.ts';
import { loadTarget, type ModelFile, type Target } from './target.ts';

/**
 * The data set asked for; null if none was.
 *
 * @throws InputError for a data set of the caller's own that does not hold together
 */
export async function namedData({ dataset, dataDirectory }: ModelOptions): Promise<Dataset | null> {
  if (typeof dataset === 'string') return loadDataset(dataset, { directory: dataDirectory });
  return dataset === undefined ? null : checkDataset(dataset);
}

/** A model with the preprocessing and the outputs asked for, its notes told. */
export async function loadWith(
  file: ModelFile,
  images: Dataset | null,
  { preprocessing, classes, names, reading, expectLogits, batchSize, warn }: ModelOptions,
): Promise<Target> {
  const outputs = classes === undefined ? null : await chosenOutputs(classes, images);
  const target = await loadTarget(file, {
    preprocessing: outputs === null ? preprocessing : { ...preprocessing, outputs },
    names,
    reading,
    batchSize,
    warn,
    images: images ?? undefined,
  });
  for (const warning of target.warnings) warn?.(warning);
  if (expectLogits === undefined) return target;
  try {
    const { labelOffset: _, ...pixels } = preprocessing ?? {};
    await checkExpectedLogits(expectLogits, target.preprocessedBy(pixels));
    return target;
  } catch (error) {
    target.dispose();
    throw error;
  }
}

async function chosenOutputs(classes: ClassMap | string, images: Dataset | null): Promise<readonly number[]> {
  if (images === null)
    throw new UsageError('--classes needs a data set whose classes it lists, got none. Name it with --dataset.');
  return outputsOf(typeof classes === 'string' ? await readClassMap(classes) : classes, images.classes);
}

/** The data set that a model was trained on. */
export async function testData(target: Target, { dataDirectory }: ModelOptions): Promise<Dataset> {
  if (target.trainedOn === null) {
    throw new UsageError(
      'The file of this model does not say what the model was trained on. Name a data set to test on, with --dataset.',
    );
  }
  await checkFolderMeant(target.trainedOn.name, dataDirectory);
  return loadDataset(target.trainedOn.name, { directory: dataDirectory });
}

/** Tells where a model was trained on files of the same name but other content. */
export function warnOfOtherFiles(
  path: string,
  { trainedOn }: Target,
  { name, sha256 }: Dataset,
  warn?: (message: string) => void,
): void {
  if (trainedOn?.name === name && trainedOn.sha256 !== null && trainedOn.sha256 !== sha256) {
    warn?.(`${path} was trained on other files of ${name} than those it is evaluated on: their SHA-256 differ.`);
  }
}

/**
 * Checks that a model takes the images of a data set and tells its classes apart, by one of them.
 *
 * @throws InputError for images of another shape, or another number of classes, than the model's, or for images that the
 * model was trained on
 */
export async function checkFit(target: Target, dataset: Dataset): Promise<void> {
  const { inputShape, classes, record, trainedOn } = target;
  if (trainedOn !== null) checkTestSplit(trainedOn.name, dataset.name);
  const { layout, labelOffset, outputs: chosen } = record.preprocessing ?? {};
  const [height, width, channels] = dataset.imageShape;
  const given = layout === 'nchw' ? [channels, height, width] : [height, width, channels];
  const other = layout === 'nchw' ? [height, width, channels] : [channels, height, width];
  const describe = (count: number | null) =>
    `The model of ${record.checkpoint} takes ${inputShape === null ? 'images' : `images [${inputShape.join(', ')}]`}${count === null ? '' : ` of ${count} classes`}; ${dataset.name} has images [${given.join(', ')}] of ${dataset.classes.length} classes.`;
  if (inputShape !== null && String(inputShape) !== String(given)) {
    const isOtherLayout = String(inputShape) === String(other);
    const remedy = isOtherLayout
      ? `Give --layout=${layout === 'nchw' ? 'nhwc' : 'nchw'}.`
      : remedyFor(layout === 'nchw' ? inputShape.toSpliced(0, 1).concat(inputShape[0]) : inputShape, dataset);
    throw new InputError(`${describe(classes)} ${remedy}`);
  }
  const outputs = await countOutputs(target, dataset);
  if (chosen !== undefined) {
    const beyond = chosen.find((output) => output >= outputs);
    if (beyond === undefined) return;
    throw new InputError(`${describe(outputs)} --classes names output ${beyond}; the last one is ${outputs - 1}.`);
  }
  if (outputs === dataset.classes.length || (outputs > dataset.classes.length && labelOffset !== undefined)) return;
  const spare =
    outputs > dataset.classes.length
      ? `If its outputs from number N on are those of ${dataset.name}, give --label-offset N; if they are in another order, --classes FILE.`
      : 'Evaluate it on the data set it was trained on.';
  throw new InputError(`${describe(outputs)} ${spare}`);
}

/** What to do about images of another shape than a model takes, [height, width, channels]. */
function remedyFor([height, width, channels]: readonly number[], { name, imageShape }: Dataset): string {
  if (channels !== imageShape[2] && height === imageShape[0] && width === imageShape[1])
    return channelRemedy(channels, name);
  return name === 'folder'
    ? `Bring the pictures to that size: equipoise data prepare FOLDER --size ${width === height ? width : `${width}x${height}`} --out FOLDER.`
    : 'Evaluate it on the data set it was trained on.';
}

/** What to do about images of another number of channels than a model takes. */
function channelRemedy(channels: number, name: string): string {
  const made =
    channels === 3
      ? 'images => model.apply(tf.tile(images, [1, 1, 1, 3]))'
      : channels === 1
        ? 'images => model.apply(tf.image.rgbToGrayscale(images))'
        : null;
  const wrap = made === null ? 'wrap the model with --module' : `wrap the model with --module, as ${made}`;
  return `Evaluate it on images of ${plural(channels, 'channel')}; or, if it is to see those of ${name}, ${wrap}.`;
}

/** Channels that a model may take where images have another number. */
const CHANNELS = [1, 3] as const;

/** How many outputs a model has for an image of a data set. */
async function countOutputs(target: Target, { test, imageShape, name }: Dataset): Promise<number> {
  const image = batchImages(test, [0], imageShape);
  const { labelOffset: _, outputs: __, ...pixels } = target.record.preprocessing ?? {};
  try {
    return (await logitsOf(target.preprocessedBy(pixels), image)).length;
  } catch (error) {
    if (error instanceof InputError) throw error;
    const layout = pixels.layout === 'nchw' ? 'nhwc' : 'nchw';
    const takes = async (other: Preprocessing, of: Tensor4D): Promise<boolean> =>
      logitsOf(target.preprocessedBy(other), of).then(
        () => true,
        () => false,
      );
    const takesChannels = async (channels: number): Promise<boolean> => {
      const others = tf.zeros([1, imageShape[0], imageShape[1], channels]) as Tensor4D;
      return takes(pixels, others).finally(() => others.dispose());
    };
    let remedy = 'Wrap it with --module.';
    for (const channels of CHANNELS) {
      if (channels !== imageShape[2] && (await takesChannels(channels))) remedy = channelRemedy(channels, name);
    }
    if (await takes({ ...pixels, layout }, image)) remedy = `Give --layout=${layout}.`;
    throw new InputError(
      `The model of ${target.record.checkpoint} cannot take an image of ${name}, [${imageShape.join(', ')}]: ${firstSentence((error as Error).message)} ${remedy}`,
      { cause: error },
    );
  } finally {
    image.dispose();
  }
}

/** The first sentence of another library's message. */
const firstSentence = (message: string): string => `${message.split('\n')[0].split(/\.(?:\s|$)/)[0]}.`;
