// Checksums of files.
import { createHash } from 'node:crypto';

/** A checksum, as hexadecimal digits. */
export interface Checksum {
  readonly algorithm: 'md5' | 'sha1' | 'sha256';
  readonly digest: string;
}

export const md5 = (digest: string): Checksum => ({ algorithm: 'md5', digest });
export const sha1 = (digest: string): Checksum => ({ algorithm: 'sha1', digest });
export const sha256 = (digest: string): Checksum => ({ algorithm: 'sha256', digest });

export const digestOf = (algorithm: Checksum['algorithm'], bytes: Uint8Array | string): string =>
  createHash(algorithm).update(bytes).digest('hex');
