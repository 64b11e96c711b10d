// The most that a data set or a model may take in memory, on disk and while it is unpacked. Every parser checks a size that a
// file announces against these before it allocates or inflates anything.
import { constants } from 'node:buffer';
import { UsageError } from '../../core/errors.ts';

const GB = 2 ** 30;

const DEFAULT_GB = 2;

const VARIABLE = 'EQUIPOISE_DATA_LIMIT';

export interface DataLimits {
  /** Bytes of one file, of one split's pixels, of a model's weights, and of everything in an archive. */
  readonly total: number;
  /** Bytes that one packed file or array may unpack to, and those of a model's description. */
  readonly unpacked: number;
}

/** The most pixels that a picture may have: 4096 × 4096. */
export const MAX_PICTURE_PIXELS = 2 ** 24;

/** The most bytes that the file of a picture may have. */
export const MAX_PICTURE_BYTES = 2 ** 26;

/**
 * The limits: 2 GB, and an eighth of it for what is unpacked, unless the variable EQUIPOISE_DATA_LIMIT gives another number
 * of GB.
 *
 * @throws UsageError if the variable is no number above 0
 */
export function dataLimits(environment: Readonly<Record<string, string | undefined>> = process.env): DataLimits {
  const given = environment[VARIABLE] || String(DEFAULT_GB);
  const gb = Number(given);
  if (!(gb > 0 && gb < Number.POSITIVE_INFINITY)) {
    throw new UsageError(`${VARIABLE} takes a number of GB above 0, such as ${DEFAULT_GB}, got ${given}.`);
  }
  const total = Math.min(Math.round(gb * GB), constants.MAX_LENGTH);
  return { total, unpacked: Math.ceil(total / 8) };
}

/**
 * Sets the limit for this process and those that it starts, as the variable EQUIPOISE_DATA_LIMIT does.
 *
 * @param gb above 0
 */
export function setSizeLimit(gb: number): void {
  process.env[VARIABLE] = String(gb);
}

/** What to do about a size above a limit of `dataLimits`. */
export const RAISE_LIMIT = `If it is right, raise the limit with --size-limit GB or the variable ${VARIABLE}`;
