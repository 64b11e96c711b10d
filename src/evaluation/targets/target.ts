// Loads any model as a classifier that can be evaluated.
import { inPortions, portionsOf } from '../../../attacks/models/portions.ts';
import type { Classifier } from '../../../attacks/types.ts';

import { type Reading, readingFlags } from '../../checkpoints/pytorch/reading.ts';
import { InputError, isOutOfMemory, messageOf, UsageError } from '../../core/errors.ts';
import type { PixelShape } from '../../data/types.ts';
import type { ImagesOf, ModelFormat } from '../formats/format.ts';
import { FORMATS, type FormatName, formatOf } from '../formats/index.ts';
import type { TrainedAgainst } from '../threat.ts';
import type { EvaluatedTarget } from '../types.ts';
import { locate } from '../zoo/locate.ts';
import { availableBytes } from './available-bytes.ts';
import { type CheckpointName, checkCheckpointNames, namesOfNoRun } from './checkpoint-names.ts';
import { checkPreprocessing, isPlain, type Preprocessing, preprocessed } from './preprocessing.ts';

export { checkpointFiles, checkpointIdentity, recordPath } from './checkpoint-files.ts';

/** A model that can be evaluated, whatever it was loaded from; it owns its weights until `dispose`. */
export interface Target {
  /** The classifier, preprocessing included. */
  readonly classify: Classifier;
  /** Returns a classifier of the same model with another preprocessing. */
  readonly preprocessedBy: (preprocessing: Preprocessing) => Classifier;
  /** True if the model turned out to return probabilities, of which `classify` gives the logarithms. */
  readonly returnsProbabilities: () => boolean;
  readonly record: EvaluatedTarget;
  /** [height, width, channels] of one image, and the number of classes; null if the model does not say. */
  readonly inputShape: PixelShape | null;
  readonly classes: number | null;
  /** What it was trained on and against, as far as that is known. */
  readonly trainedOn: { readonly name: string; readonly sha256: string | null } | null;
  readonly threat: TrainedAgainst | null;
  readonly testLimit: number | null;
  /** What a user should know of how it was loaded. */
  readonly warnings: readonly string[];
  dispose(): void;
}

/** Where a model is: a path, a name of the zoo such as `zoo:vgg16-99`, or an ES module that is run. */
export type ModelSource = string | { readonly module: string };

/** A file or folder that holds one model. */
export interface ModelFile {
  readonly path: string;
  readonly format: FormatName;
}

/**
 * The models that a source stands for: of a run's folder the checkpoints that it keeps, or those that are named.
 *
 * @throws InputError if there is none, or the run lacks one that is named
 * @throws UsageError for names that are none of checkpoints, or where the source is no run's folder
 */
export async function modelFiles(
  source: ModelSource,
  { checkpoints }: { readonly checkpoints?: readonly CheckpointName[] } = {},
): Promise<readonly ModelFile[]> {
  checkCheckpointNames(checkpoints);
  if (typeof source !== 'string') return [ofNoRun({ path: source.module, format: 'module' }, checkpoints)];
  const found = await locate(source);
  const format = await formatOf(found);
  const { files }: ModelFormat = FORMATS[format];
  if (files === undefined) return [ofNoRun({ path: found, format }, checkpoints)];
  return (await files(found, checkpoints)).map((path) => ({ path, format }));
}

function ofNoRun(file: ModelFile, checkpoints?: readonly CheckpointName[]): ModelFile {
  if (checkpoints !== undefined) throw new UsageError(namesOfNoRun(file.path));
  return file;
}

/** Options of loading a model for an evaluation. */
export interface LoadOptions {
  /** Default: none, pixels in [0, 1]. */
  readonly preprocessing?: Preprocessing;
  /** The images that the model will be asked about; weights alone do not say. */
  readonly images?: ImagesOf;
  /** File of other names for the weights. */
  readonly names?: string;
  /** What the weights do not say of their network: stem, pools and activation. */
  readonly reading?: Reading;
  /** Images that the model gets at once; by default as many as fit into memory, which the first ones measure. */
  readonly batchSize?: number;
  /** Called with a message if the images of a batch did not fit into memory at once. */
  readonly warn?: (message: string) => void;
}

async function fileOf(source: string): Promise<ModelFile> {
  const path = await locate(source);
  return { path, format: await formatOf(path) };
}

/**
 * A model on the current backend.
 *
 * @param source of one model: a path, a checkpoint's for one, or a name of the zoo such as `zoo:vgg16-99`
 * @throws InputError if it is damaged or no model
 */
export async function loadTarget(
  source: string | ModelFile,
  { preprocessing = {}, images, names, reading = {}, batchSize, warn }: LoadOptions = {},
): Promise<Target> {
  checkPreprocessing(preprocessing);
  const { path, format } = typeof source === 'string' ? await fileOf(source) : source;
  const { readsWeights, runsOthersCode, description }: ModelFormat = FORMATS[format];
  const isRead = readingFlags(reading) !== '';
  if (isRead && !readsWeights) {
    throw new UsageError(`${readingFlags(reading)} describes bare weights of PyTorch; ${path} is ${description}.`);
  }
  const loaded = await FORMATS[format].load({ path, images: images ?? null, names, reading });
  const classes = images?.classes.length ?? null;
  let probabilities = false;
  const noteProbabilities = (): void => {
    probabilities = true;
  };
  const own = preprocessed(loaded.model, preprocessing, classes, noteProbabilities);
  const portions = portionsOf({ size: batchSize, available: availableBytes, warn });
  return {
    classify: inPortions(runsOthersCode ? namedInErrors(own, loaded.record.checkpoint) : own, portions),
    preprocessedBy: (other) => inPortions(preprocessed(loaded.model, other, classes), portions),
    returnsProbabilities: () => probabilities,
    record: {
      ...loaded.record,
      format,
      preprocessing: isPlain(preprocessing) ? null : preprocessing,
      ...(isRead && { reading }),
    },
    inputShape: loaded.inputShape,
    classes: loaded.classes,
    trainedOn: loaded.trainedOn ?? null,
    threat: loaded.threat ?? null,
    testLimit: loaded.testLimit ?? null,
    warnings: loaded.notes,
    dispose: () => loaded.dispose(),
  };
}

/** A classifier whose errors say which model failed, and on what. */
const namedInErrors =
  (classify: Classifier, name: string): Classifier =>
  (images) => {
    try {
      return classify(images);
    } catch (error) {
      if (error instanceof InputError || isOutOfMemory(error)) throw error;
      throw new InputError(`The model of ${name} failed on images [${images.shape.join(', ')}]: ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
