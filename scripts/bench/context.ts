// What the bench gives each of its sections, and what a section is.
import type { Rival } from './rival.ts';
import type { Build } from './targets.ts';

/** The settings and the other sides of one run of the bench, given to every section. */
export interface Context {
  readonly rounds: number;
  readonly batch: number;
  readonly threads: number;
  /** Multiplies the channels of the networks. */
  readonly width: number;
  readonly sparsities: readonly number[];
  /** The kernels, by which targets differ. */
  readonly build: Build;
  /** PyTorch and SparseProp; null without Python. */
  readonly python: Rival | null;
  /** The path of Python, for a section that starts a process of its own; undefined without Python. */
  readonly pythonPath: string | undefined;
  readonly tfjsWasm: Rival | null;
  readonly checkpoint: string | undefined;
  /** A folder for temporary files. */
  readonly folder: string;
  /** Reports progress. */
  log(message: string): void;
  /**
   * Compares a figure with its target. The verdict is printed below the figures, and is never written into a page. Nothing is
   * printed if batch, width, threads or kernels are not those that targets are set for.
   */
  judge(figure: string, verdict: string): void;
}

/** One part of the bench; its figures are Markdown. */
export interface Section {
  readonly name: string;
  /** True if it is left out unless --only names it. */
  readonly optional?: boolean;
  /** The conditions for the line below the figures: batch, width, number of rounds. */
  conditions(context: Context): string;
  run(context: Context): Promise<string>;
}

const widthText = (width: number): string => (width === 1 ? '' : `, width ${width}`);

/** The conditions of a section that does everything in `rounds` rounds of one batch. */
export const inRounds = ({ batch, width, rounds }: Context): string =>
  `batch ${batch}${widthText(width)}, ${rounds} rounds`;

/** The conditions of a section whose table names the batch of each row. */
export const inRoundsOfOwnBatches = ({ width, rounds }: Context): string =>
  `batches as in the table${widthText(width)}, ${rounds} rounds`;
