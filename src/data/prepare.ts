// Preparing a folder of pictures as a data set: every picture upright, of one size and opaque, as PNG.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { encode } from 'fast-png';
import { InputError, UsageError } from '../core/errors.ts';
import { explainingErrors } from '../core/system-errors.ts';
import { createFolder } from '../files/folders.ts';
import { MAX_PICTURE_BYTES, MAX_PICTURE_PIXELS } from './files/limits.ts';
import { readRegularFile } from './files/read-file.ts';
import { decodePicture } from './pictures/decode.ts';
import type { Colour } from './pictures/picture.ts';
import { centre, RESAMPLINGS, type Resampling, resize, type Size } from './pictures/resize.ts';
import { type Listed, listImages, problemsError } from './sets/folder-listing.ts';
import type { SplitName } from './types.ts';

/** What becomes of a picture of another form: its middle is taken, or all of it is stretched. */
export const CROPS = ['center', 'none'] as const;

/** How pictures are prepared. */
export interface PrepareOptions {
  /** Width and height of every picture. */
  readonly size: Size;
  /** Default `center`: the largest part of the right form, from the middle. `none` stretches the whole picture. */
  readonly crop?: (typeof CROPS)[number];
  /** Default `bilinear`. Both filters widen where a picture shrinks, as Pillow's do. */
  readonly resample?: Resampling;
  /** What is behind transparent pictures, which are refused without it: red, green and blue, 0 … 255. */
  readonly background?: Colour;
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops before the next picture; nothing is left then. */
  readonly signal?: AbortSignal;
}

/** What was made of a folder. */
export interface Prepared {
  readonly directory: string;
  readonly classes: readonly string[];
  readonly train: number;
  readonly test: number;
  /** Pictures that were smaller than the size asked for. */
  readonly enlarged: number;
}

/**
 * Makes a folder of pictures that `loadDataset('folder')` reads, `train/CLASS/NAME.png` and `test/CLASS/NAME.png`, from one
 * that has pictures of any size in such folders or in folders of classes alone, which are divided as `loadDataset` divides
 * them. Pixels are those of `ImageOps.fit(picture, size, resample)` of Pillow 12, after EXIF orientation and background.
 *
 * @param out must not exist; it appears when all pictures are done
 * @throws InputError naming every picture that cannot be used, or if `out` exists
 */
export async function prepareFolder(source: string, out: string, options: PrepareOptions): Promise<Prepared> {
  checkOptions(options);
  const target = resolve(out);
  if (existsSync(target)) {
    throw new InputError(`${out} exists already; expected the name of a new folder. Name another one, or remove it.`);
  }
  if (!relative(resolve(source), target).startsWith('..')) {
    throw new UsageError(
      `${out} is in ${source}, so its pictures would count as pictures of that folder. Name a folder elsewhere.`,
    );
  }
  const { classes, train, test, problems } = await listImages(source);
  const jobs = [...jobsOf('train', train), ...jobsOf('test', test)];
  return explainingErrors(target, async () => {
    await createFolder(dirname(target));
    const staging = `${target}.making-${randomUUID()}`;
    await mkdir(staging);
    try {
      const wrong = [...problems, ...sameNames(source, jobs)];
      let enlarged = 0;
      for (const [done, job] of jobs.entries()) {
        options.signal?.throwIfAborted();
        try {
          const picture = await prepared(join(source, job.path), options);
          if (picture.isEnlarged) enlarged++;
          if (wrong.length === 0) await write(join(staging, job.to), picture.bytes);
        } catch (error) {
          if (!(error instanceof InputError)) throw error;
          wrong.push(error.message);
        }
        options.onProgress?.(done + 1, jobs.length);
      }
      if (wrong.length > 0) throw problemsError(source, wrong);
      await rename(staging, target);
      return { directory: target, classes, train: train.length, test: test.length, enlarged };
    } finally {
      await rm(staging, { recursive: true, force: true });
    }
  });
}

