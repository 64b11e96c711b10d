// PNG files (https://www.w3.org/TR/png-3/): the chunks are checked one by one, then the samples are unfiltered and turned
// into pixels. What the standard forbids is refused, for a damaged picture must not become a training image.
import { crc32 } from 'node:zlib';
import { InputError } from '../../core/errors.ts';
import { inflate } from '../files/inflate.ts';
import type { DataFile } from '../types.ts';
import { upright } from './orientation.ts';
import { type Colour, checkPixels, damaged, type Picture } from './picture.ts';
import { type Chunk, pngOrientation } from './png-orientation.ts';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const GREY = 0;
const COLOUR = 2;
const PALETTE = 3;

/** Samples a pixel and the depths allowed, by colour type: grey, RGB, palette, grey and alpha, RGB and alpha. */
const COLOUR_TYPES: Readonly<Record<number, { channels: number; depths: readonly number[] }>> = {
  [GREY]: { channels: 1, depths: [1, 2, 4, 8, 16] },
  [COLOUR]: { channels: 3, depths: [8, 16] },
  [PALETTE]: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};

/** Where a pass starts and how far apart its pixels lie: x, y, right, down. */
type Pass = readonly [x: number, y: number, right: number, down: number];

const WHOLE: readonly Pass[] = [[0, 0, 1, 1]];
const ADAM7: readonly Pass[] = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colourType: number;
  /** Samples of a pixel. */
  readonly channels: number;
  readonly passes: readonly Pass[];
}

/**
 * @param background what is behind a transparent picture; by default such a picture is refused
 * @throws InputError naming the file
 */
export function decodePng({ name, bytes }: DataFile, background?: Colour): Picture {
  const [first, ...chunks] = readChunks(name, bytes);
  const header = readHeader(name, first);
  if (header.depth === 16) {
    throw new InputError(`${name} has 16 bits a channel; images are held in 8 bits. Convert it to 8 bits.`);
  }
  checkPixels(name, header.width, header.height);
  checkOrder(name, chunks);
  const data = (type: string): Uint8Array | null => chunks.find((chunk) => chunk.type === type)?.data ?? null;
  const palette = data('PLTE');
  const transparency = data('tRNS');
  checkColours(name, header, palette, transparency);
  const packed = Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map((chunk) => chunk.data));
  const samples = unfilter(name, inflateRows(name, packed, header), header);
  const layer = layerOf(name, samples, header, palette, transparency);
  const { width, height } = header;
  return upright({ width, height, ...onBackground(name, layer, background) }, pngOrientation(name, chunks));
}

function readChunks(name: string, bytes: Uint8Array): readonly Chunk[] {
  if (SIGNATURE.some((byte, i) => bytes[i] !== byte)) throw damaged(name, 'a wrong signature');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  let at = SIGNATURE.length;
  while (chunks.at(-1)?.type !== 'IEND') {
    if (at + 12 > bytes.length) throw damaged(name, `it ends at byte ${bytes.length} without an IEND chunk`);
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 12 + length;
    if (!/^[A-Za-z]{4}$/.test(type)) throw damaged(name, `no chunk at byte ${at}`);
    if (end > bytes.length) throw damaged(name, `the chunk ${type} at byte ${at} ends beyond the file`);
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      throw damaged(name, `a wrong checksum of the chunk ${type} at byte ${at}`);
    }
    chunks.push({ type, data: bytes.subarray(at + 8, end - 4) });
    at = end;
  }
  if (at < bytes.length) throw damaged(name, `${bytes.length - at} bytes after its end at byte ${at}`);
  return chunks;
}

function readHeader(name: string, { type, data }: Chunk): Header {
  if (type !== 'IHDR' || data.length !== 13) throw damaged(name, 'no header');
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const [depth, colourType, compression, filter, interlace] = data.subarray(8);
  const known = COLOUR_TYPES[colourType];
  if (!known?.depths.includes(depth)) throw damaged(name, `colour type ${colourType} of ${depth} bits`);
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damaged(name, `compression ${compression}, filter ${filter}, interlace ${interlace}`);
  }
  return {
    width: view.getUint32(0),
    height: view.getUint32(4),
    depth,
    colourType,
    channels: known.channels,
    passes: interlace === 1 ? ADAM7 : WHOLE,
  };
}

/** Chunks that appear at most once, and those that must come before the image data. */
const ONCE = ['PLTE', 'tRNS', 'eXIf'];
const BEFORE_DATA = ['PLTE', 'tRNS'];
const CRITICAL = ['PLTE', 'IDAT', 'IEND'];

