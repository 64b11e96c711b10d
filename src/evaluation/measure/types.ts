// The contracts of an evaluation's loop: its options, what it finds, and what it tells.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Attack, AttackProgress, Cost, NormName } from '../../../attacks/types.ts';
import type { Key } from '../../core/key.ts';
import type { Dataset } from '../../data/types.ts';
import type { Alarm, Evidence } from '../alarms/alarms.ts';
import type { AttackSpec } from '../attacks/named-attacks.ts';
import type { Accuracy } from '../intervals.ts';
import type { AttackResult } from '../types.ts';

/** Part `index` of `count`, counted from 1. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

export interface MeasureOptions {
  readonly norm: NormName;
  /** Radii in pixel units of [0, 1]; at 0 nothing is attacked. */
  readonly epsilons: readonly number[];
  readonly attacks: readonly AttackSpec[];
  /** Names every random number of the attacks; default 0. */
  readonly seed?: number;
  /** Images at once; changes no result but for rounding. Default 256. */
  readonly batchSize?: number;
  /** Use only so many images, balanced over the classes. */
  readonly limit?: number;
  /** Whether the model turned out to return probabilities; asked after the attacks. */
  readonly returnsProbabilities?: () => boolean;
  /** Called with the accuracy without attack, before any attack; may throw to stop. */
  readonly onClean?: (clean: Accuracy) => Promise<void>;
  /** Called with the examples of each attack, borrowed, as they are made. */
  readonly onExamples?: (examples: BatchExamples) => Promise<void>;
  /** Attack only every n-th batch: see `measurePart`. */
  readonly part?: Part;
  /** Where an interrupted measurement goes on. */
  readonly from?: MeasureState;
  /** Called after each attack on a batch, with what it takes to go on from there. */
  readonly onState?: (state: MeasureState) => Promise<void>;
  readonly onProgress?: (progress: EvaluationProgress) => void;
  /** Called after every step of an attack. */
  readonly onStep?: (step: EvaluationStep) => void;
  /** Stops the measurement within one call of the model; attacks on batches that were done are kept. */
  readonly signal?: AbortSignal;
}

/** How far an evaluation is. */
export interface EvaluationProgress {
  /** Images done and to do, each counted once an attack and radius; those that are wrong anyway are done at once. */
  readonly done: number;
  readonly total: number;
  /** Accuracies over the images done so far: without attack, and under every attack of the first radius above 0. */
  readonly clean: number;
  /** Null while the first batch is under attack. */
  readonly robust: number | null;
}

/** What an evaluation is doing: how far an attack on a batch is, and how much work of all that means. */
export interface EvaluationStep extends AttackProgress {
  readonly epsilon: number;
  /**
   * Work done, of `total` to do, in the units of `EvaluationProgress`, but an attack counts by its share of the work. It is
   * a fraction while an attack runs. An image that needs no more of an attack is done at once.
   */
  readonly done: number;
  readonly total: number;
}

export interface Measurement {
  readonly clean: Accuracy;
  readonly attacks: readonly AttackResult[];
  readonly alarms: readonly Alarm[];
  readonly forwardPasses: number;
  readonly inputGradients: number;
}

/** What an evaluation needs of a data set. */
export type EvaluatedSplit = Pick<Dataset, 'test' | 'imageShape' | 'classes'>;

/** Examples that one attack made of a batch. */
export interface BatchExamples {
  readonly attack: string;
  readonly norm: NormName;
  readonly epsilon: number;
  /** How many images, of those that are right without attack, come before these; and how many there are. */
  readonly start: number;
  readonly total: number;
  /** Their numbers in the test split. */
  readonly samples: readonly number[];
  /** [batch, height, width, channels], borrowed. */
  readonly adversarial: Tensor4D;
  /** Whether the model still classifies each right. */
  readonly survived: readonly boolean[];
}

/** What one attack did to a batch. */
export interface Attacked {
  readonly survived: readonly boolean[];
  readonly standing: Readonly<Record<string, readonly boolean[]>>;
  readonly cost: Cost;
  readonly seen: Seen;
}

/** What has been found of one attack at one radius. */
export interface CellState {
  /** By evaluated image: 1 where it is right clean and under attack. */
  readonly survived: Uint8Array;
  /** For each attack of a cascade: where images stand after it and all before. Empty for other attacks. */
  readonly standing: Readonly<Record<string, Uint8Array>>;
  readonly cost: Cost;
}

/** All that has been found so far. */
export interface MeasureState {
  /** By evaluated image: the class without attack; −1 where the model gave no numbers. */
  readonly predictions: Int32Array;
  /** Attacks on batches that are done: all cells of the first batch, then those of the second, and so on. */
  readonly done: number;
  /** In order of the radii, each with its attacks in order. */
  readonly cells: readonly CellState[];
  readonly seen: Seen;
}

/** What the alarms look at as images are attacked. */
export type Seen = Pick<Evidence, 'outside' | 'successes' | 'unstable' | 'nonFinite' | 'withinNoise'>;

/** One attack at one radius. */
export interface Cell {
  readonly spec: AttackSpec;
  readonly label: string;
  readonly epsilon: number;
  /** Null at radius 0. */
  readonly attack: Attack | null;
  readonly key: Key;
}
