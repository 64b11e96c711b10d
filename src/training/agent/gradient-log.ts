// A file of one epoch's gradients, batch after batch. It is first only appended to and then only read. Memory holds as much of it as
// it is allowed to.
//
//   record   4 bytes: length of the header   header, JSON   positions of changed structures, int32   values
//
// A structure is written only if it differs from that of the record before. A checkpoint says how many bytes of the file are valid.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { writeWhole } from '../../checkpoints/files/atomic-file.ts';
import { InputError } from '../../core/errors.ts';
import { type Structure, structure } from '../../core/structure.ts';
import { isMissing } from '../../core/system-errors.ts';
import { createFolder } from '../../files/folders.ts';
import type { Guard } from '../../files/lock.ts';
import type { Structures } from '../../optimizers/carry.ts';
import type { StoredGradients } from './gradient-store.ts';

/** The precision of kept gradients: float32 as they are, or rounded to their upper 16 bits. */
export type Precision = 'float32' | 'bfloat16';

/** The gradients of one batch. */
export interface LoggedGradients {
  /** The number of the batch, the same in every epoch. */
  readonly batch: number;
  /** Number of optimizer steps before this batch. */
  readonly step: number;
  /** The structures of the sparse kernels. */
  readonly structures: Structures;
  readonly values: StoredGradients;
}