function checkOrder(name: string, chunks: readonly Chunk[]): void {
  const types = chunks.map(({ type }) => type);
  const unknown = types.find((type) => /^[A-Z]/.test(type) && !CRITICAL.includes(type));
  if (unknown !== undefined) throw damaged(name, `a chunk ${unknown} where none belongs`);
  const [start, end] = [types.indexOf('IDAT'), types.lastIndexOf('IDAT')];
  if (start < 0) throw damaged(name, 'no image data');
  if (types.slice(start, end).some((type) => type !== 'IDAT')) throw damaged(name, 'a chunk within the image data');
  for (const type of ONCE) {
    if (types.indexOf(type) !== types.lastIndexOf(type)) throw damaged(name, `two chunks ${type}`);
  }
  for (const type of BEFORE_DATA) {
    if (types.lastIndexOf(type) > start) throw damaged(name, `a chunk ${type} after the image data`);
  }
  const transparency = types.indexOf('tRNS');
  if (transparency >= 0 && transparency < types.indexOf('PLTE')) throw damaged(name, 'a chunk tRNS before its palette');
  if ((chunks.at(-1) as Chunk).data.length > 0) throw damaged(name, 'an IEND chunk that is not empty');
}

function checkColours(
  name: string,
  { colourType, depth, channels }: Header,
  palette: Uint8Array | null,
  transparency: Uint8Array | null,
): void {
  if (colourType === PALETTE && palette === null) throw damaged(name, 'colours of a palette, and no palette');
  if (palette !== null) {
    const most = colourType === PALETTE ? 2 ** depth : 256;
    if (palette.length % 3 !== 0 || palette.length === 0 || palette.length > 3 * most) {
      throw damaged(name, `a palette of ${palette.length} bytes; expected 3 for each of 1 to ${most} colours`);
    }
  }
  if (transparency === null) return;
  const fits =
    colourType === PALETTE
      ? transparency.length <= (palette as Uint8Array).length / 3
      : (colourType === GREY || colourType === COLOUR) && transparency.length === 2 * channels;
  if (!fits) throw damaged(name, `a chunk tRNS of ${transparency.length} bytes for colour type ${colourType}`);
}

/** The size of a pass: rows, and the bytes of one without that of its filter. */
function passSize({ width, height, depth, channels }: Header, [x, y, right, down]: Pass): readonly [number, number] {
  const columns = Math.ceil((width - x) / right);
  const rows = Math.ceil((height - y) / down);
  return columns <= 0 || rows <= 0 ? [0, 0] : [rows, Math.ceil((columns * channels * depth) / 8)];
}

/** All rows of all passes, each a filter and its bytes. */
function inflateRows(name: string, packed: Uint8Array, header: Header): Uint8Array {
  const expected = header.passes.reduce((total, pass) => {
    const [rows, rowBytes] = passSize(header, pass);
    return total + rows * (1 + rowBytes);
  }, 0);
  const size = `${header.width}×${header.height} pixels need ${expected} bytes`;
  const inflated = inflate(packed, 'zlib', expected);
  if (inflated.kind === 'damaged') throw damaged(name, inflated.reason);
  if (inflated.kind === 'too long') throw damaged(name, `more image data than its ${size}`);
  const { bytes, consumed } = inflated;
  if (bytes.length < expected) throw damaged(name, `${bytes.length} bytes of image data, and its ${size}`);
  if (consumed < packed.length) throw damaged(name, `${packed.length - consumed} bytes after its image data`);
  return bytes;
}

/** The samples [height, width, channels], one a byte whatever their depth; `rows` is overwritten. */
function unfilter(name: string, rows: Uint8Array, header: Header): Uint8Array {
  const { width, height, depth, channels, passes } = header;
  const samples = new Uint8Array(width * height * channels);
  const pixelBytes = Math.max(1, (channels * depth) / 8);
  const mask = 2 ** depth - 1;
  let at = 0;
  for (const pass of passes) {
    const [x, y, right, down] = pass;
    const [count, rowBytes] = passSize(header, pass);
    const columns = Math.ceil((width - x) / right);
    let previous: Uint8Array = new Uint8Array(rowBytes);
    for (let row = 0; row < count; row++) {
      const line = rows.subarray(at + 1, at + 1 + rowBytes);
      const filter = FILTERS[rows[at]];
      if (filter === undefined) throw damaged(name, `a row of filter ${rows[at]}`);
      for (let i = 0; i < rowBytes; i++) {
        const left = i < pixelBytes ? 0 : line[i - pixelBytes];
        line[i] += filter(left, previous[i], i < pixelBytes ? 0 : previous[i - pixelBytes]);
      }
      for (let column = 0; column < columns; column++) {
        const to = ((y + row * down) * width + x + column * right) * channels;
        for (let channel = 0; channel < channels; channel++) {
          const bit = (column * channels + channel) * depth;
          samples[to + channel] = (line[bit >> 3] >> (8 - depth - (bit & 7))) & mask;
        }
      }
      previous = line;
      at += 1 + rowBytes;
    }
  }
  return samples;
}

