/** Images and labels held in memory as bytes. */
export interface Split {
  readonly count: number;
  /** [count, height, width, channels], 0 … 255, row-major */
  readonly images: Uint8Array;
  /** [count], 0 … classes − 1 */
  readonly labels: Uint8Array;
}

export interface Dataset {
  readonly name: string;
  readonly classes: readonly string[];
  /** [height, width, channels] of one image */
  readonly imageShape: readonly [number, number, number];
  readonly train: Split;
  readonly test: Split;
  /** Of the files it was read from. */
  readonly sha256: string;
  /** Whether that is the checksum of the official files; else the set is shown as `name (unofficial)`. */
  readonly official: boolean;
}
