// Reads the header of a Linux library.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** What the header of a Linux library says. */
export interface ElfHeader {
  /** The processor as `process.arch` names it; null for other ones. */
  readonly arch: string | null;
  /** Where its last table ends: a shorter file is cut off, and loading it may kill the process. */
  readonly needsBytes: number;
  readonly bytes: number;
}

/** `e_machine` of the header. */
const MACHINES: Readonly<Record<number, string>> = { 62: 'x64', 183: 'arm64', 3: 'ia32', 40: 'arm' };

/** The header of a 64-bit little-endian library; null for any other file. */
export function readElfHeader(path: string): ElfHeader | null {
  const file = openSync(path, 'r');
  try {
    const header = new DataView(new ArrayBuffer(64));
    const bytes = fstatSync(file).size;
    if (readSync(file, header, 0, 64, 0) < 64 || header.getUint32(0) !== 0x7f454c46) return null;
    if (header.getUint8(4) !== 2 || header.getUint8(5) !== 1) return null;
    const sections = Number(header.getBigUint64(40, true));
    const needsBytes = sections + header.getUint16(58, true) * header.getUint16(60, true);
    return { arch: MACHINES[header.getUint16(18, true)] ?? null, needsBytes, bytes };
  } finally {
    closeSync(file);
  }
}