/** What is added to a byte, by the filter of its row: from the bytes to the left, above, and above the left. */
const FILTERS: readonly ((left: number, above: number, aboveLeft: number) => number)[] = [
  () => 0,
  (left) => left,
  (_, above) => above,
  (left, above) => (left + above) >> 1,
  paeth,
];

/** The neighbour that is nearest to left + above − aboveLeft. */
function paeth(left: number, above: number, aboveLeft: number): number {
  const toLeft = Math.abs(above - aboveLeft);
  const toAbove = Math.abs(left - aboveLeft);
  const toAboveLeft = Math.abs(left + above - 2 * aboveLeft);
  if (toLeft <= toAbove && toLeft <= toAboveLeft) return left;
  return toAbove <= toAboveLeft ? above : aboveLeft;
}

/** Colours of a picture, and how opaque each pixel is. */
interface Layer {
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
  /** [pixels], 255 is opaque; null if all are. */
  readonly alpha: Uint8Array | null;
}

function layerOf(
  name: string,
  samples: Uint8Array,
  { width, height, depth, colourType, channels }: Header,
  palette: Uint8Array | null,
  transparency: Uint8Array | null,
): Layer {
  const area = width * height;
  if (colourType === PALETTE) return lookUp(name, samples, palette as Uint8Array, transparency);
  const spread = depth === 8 ? samples : samples.map((level) => (level * 255) / (2 ** depth - 1));
  if (channels === 1 || channels === 3) {
    if (transparency === null) return { channels, pixels: spread, alpha: null };
    // One colour is transparent: two bytes a channel, of which these depths need the second.
    const clear = Array.from({ length: channels }, (_, channel) => transparency[2 * channel + 1]);
    const isClear = (pixel: number): boolean =>
      clear.every((value, channel) => samples[pixel * channels + channel] === value);
    return { channels, pixels: spread, alpha: Uint8Array.from({ length: area }, (_, i) => (isClear(i) ? 0 : 255)) };
  }
  const colours = channels === 2 ? 1 : 3;
  const pixels = new Uint8Array(area * colours);
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < colours; channel++) {
      pixels[pixel * colours + channel] = samples[pixel * channels + channel];
    }
  }
  return {
    channels: colours,
    pixels,
    alpha: Uint8Array.from({ length: area }, (_, i) => samples[i * channels + colours]),
  };
}

function lookUp(name: string, indices: Uint8Array, palette: Uint8Array, transparency: Uint8Array | null): Layer {
  const pixels = new Uint8Array(3 * indices.length);
  const colours = palette.length / 3;
  for (const [pixel, index] of indices.entries()) {
    if (index >= colours) throw damaged(name, `colour ${index} of a palette of ${colours}`);
    for (let channel = 0; channel < 3; channel++) pixels[3 * pixel + channel] = palette[3 * index + channel];
  }
  return { channels: 3, pixels, alpha: transparency && indices.map((index) => transparency[index] ?? 255) };
}

/** A layer on a background, which one that is opaque everywhere does not need. */
function onBackground(name: string, { channels, pixels, alpha }: Layer, background?: Colour): Omit<Layer, 'alpha'> {
  if (alpha === null || alpha.every((opacity) => opacity === 255)) return { channels, pixels };
  if (background === undefined) {
    throw new InputError(
      `${name} has transparent pixels, and no background to see behind them. Put it on a background, as equipoise data prepare --background does.`,
    );
  }
  const isGrey = channels === 1 && background.every((level) => level === background[0]);
  const colours = isGrey ? 1 : 3;
  const laid = new Uint8Array(alpha.length * colours);
  for (const [pixel, opacity] of alpha.entries()) {
    for (let channel = 0; channel < colours; channel++) {
      const level = pixels[pixel * channels + (channels === 1 ? 0 : channel)];
      laid[pixel * colours + channel] = Math.round((level * opacity + background[channel] * (255 - opacity)) / 255);
    }
  }
  return { channels: colours, pixels: laid };
}