/** The valid length of a file, and what it holds up to there. */
export interface LogMark {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Bytes of memory for records, shared by the logs of a run. */
export interface Budget {
  left: number;
}

export interface GradientLog {
  readonly mark: LogMark;
  /** Appends a record, and returns its values as reading will return them, which is after rounding. */
  append(record: LoggedGradients): Promise<StoredGradients>;
  /** The record of a batch; null if there is none. */
  read(batch: number): Promise<LoggedGradients | null>;
  /** Frees the memory that the record of a batch takes; it stays in the file. */
  forget(batch: number): void;
  /** Waits until all records are on disk. */
  sync(): Promise<void>;
  /** Frees all memory and leaves the file. */
  close(): Promise<void>;
}

interface LogOptions {
  readonly path: string;
  readonly precision: Precision;
  readonly budget: Budget;
  /** A check before every write, which throws if writing is not allowed; default: none. */
  readonly guard?: Guard;
}

/** A record in the file, and its values where memory holds them. */
interface Entry extends Omit<LoggedGradients, 'values'> {
  readonly lengths: readonly (readonly [string, number])[];
  readonly valuesAt: number;
  bytes: Uint8Array | null;
}

interface Header {
  readonly batch: number;
  readonly step: number;
  /** Changed structures: dense shape and number of positions by kernel. */
  readonly structures: readonly (readonly [string, readonly number[], number])[];
  readonly lengths: Entry['lengths'];
}

/** A new, empty log. */
export async function createGradientLog(options: LogOptions): Promise<GradientLog> {
  await options.guard?.();
  try {
    await createFolder(dirname(options.path));
    return logOf(await open(options.path, 'w+'), options, [], createHash('sha256'), 0);
  } catch (error) {
    throw unwritable(options.path, error);
  }
}

/**
 * The log of which `mark` says how far it counts; what follows is cut off.
 *
 * @returns null if the file is missing or holds something else
 */
export async function reopenGradientLog(options: LogOptions, mark: LogMark): Promise<GradientLog | null> {
  await options.guard?.();
  let file: FileHandle;
  try {
    file = await open(options.path, 'r+');
  } catch (error) {
    if (isMissing(error)) return null;
    throw unwritable(options.path, error);
  }
  const hash = createHash('sha256');
  if ((await file.stat()).size >= mark.bytes) {
    if (mark.bytes > 0)
      for await (const chunk of createReadStream(options.path, { end: mark.bytes - 1 })) hash.update(chunk);
    if (hash.copy().digest('hex') === mark.sha256) {
      await file.truncate(mark.bytes);
      return logOf(file, options, await readEntries(file, options.precision, mark.bytes), hash, mark.bytes);
    }
  }
  await file.close();
  return null;
}

function logOf(file: FileHandle, options: LogOptions, found: Entry[], hash: Hash, length: number): GradientLog {
  const { path, precision, budget, guard } = options;
  const entries = new Map(found.map((entry) => [entry.batch, entry]));
  let last: Structures = found.at(-1)?.structures ?? {};
  let bytes = length;
  const forget = (entry: Entry | undefined): void => {
    if (!entry?.bytes) return;
    budget.left += entry.bytes.length;
    entry.bytes = null;
  };
  return {
    get mark() {
      return { file: basename(path), bytes, sha256: hash.copy().digest('hex') };
    },
    append: async ({ batch, step, structures, values }) => {
      const changed = Object.entries(structures).filter(([name, now]) => !sameStructure(last[name], now));
      const lengths = Object.entries(values).map(([name, { length: count }]) => [name, count] as const);
      const header: Header = {
        batch,
        step,
        structures: changed.map(([name, { shape, positions }]) => [name, shape, positions.length]),
        lengths,
      };
      const text = new TextEncoder().encode(JSON.stringify(header));
      const encoded = encode(values, precision);
      const parts = [
        bytesOf(Uint32Array.of(text.length)),
        text,
        ...changed.map(([, s]) => bytesOf(s.positions)),
        encoded,
      ];
      const valuesAt = bytes + parts.reduce((sum, part) => sum + part.length, 0) - encoded.length;
      await guard?.();
      try {
        for (const part of parts) {
          await writeWhole(file, part, bytes);
          hash.update(part);
          bytes += part.length;
        }
      } catch (error) {
        throw unwritable(path, error);
      }
      const kept = encoded.length <= budget.left;
      if (kept) budget.left -= encoded.length;
      last = structures;
      entries.set(batch, { batch, step, structures, lengths, valuesAt, bytes: kept ? encoded : null });
      return precision === 'float32' ? values : decode(encoded, lengths, precision);
    },
    read: async (batch) => {
      const entry = entries.get(batch);
      if (entry === undefined) return null;
      const { step, structures, lengths, valuesAt } = entry;
      const encoded = entry.bytes ?? (await readWhole(file, valuesAt, sizeOfValues(lengths, precision)));
      return { batch, step, structures, values: decode(encoded, lengths, precision) };
    },
    forget: (batch) => forget(entries.get(batch)),
    sync: () => file.sync(),
    close: async () => {
      for (const entry of entries.values()) forget(entry);
      await file.close();
    },
  };
}

/** The records of the first `end` bytes of a file, without their values. */
async function readEntries(file: FileHandle, precision: Precision, end: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  let structures: Structures = {};
  for (let at = 0; at < end; ) {
    const [size] = new Uint32Array((await readWhole(file, at, 4)).buffer);
    const header = JSON.parse(new TextDecoder().decode(await readWhole(file, at + 4, size))) as Header;
    at += 4 + size;
    for (const [name, shape, count] of header.structures) {
      const positions = new Int32Array((await readWhole(file, at, 4 * count)).buffer);
      structures = { ...structures, [name]: structure(shape, positions) };
      at += 4 * count;
    }
    const { batch, step, lengths } = header;
    // A kernel that was dense has a structure from the first update that prunes it on.
    entries.push({ batch, step, structures, lengths, valuesAt: at, bytes: null });
    at += sizeOfValues(lengths, precision);
  }
  return entries;
}

const sameStructure = (a: Structure | undefined, b: Structure): boolean =>
  a === b ||
  (a !== undefined &&
    a.positions.length === b.positions.length &&
    a.positions.every((position, i) => position === b.positions[i]));

const sizeOfValues = (lengths: Entry['lengths'], precision: Precision): number =>
  lengths.reduce((sum, [, length]) => sum + length, 0) * (precision === 'float32' ? 4 : 2);

/** The numbers one after the other, in a buffer of their own. */
function encode(values: StoredGradients, precision: Precision): Uint8Array {
  const total = Object.values(values).reduce((sum, { length }) => sum + length, 0);
  const whole = new Float32Array(total);
  let at = 0;
  for (const part of Object.values(values)) {
    whole.set(part, at);
    at += part.length;
  }
  if (precision === 'float32') return bytesOf(whole);
  const bits = new Uint32Array(whole.buffer);
  const halves = new Uint16Array(total);
  // To the nearest, ties to even. Numbers that are not finite end a run before they come here.
  for (let i = 0; i < total; i++) halves[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) >>> 16;
  return bytesOf(halves);
}

function decode(encoded: Uint8Array, lengths: Entry['lengths'], precision: Precision): StoredGradients {
  const count = sizeOfValues(lengths, precision) / (precision === 'float32' ? 4 : 2);
  let whole: Float32Array;
  if (precision === 'float32') {
    whole = new Float32Array(encoded.buffer, encoded.byteOffset, count);
  } else {
    const halves = new Uint16Array(encoded.buffer, encoded.byteOffset, count);
    whole = new Float32Array(count);
    const bits = new Uint32Array(whole.buffer);
    for (let i = 0; i < count; i++) bits[i] = halves[i] << 16;
  }
  let from = 0;
  return Object.fromEntries(
    lengths.map(([name, length]) => {
      from += length;
      return [name, whole.subarray(from - length, from)];
    }),
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

async function readWhole(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) throw new InputError('The file of remembered gradients was cut off while training used it.');
    done += bytesRead;
  }
  return bytes;
}

const unwritable = (path: string, error: unknown): InputError =>
  new InputError(
    `The gradients that the pre-pass memory keeps cannot be written to ${path}: ${(error as Error).message}. Free space on the disk, or use another pre-pass.`,
    { cause: error },
  );
