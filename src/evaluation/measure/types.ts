// The contracts of an evaluation's loop: its options, what it finds, and what it tells.
import type { Tensor4D } from '@tensorflow/tfjs-core';
import type { Attack, AttackProgress, Cost, NormName } from '../../../attacks/types.ts';
import type { Key } from '../../core/key.ts';
import type { Dataset } from '../../data/types.ts';
import type { Alarm, Evidence } from '../alarms/alarms.ts';
import type { AttackSpec } from '../attacks/named-attacks.ts';
import type { Accuracy } from '../intervals.ts';
import type { Threat } from '../threat.ts';
import type { AcrossNorms, AttackResult } from '../types.ts';

/** Part `index` of `count`, counted from 1. */
export interface Part {
  readonly index: number;
  readonly count: number;
}

export interface MeasureOptions {
  /** Norms and radii; at radius 0 nothing is attacked. */
  readonly threats: readonly Threat[];
  readonly attacks: readonly AttackSpec[];
  /** Names every random number of the attacks; default 0. */
  readonly seed?: number;
  /** Images at once; changes no result but for rounding. Default 256. */
  readonly batchSize?: number;
  /** The largest number of images, balanced over the classes. */
  readonly limit?: number;
  /** True if the model turned out to return probabilities; asked after the attacks. */
  readonly returnsProbabilities?: () => boolean;
  /** Called with the accuracy without attack, before any attack; may throw to stop. */
  readonly onClean?: (clean: Accuracy) => Promise<void>;
  /** Called with the examples of each attack, borrowed, as they are made. */
  readonly onExamples?: (examples: BatchExamples) => Promise<void>;
  /** Attack only every n-th batch: see `measurePart`. */
  readonly part?: Part;
  /** The state from which an interrupted measurement continues. */
  readonly from?: MeasureState;
  /** Called after each attack on a batch, with the state from which the measurement can continue. */
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
  /** Accuracies over the images done so far: without attack, and under every attack of the first radius above 0, or in all of several norms. */
  readonly clean: number;
  /** Robust accuracy so far; null while the first batch is under attack. */
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
  /** Absent for a measurement in one norm. */
  readonly acrossNorms?: readonly AcrossNorms[];
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
  /** True if the model still classifies each right. */
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
  /** One number per evaluated image: 1 if it is right clean and under attack, else 0. */
  readonly survived: Uint8Array;
  /** The images that are still right after each attack of a cascade and all attacks before it. Empty for other attacks. */
  readonly standing: Readonly<Record<string, Uint8Array>>;
  readonly cost: Cost;
}

/** All that has been found so far. */
export interface MeasureState {
  /** The class of each evaluated image without attack, or −1 if the model gave no numbers. */
  readonly predictions: Int32Array;
  /** Attacks on batches that are done: all cells of the first batch, then those of the second, and so on. */
  readonly done: number;
  /** The cells in order of the radii, each with its attacks in order. */
  readonly cells: readonly CellState[];
  readonly seen: Seen;
}

/** What the alarms look at as images are attacked. */
export type Seen = Pick<Evidence, 'outside' | 'successes' | 'unstable' | 'nonFinite' | 'withinNoise' | 'notNumbers'>;

/** One attack in one norm at one radius. */
export interface Cell extends Threat {
  readonly spec: AttackSpec;
  readonly label: string;
  /** The attack; null at radius 0. */
  readonly attack: Attack | null;
  readonly key: Key;
}
