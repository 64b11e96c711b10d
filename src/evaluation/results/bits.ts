// Truth values packed into base64, as files of results keep them.

/** Truth values as base64, eight a byte, lowest bit first. */
export function packBits(values: ArrayLike<boolean | number>): string {
  const bytes = new Uint8Array(Math.ceil(values.length / 8));
  for (let i = 0; i < values.length; i++) if (values[i]) bytes[i >> 3] |= 1 << (i & 7);
  return Buffer.from(bytes).toString('base64');
}

/** The first `count` truth values of a text that `packBits` made, as 0 and 1. */
export function unpackBits(text: string, count: number): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  return Uint8Array.from({ length: count }, (_, i) => (bytes[i >> 3] >> (i & 7)) & 1);
}