function checkOptions({ size, crop = 'center', resample = 'bilinear', background }: PrepareOptions): void {
  const [width, height] = size;
  const isSide = (side: number): boolean => Number.isInteger(side) && side >= 1;
  if (size.length !== 2 || !isSide(width) || !isSide(height) || width * height > MAX_PICTURE_PIXELS) {
    throw new UsageError(
      `size: expected a width and a height of whole pixels, at most ${MAX_PICTURE_PIXELS} together, got ${size.join('×')}.`,
    );
  }
  if (!CROPS.includes(crop)) throw new UsageError(`crop: expected ${CROPS.join(' or ')}, got ${crop}.`);
  if (!RESAMPLINGS.includes(resample)) {
    throw new UsageError(`resample: expected ${RESAMPLINGS.join(' or ')}, got ${resample}.`);
  }
  if (background?.some((level) => !(Number.isInteger(level) && level >= 0 && level <= 255))) {
    throw new UsageError(`background: expected red, green and blue of 0 … 255, got ${background.join(', ')}.`);
  }
}

/** A picture, and where it is written below the new folder. */
interface Job extends Listed {
  readonly to: string;
}

const jobsOf = (split: SplitName, images: readonly Listed[]): readonly Job[] =>
  images.map((image) => {
    const [file, name] = image.path.split('/').toReversed();
    return { ...image, to: `${split}/${name}/${file.replace(/\.[^.]*$/, '')}.png` };
  });

/** Pictures that would be written to one file. */
function sameNames(source: string, jobs: readonly Job[]): readonly string[] {
  const first = new Map<string, string>();
  return jobs.flatMap(({ path, to }) => {
    const before = first.get(to);
    if (before === undefined) first.set(to, path);
    return before === undefined
      ? []
      : `${join(source, path)} and ${join(source, before)} would both become ${to}; rename one.`;
  });
}

async function prepared(
  name: string,
  { size, crop = 'center', resample = 'bilinear', background }: PrepareOptions,
): Promise<{ readonly bytes: Uint8Array; readonly isEnlarged: boolean }> {
  const bytes = await readRegularFile(name, MAX_PICTURE_BYTES, 'Make the image smaller');
  const picture = await decodePicture({ name, bytes }, background);
  const whole = [0, 0, picture.width, picture.height] as const;
  const { width, height, channels, pixels } = resize(
    picture,
    size,
    crop === 'center' ? centre(picture, size) : whole,
    resample,
  );
  return {
    bytes: encode({ width, height, channels, data: pixels, depth: 8 }),
    isEnlarged: picture.width < width || picture.height < height,
  };
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await createFolder(dirname(path));
  await writeFile(path, bytes);
}

const NAMED: Readonly<Record<string, Colour>> = { white: [255, 255, 255], black: [0, 0, 0], grey: [128, 128, 128] };

/**
 * A colour by its name, or as `#rrggbb`.
 *
 * @throws UsageError for another text
 */
export function parseColour(text: string): Colour {
  const named = Object.hasOwn(NAMED, text) ? NAMED[text] : undefined;
  if (named !== undefined) return named;
  const digits = /^#?([0-9a-f]{6})$/i.exec(text)?.[1];
  if (digits === undefined) {
    throw new UsageError(`--background: expected ${Object.keys(NAMED).join(', ')} or #rrggbb, got ${text}.`);
  }
  return [0, 2, 4].map((at) => Number.parseInt(digits.slice(at, at + 2), 16)) as unknown as Colour;
}

/**
 * A size: `64` for a square, or width and height as `64x48`.
 *
 * @throws UsageError for another text
 */
export function parseSize(text: string): Size {
  const [, width, height = width] = /^(\d+)(?:[x×](\d+))?$/.exec(text) ?? [];
  if (width === undefined) throw new UsageError(`--size: expected pixels such as 64, or 64x48, got ${text}.`);
  return [Number(width), Number(height)];
}
