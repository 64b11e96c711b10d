// The orientation that a PNG file announces, wherever software writes it: in EXIF data, in EXIF data as a text of hexadecimal
// digits (ImageMagick, before the standard had a chunk for them), or in XMP.
import { inflate } from '../files/inflate.ts';
import { orientationBy } from './orientation.ts';
import { damaged } from './picture.ts';

/** A piece of a PNG file. */
export interface Chunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** The largest text that is unpacked, in bytes. */
const LARGEST_TEXT = 2 ** 20;

const XMP = 'XML:com.adobe.xmp';
const EXIF_TEXT = 'Raw profile type exif';

/**
 * The orientation, 1 … 8.
 *
 * @param name of the file, for messages
 * @throws InputError if the text that holds it is damaged
 */
export function pngOrientation(name: string, chunks: readonly Chunk[]): number {
  const exif = chunks.find(({ type }) => type === 'eXIf')?.data;
  const profile = exif === undefined ? textOf(name, chunks, EXIF_TEXT, ['tEXt', 'zTXt', 'iTXt']) : null;
  return orientationBy({
    exif: exif ?? (profile && bytesIn(name, profile)),
    xmp: textOf(name, chunks, XMP, ['iTXt']),
  });
}

/** The last text of a keyword in chunks of these types; null if there is none. */
function textOf(
  name: string,
  chunks: readonly Chunk[],
  keyword: string,
  types: readonly (keyof typeof TEXTS)[],
): Uint8Array | null {
  const start = Buffer.from(`${keyword}\0`, 'latin1');
  const found = chunks.findLast(
    ({ type, data }) => (types as readonly string[]).includes(type) && start.equals(data.subarray(0, start.length)),
  );
  return found === undefined ? null : TEXTS[found.type as keyof typeof TEXTS](name, found.data.subarray(start.length));
}

/** How the text of a chunk is read from what follows its keyword, by the chunk's type. */
const TEXTS = {
  tEXt: (_: string, data: Uint8Array): Uint8Array => data,
  // A byte says how it is packed, and there is one way.
  zTXt: (name: string, data: Uint8Array): Uint8Array => unpacked(name, data.subarray(1)),
  iTXt: (name: string, data: Uint8Array): Uint8Array => {
    // Two bytes say whether and how it is packed; its language and its keyword in that language follow.
    const text = data.subarray(data.indexOf(0, data.indexOf(0, 2) + 1) + 1);
    return data[0] === 0 ? text : unpacked(name, text);
  },
} as const;

function unpacked(name: string, packed: Uint8Array): Uint8Array {
  const inflated = inflate(packed, 'zlib', LARGEST_TEXT);
  if (inflated.kind === 'whole') return inflated.bytes;
  throw damaged(
    name,
    inflated.kind === 'too long'
      ? `a text of more than ${LARGEST_TEXT} bytes about its orientation`
      : `a text about its orientation: ${inflated.reason}`,
  );
}

/** The bytes of a profile: three lines of its name and length, then hexadecimal digits. */
function bytesIn(name: string, profile: Uint8Array): Uint8Array {
  const text = Buffer.from(profile).toString('latin1');
  const [lines] = /^(?:[^\n]*\n){3}/.exec(text) ?? [text];
  const digits = text.slice(lines.length).replaceAll('\n', '').trim();
  if (digits.length % 2 !== 0 || /[^0-9a-f]/i.test(digits))
    throw damaged(name, 'EXIF data that are no hexadecimal digits');
  return Uint8Array.from(Buffer.from(digits, 'hex'));
}
