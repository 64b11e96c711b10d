// The files of an image folder by class and split, before any of them is read. What is wrong is collected, so that a user
// hears of all of it at once.
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/errors.ts';
import { digestOf } from './checksum.ts';
import { otherThanFile } from './read-file.ts';
import { systemReason } from './system-errors.ts';
import type { SplitName } from './types.ts';

/** Where train/ and test/ are not told apart by folders: the share of each class's images that is for testing. */
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
 * The images of a folder: train/CLASS/… and test/CLASS/…, or CLASS/… alone, of which some are for testing.
 *
 * @throws InputError if the folder has no such layout
 */
export async function listImages(folder: string): Promise<Listing> {
  const problems: string[] = [];
  const top = await entriesOf(folder, problems);
  const { folders } = top;
  const splits = folders.filter((name) => name === 'train' || name === 'test');
  if (splits.length === 2) {
    for (const other of folders.filter((name) => name !== 'train' && name !== 'test')) {
      problems.push(
        `${join(folder, other)} lies beside train and test, and would not be used; move it away (images for validation are taken from train).`,
      );
    }
    const classes = await classesOf(join(folder, 'train'), problems);
    const tested = await classesOf(join(folder, 'test'), problems);
    problems.push(...missing(folder, 'test', 'train', tested, classes));
    problems.push(...missing(folder, 'train', 'test', classes, tested));
    const list = async (split: SplitName, names: readonly string[]) =>
      (
        await Promise.all(names.map((name) => imagesOf(folder, `${split}/${name}`, classes.indexOf(name), problems)))
      ).flat();
    return { classes, train: await list('train', classes), test: await list('test', tested), problems };
  }
  if (splits.length === 1) {
    const [present] = splits;
    const absent = present === 'train' ? 'test' : 'train';
    throw new InputError(
      `${folder} has a folder ${present} and none named ${absent}; expected both, or folders of classes alone.`,
    );
  }
  const classes = classNames(folder, top, problems);
  const images = await Promise.all(classes.map((name, label) => imagesOf(folder, name, label, problems)));
  for (const [label, listed] of images.entries()) {
    if (listed.length === 1) {
      problems.push(
        `${join(folder, classes[label])} holds one image; a class needs one to train on and one to test on.`,
      );
    }
  }
  const divided = images.map(divide);
  return {
    classes,
    train: divided.flatMap(({ train }) => train),
    test: divided.flatMap(({ test }) => test),
    problems,
  };
}

/** Classes of one split that another lacks. */
const missing = (
  folder: string,
  there: SplitName,
  lacking: SplitName,
  names: readonly string[],
  others: readonly string[],
): readonly string[] =>
  names
    .filter((name) => !others.includes(name))
    .map(
      (name) =>
        `${join(folder, there)} has a class ${name}, and ${join(folder, lacking)} has none; both need the same.`,
    );

/**
 * The classes that a folder seems to hold pictures of, in folders as `listImages` reads them; fewer than two where it is of
 * another kind, or not there.
 */
export async function classFoldersIn(folder: string): Promise<readonly string[]> {
  const top = (await foldersIn(folder)).includes('train') ? join(folder, 'train') : folder;
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
  // As bytes, since a name need not be UTF-8, and would then not be found again.
  const found = await readdir(folder, { encoding: 'buffer' }).catch((error: unknown) => {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new InputError(
      `${folder} is no folder that can be read (${reason}); expected one of images in folders of their classes.`,
    );
  });
  const folders: string[] = [];
  const files: string[] = [];
  const DOT = 0x2e;
  for (const bytes of found.filter(([first]) => first !== DOT)) {
    const name = decodeName(bytes);
    if (name === null) {
      problems.push(`${join(folder, bytes.toString('latin1'))} has a name that is not UTF-8; rename it.`);
      continue;
    }
    const target = await kindOf(join(folder, name));
    if (typeof target === 'string') problems.push(target);
    else (target.isDirectory() ? folders : files).push(name);
  }
  return { folders: folders.sort(), files: files.sort() };
}

function decodeName(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes);
  } catch {
    return null;
  }
}

/** What a path leads to, through links; a sentence if that is neither a file nor a folder. */
async function kindOf(path: string): Promise<Stats | string> {
  try {
    const found = await stat(path);
    if (found.isDirectory() || found.isFile()) return found;
    return `${path} is ${otherThanFile(found)}; expected an image. Take it away.`;
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    const { code } = error as NodeJS.ErrnoException;
    return `${path} ${code === 'ENOENT' ? 'is a link to nothing' : `cannot be read: ${reason}`}; mend it or take it away.`;
  }
}

const classesOf = async (folder: string, problems: string[]): Promise<readonly string[]> =>
  classNames(folder, await entriesOf(folder, problems), problems);

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
    found.push(`${join(folder, below, wrong)} is no .png, .jpg or .jpeg file; take it away or convert it.`);
  }
  if (files.length === 0 && found.length === 0) {
    found.push(`${join(folder, below)} holds no images; fill it or take it away.`);
  }
  problems.push(...found);
  return files.filter((name) => EXTENSIONS.test(name)).map((name) => ({ path: `${below}/${name}`, label }));
}

/** Problems are told up to this many. */
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
