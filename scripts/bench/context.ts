import type { Rival } from './rival.ts';
import type { Build } from './targets.ts';

/** What every section of the bench is given. */
export interface Context {
  readonly rounds: number;
  readonly batch: number;
  readonly threads: number;
  /** Multiplies the channels of the networks. */
  readonly width: number;
  readonly sparsities: readonly number[];
  /** Which of the figures to reach apply, if what is measured is what they are set for. */
  readonly build: Build;
  readonly standard: boolean;
  /** PyTorch and SparseProp; null without Python. */
  readonly python: Rival | null;
  /** To start another. */
  readonly pythonPath: string | undefined;
  readonly tfjsWasm: Rival | null;
  readonly checkpoint: string | undefined;
  /** For files of the bench's own. */
  readonly folder: string;
  /** Tells what is going on. */
  log(message: string): void;
}

/** One part of the bench; its figures are Markdown. */
export interface Section {
  readonly name: string;
  /** True if it is left out unless --only names it. */
  readonly optional?: boolean;
  /** What was done, for the line below the figures: batch, width, how often. */
  conditions(context: Context): string;
  run(context: Context): Promise<string>;
}

const widthText = (width: number): string => (width === 1 ? '' : `, width ${width}`);

/** The conditions of a section that does everything in `rounds` rounds of one batch. */
export const inRounds = ({ batch, width, rounds }: Context): string =>
  `batch ${batch}${widthText(width)}, ${rounds} rounds`;

/** Of one with batches of its own, which its table names. */
export const inRoundsOfOwnBatches = ({ width, rounds }: Context): string =>
  `batches as in the table${widthText(width)}, ${rounds} rounds`;
