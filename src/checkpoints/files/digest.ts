// SHA-256 of bytes and of files.
import { createHash } from 'node:crypto';
import { basename } from 'node:path';

/** SHA-256 of bytes, in hexadecimal digits. */
export const sha256Of = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex');

/** One SHA-256 of several files: that of the lines `sha256  name` which `sha256sum` prints of them, in this order. */
export const sha256OfFiles = (files: readonly { readonly path: string; readonly bytes: Uint8Array }[]): string =>
  sha256Of(files.map(({ path, bytes }) => `${sha256Of(bytes)}  ${basename(path)}\n`).join(''));
