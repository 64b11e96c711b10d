// The files of an image folder by class and split, before any of them is read. What is wrong is collected, so that a user
// hears of all of it at once.
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/errors.ts';
import { systemReason } from '../../core/system-errors.ts';
import { otherThanFile } from '../../files/regular-file.ts';
import { digestOf } from '../files/checksum.ts';
import type { SplitName } from '../types.ts';

/** The share of each class's images that is for testing, if there are no folders train/ and test/. */
export const TEST_SHARE = 0.2;

/** Labels are bytes. */
const MOST_CLASSES = 256;

const EXTENSIONS = /\.(png|jpe?g)$/i;

/** An image file: its path below the folder, with slashes, and its class. */
export interface Listed {
  readonly path: string;
  readonly label: number;
}

export interface Listing extends Readonly<Record<SplitName, readonly Listed[]>> {
  readonly classes: readonly string[];
  /** What cannot be used, and why: a sentence a file. */
  readonly problems: readonly string[];
}

/**
 * The images of a folder: train/CLASS/… and test/CLASS/…; test/CLASS/… alone, to evaluate on; or CLASS/… alone, of which some
 * are for testing.
 *
 * @throws InputError if the folder has no such layout
 */
export async function listImages(folder: string): Promise<Listing> {
  const problems: string[] = [];
  const top = await entriesOf(folder, problems);
  if (!top.folders.includes('test')) {
    if (top.folders.includes('train')) {
      throw new InputError(
        `${folder} has a folder train and none named test; expected both, test alone, or folders of classes alone.`,
      );
    }
    return { ...(await listDivided(folder, top, problems)), problems };
  }
  const splits = (['train', 'test'] as const).filter((name) => top.folders.includes(name));
  for (const other of top.folders.filter((name) => !splits.some((split) => split === name))) {
    problems.push(
      `${join(folder, other)} lies beside ${splits.join(' and ')}, and would not be used; move it away (images for validation are taken from train).`,
    );
  }
  const names: Record<SplitName, readonly string[]> = { train: [], test: [] };
  for (const split of splits) {
    const where = join(folder, split);
    names[split] = classNames(where, await entriesOf(where, problems), problems);
  }
  if (splits.length === 2) {
    problems.push(...missing(folder, 'test', 'train', names), ...missing(folder, 'train', 'test', names));
  }
  const classes = names[splits[0]];
  const list = async (split: SplitName): Promise<readonly Listed[]> => {
    const images: (readonly Listed[])[] = [];
    for (const name of names[split]) {
      images.push(await imagesOf(folder, `${split}/${name}`, classes.indexOf(name), problems));
    }
    return images.flat();
  };
  return { classes, train: await list('train'), test: await list('test'), problems };
}

/** The images of folders of classes, each divided into training and test images. */
async function listDivided(folder: string, top: Entries, problems: string[]): Promise<Omit<Listing, 'problems'>> {
  const classes = classNames(folder, top, problems);
  const divided: Record<SplitName, readonly Listed[]>[] = [];
  for (const [label, name] of classes.entries()) {
    const images = await imagesOf(folder, name, label, problems);
    if (images.length === 1) {
      problems.push(`${join(folder, name)} holds one image; a class needs one to train on and one to test on.`);
    }
    divided.push(divide(images));
  }
  return { classes, train: divided.flatMap(({ train }) => train), test: divided.flatMap(({ test }) => test) };
}

/** Classes of one split that another lacks. */
const missing = (
  folder: string,
  there: SplitName,
  lacking: SplitName,
  names: Readonly<Record<SplitName, readonly string[]>>,
): readonly string[] =>
  names[there]
    .filter((name) => !names[lacking].includes(name))
    .map(
      (name) =>
        `${join(folder, there)} has a class ${name}, and ${join(folder, lacking)} has none; both need the same.`,
    );

/**
 * The classes that a folder seems to hold pictures of, in folders as `listImages` reads them; fewer than two where it is of
 * another kind, or not there.
 */
export async function classFoldersIn(folder: string): Promise<readonly string[]> {
  const split = (await foldersIn(folder)).find((name) => name === 'train' || name === 'test');
  const top = split === undefined ? folder : join(folder, split);
  const names = (await foldersIn(top)).slice(0, MOST_CLASSES);
  const filled = await Promise.all(
    names.map(async (name) => (await readdir(join(top, name)).catch(() => [])).some((file) => EXTENSIONS.test(file))),
  );
  return names.filter((_, i) => filled[i]);
}

