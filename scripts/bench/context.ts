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
  /** Which of the figures to reach apply. */
  readonly build: Build;
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
  run(context: Context): Promise<string>;
}
