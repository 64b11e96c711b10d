// What scripts/data_fixtures.py made: image files with the pixels that Pillow reads, and MATLAB files of SciPy.
import { readFileSync } from 'node:fs';

/** A file as base64. */
interface Sound {
  readonly name: string;
  readonly file: string;
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly pixels: string;
}

interface Refused {
  readonly name: string;
  readonly file: string;
  /** A part of the message. */
  readonly says: string;
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../test/data/${name}`, import.meta.url), 'utf8'));

export const pictures = read('pictures.json') as {
  readonly sound: readonly Sound[];
  readonly refused: readonly Refused[];
};

export const matlabFiles = read('matlab.json') as {
  /** [2, 32, 32, 3] */
  readonly images: string;
  readonly labels: readonly number[];
  readonly files: Readonly<Record<string, string>>;
  readonly refused: Readonly<Record<string, string>>;
};

export const decoded = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));

/** An image file by its name in the fixtures. */
export function pictureFile(name: string): Uint8Array {
  const found = [...pictures.sound, ...pictures.refused].find((picture) => picture.name === name);
  if (found === undefined) throw new Error(`no picture ${name}`);
  return decoded(found.file);
}