const foldersIn = async (folder: string): Promise<readonly string[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() && !entry.name.startsWith('.') ? [entry.name] : [])).sort();
};

/** The images of one class, those of lowest hash for testing. */
function divide(images: readonly Listed[]): Record<SplitName, readonly Listed[]> {
  const order = images
    .map((image) => ({ image, hash: digestOf('sha256', image.path) }))
    .sort((a, b) => (a.hash < b.hash ? -1 : 1))
    .map(({ image }) => image);
  const tested = new Set(order.slice(0, Math.max(1, Math.round(TEST_SHARE * images.length))));
  return { train: images.filter((image) => !tested.has(image)), test: images.filter((image) => tested.has(image)) };
}

interface Entries {
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The folders in a folder and the regular files, by name; hidden ones are left out, and what is neither is a problem. */
async function entriesOf(folder: string, problems: string[]): Promise<Entries> {
  // Names as bytes, since one need not be UTF-8, and would then not be found again.
  const found = await readdir(folder, { withFileTypes: true, encoding: 'buffer' }).catch((error: unknown) => {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new InputError(
      `${folder} is no folder that can be read (${reason}); expected one of images in folders of their classes.`,
      { cause: error },
    );
  });
  const folders: string[] = [];
  const files: string[] = [];
  for (const entry of found.filter((entry) => entry.name[0] !== DOT)) {
    const name = decodeName(entry.name);
    if (name === null) {
      problems.push(`${join(folder, entry.name.toString('latin1'))} has a name that is not UTF-8; rename it.`);
    } else if (entry.isFile()) files.push(name);
    else if (entry.isDirectory()) folders.push(name);
    else {
      const target = await targetOf(join(folder, name));
      if (typeof target === 'string') problems.push(target);
      else (target.isDirectory() ? folders : files).push(name);
    }
  }
  return { folders: folders.sort(), files: files.sort() };
}

const DOT = 0x2e;

function decodeName(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}

/** What a path leads to, through links; a sentence if that is neither a file nor a folder. */
async function targetOf(path: string): Promise<Stats | string> {
  try {
    const found = await stat(path);
    if (found.isDirectory() || found.isFile()) return found;
    return `${path} is ${otherThanFile(found)}; expected an image. Take it away.`;
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    const { code } = error as NodeJS.ErrnoException;
    return `${path} ${code === 'ENOENT' ? 'is a link to nothing' : `cannot be read: ${reason}`}; repair it or remove it.`;
  }
}

/** The folders in a folder as classes. */
function classNames(folder: string, { folders, files }: Entries, problems: string[]): readonly string[] {
  for (const stray of files.filter((name) => EXTENSIONS.test(name))) {
    problems.push(`${join(folder, stray)} is in no folder of a class; expected ${join(folder, 'CLASS', stray)}.`);
  }
  if (folders.length < 2 || folders.length > MOST_CLASSES) {
    problems.push(
      `${folder} holds ${folders.length} folders of classes (${folders.slice(0, 5).join(', ') || 'none'}); expected 2 to ${MOST_CLASSES}.`,
    );
    throw problemsError(folder, problems);
  }
  return folders;
}

async function imagesOf(folder: string, below: string, label: number, problems: string[]): Promise<readonly Listed[]> {
  const found: string[] = [];
  const { folders, files } = await entriesOf(join(folder, below), found);
  for (const wrong of [...folders, ...files.filter((name) => !EXTENSIONS.test(name))]) {
    found.push(`${join(folder, below, wrong)} is no .png, .jpg or .jpeg file; remove it or convert it.`);
  }
  if (files.length === 0 && found.length === 0) {
    found.push(`${join(folder, below)} holds no images; add images or remove it.`);
  }
  problems.push(...found);
  return files.filter((name) => EXTENSIONS.test(name)).map((name) => ({ path: `${below}/${name}`, label }));
}

/** The largest number of problems that a message lists. */
const MOST_TOLD = 10;

/** One error about all that is wrong with a folder. */
export function problemsError(folder: string, problems: readonly string[]): InputError {
  if (problems.length === 1) return new InputError(problems[0]);
  const told = problems.slice(0, MOST_TOLD).map((problem) => `\n  ${problem}`);
  const rest = problems.length - told.length;
  return new InputError(
    `${folder} has ${problems.length} problems:${told.join('')}${rest > 0 ? `\n  … and ${rest} more.` : ''}`,
  );
}
