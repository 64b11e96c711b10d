// What a data set is, in memory and as a row of the table.
import type { NormName } from '../../attacks/types.ts';
import type { Checksum } from './files/checksum.ts';

/** Images and labels held in memory as bytes. */
export interface Split {
  readonly count: number;
  /** [count, height, width, channels], 0 … 255, row-major */
  readonly images: Uint8Array;
  /** [count], 0 … classes − 1 */
  readonly labels: Uint8Array;
}

/** [height, width, channels] of one image */
export type PixelShape = readonly [number, number, number];

/** The parts of a data set. */
export type SplitName = 'train' | 'test';

/** A data set in memory. */
export interface Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  readonly imageShape: PixelShape;
  readonly train: Split;
  readonly test: Split;
  /** The SHA-256 of the lines `sha256  name` that `sha256sum` prints for the files of the data set, unpacked, training files first. */
  readonly sha256: string;
  /** True if these are the official files, where there are any; else the set is shown as `name (unofficial)`. */
  readonly official: boolean;
}

/** What is done to a training image: nothing, a shift by up to 4 pixels, or that and a horizontal flip. */
export type Augmentation = 'none' | 'shift' | 'shift-flip';

/** The settings that a run takes from its data set, unless they are given. */
export interface DatasetDefaults {
  /** Radius by norm, in pixel units of [0, 1]; null if none is customary and one must be given. */
  readonly epsilon: Readonly<Record<NormName, number | null>>;
  /** Steps of the training attack. */
  readonly steps: number;
  /** Step of the linf training attack at the radius above; null: 2.5 · epsilon / steps. */
  readonly stepSize: number | null;
  readonly model: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly augment: Augmentation;
}

/** A file in memory, unpacked; `name` is what messages call it. */
export interface DataFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** How the files of a data set are named and read. */
export interface Format {
  /** The files that it takes, in words. */
  readonly expected: string;
  /** The files of each split among these names (without .gz), in order; an empty list if one is missing. */
  files(names: readonly string[]): Readonly<Record<SplitName, readonly string[]>>;
  /**
   * @param files of one split, in that order
   * @throws InputError naming the file and the byte that is wrong
   */
  decode(files: readonly DataFile[], imageShape: PixelShape, classes: number): Split;
}

/** A file to download from a data set's host. */
export interface Download {
  readonly url: string;
  readonly checksum: Checksum;
  /** Its size; a host that sends more is cut off. */
  readonly bytes: number;
  /** True if it holds the files, or is one. */
  readonly unpack: 'tar.gz' | 'none';
}

/** Published files of known names. */
export interface FileSource {
  readonly kind: 'files';
  readonly classes: readonly string[];
  readonly imageShape: PixelShape;
  readonly format: Format;
  /** The checksum of every official file by its name; of the packed bytes if the name ends in .gz. */
  readonly checksums: Readonly<Record<string, Checksum>>;
  readonly downloads: readonly Download[];
  /** Folders below a data directory in which others' tools leave these files. */
  readonly folders: readonly string[];
  /** The folder in the package that they come in; then they are looked for nowhere else. */
  readonly shipped?: string;
}

/** A folder of the user's own. */
export interface FolderSource {
  readonly kind: 'folder';
  /** @throws InputError naming the file that is wrong */
  load(folder: string): Promise<Dataset>;
}

/** Computed, the same in every call. */
export interface GeneratedSource {
  readonly kind: 'generated';
  generate(): Dataset;
}

/** Where the images of a data set come from. */
export type Source = FileSource | FolderSource | GeneratedSource;

/** A row of the table of data sets: the source of its images, and the settings that a run takes from it unless they are given. */
export interface DatasetDefinition<S extends Source = Source> {
  readonly source: S;
  readonly defaults: DatasetDefaults;
}
