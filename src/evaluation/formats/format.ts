// What a format of models is: a row of the table in `index.ts`.
import type { FinalActivation } from '../../../attacks/models/final-activation.ts';
import type { AttackedModel } from '../../../attacks/types.ts';
import type { Reading } from '../../checkpoints/pytorch/reading.ts';
import type { PixelShape } from '../../data/types.ts';
import type { CheckpointName } from '../targets/checkpoint-names.ts';
import type { TrainedAgainst } from '../threat.ts';

/** What there is at a path, as far as it takes to tell formats apart. */
export interface Found {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'nothing';
  /** The first bytes of a file. */
  readonly head: Uint8Array;
  /** True if it is a folder with a SavedModel of TensorFlow. */
  readonly isSavedModel: boolean;
  /** The `model.json` that the path is or holds, parsed; undefined if there is none. */
  readonly modelJson: unknown;
  /** The metadata of a safetensors file; undefined for others. */
  readonly metadata: Readonly<Record<string, string>> | undefined;
}

/** The images that a model will be asked about. */
export interface ImagesOf {
  readonly name: string;
  readonly imageShape: PixelShape;
  readonly classes: readonly string[];
}

export interface LoadRequest {
  readonly path: string;
  /** The images of the data set, which a format needs whose files do not say what they take; null if none was named. */
  readonly images: ImagesOf | null;
  /** File of other names for the weights; see docs/foreign-models.md. */
  readonly names?: string;
  /** What weights do not say of their network. */
  readonly reading?: Reading;
}

/** What a model's files say of it. */
export interface ModelRecord {
  /** `best`, `last`, or the name of the file or folder. */
  readonly checkpoint: string;
  /** Hash of the file; for a folder, hash of the lines that `sha256sum` prints of its files. */
  readonly sha256: string;
  /** What the user said of a network whose weights do not say it; left out if nothing was said. */
  readonly reading?: Reading;
  readonly epoch: number | null;
  readonly step: number | null;
  /** True if its weights are averaged over the steps of training; left out if they are not, or the file does not say. */
  readonly averaged?: true;
  /** 1 − nonzeros / size over all convolution and fully connected kernels; null if they cannot be seen. */
  readonly sparsity: number | null;
  readonly nonzeros: number | null;
  /** Multiply-adds of one image's forward pass, at the nonzeros only; null if they cannot be counted. */
  readonly flops: number | null;
  /** Size of the file or files. */
  readonly bytes: number;
}

/** A model as its file gives it, before any preprocessing. */
export interface LoadedModel {
  /** Owned, with its weights, until `dispose`. */
  readonly model: AttackedModel;
  readonly record: ModelRecord;
  /** [height, width, channels] of one image, and the number of classes; null if the file does not say. */
  readonly inputShape: PixelShape | null;
  readonly classes: number | null;
  /** What it was trained on and against, as far as that is known. */
  readonly trainedOn?: { readonly name: string; readonly sha256: string | null };
  readonly threat?: TrainedAgainst;
  readonly testLimit?: number;
  /** What a user should know of how it was loaded. */
  readonly notes: readonly string[];
  dispose(): void;
}

/** A way in which models are kept in files. */
export interface ModelFormat {
  /** A description of such a model, for messages and help. */
  readonly description: string;
  /** True if the format is recognised only to tell the user what to do instead. */
  readonly refused?: true;
  /** True if a file holds only weights, so that the user names the network. */
  readonly readsWeights?: true;
  /** True if what classifies is not our code: its errors are told as those of the model. */
  readonly runsOthersCode?: true;
  /** True if the path holds such a model. The first format of the table that says so takes it. */
  recognises(found: Found): boolean;
  /** The model files that a path stands for, or the checkpoints of a run that are named; default: the path itself. */
  files?(path: string, names?: readonly CheckpointName[]): Promise<readonly string[]>;
  /** @throws InputError if the file is damaged or does not fit the images */
  load(request: LoadRequest): Promise<LoadedModel>;
}

/** A note for the user of a model whose input is declared as whole numbers. It is given floats, through which gradients go. */
export const BYTES_NOTE = 'It takes bytes: give --bounds=0,255. Attacks treat pixels as continuous.';

/** A note for the user of a model that ends in a softmax or sigmoid. */
export const activationNote = ({ activation, kept }: Pick<FinalActivation, 'activation' | 'kept'>): string =>
  kept === null
    ? `The ${activation} that ends it was taken off: attacks need logits.`
    : `The ${activation} that ends it was kept: ${kept}. Attacks are weaker on its probabilities than on logits.`;
