// The events of a run, the options of training beside its settings, and how a run ended.
import type { LockTimes } from '../files/lock.ts';
import type { AttackPlan } from './adversary/plan.ts';
import type { NameOf, TrainConfig } from './config/config.ts';
import type { BestEpoch } from './run/best-epoch.ts';
import type { MetricRow } from './run/metrics.ts';
import type { Times } from './run/stopwatch.ts';
import type { TaskFiles } from './task.ts';

/**
 * What happens in a run, as it is told to `onProgress`; all but `prepass`, `validation`, `wait` and
 * most `step` are also lines of events.jsonl.
 */
export type TrainEvent =
  | {
      readonly kind: 'start';
      readonly epoch: 0;
      readonly step: 0;
      /** The configuration's hash. */
      readonly job: string;
      readonly config: TrainConfig;
      readonly backend: string;
      readonly trainImages: number;
      readonly validationImages: number;
      readonly batches: number;
      readonly sparsity: number;
      readonly nonzeros: number;
      /** The machine, such as `AMD EPYC 7763, 2 cores, Node 20.20.2, linux x64`. */
      readonly machine: string;
    }
  | { readonly kind: 'resume'; readonly epoch: number; readonly step: number; readonly machine: string }
  /** Epochs are counted from 1 in every event. */
  | { readonly kind: 'prepass-start'; readonly epoch: number; readonly step: number }
  | {
      readonly kind: 'prepass';
      readonly epoch: number;
      readonly step: number;
      readonly batch: number;
      readonly batches: number;
    }
  | {
      readonly kind: 'prepass-end';
      readonly epoch: number;
      readonly step: number;
      readonly c: number;
      /** The estimate ĉ; null if the losses of the old snapshot do not give one: a single batch, or no variance. */
      readonly cHat: number | null;
    }
  | {
      readonly kind: 'step';
      readonly epoch: number;
      readonly step: number;
      /** The batch, counted from 1. */
      readonly batch: number;
      readonly batches: number;
      readonly loss: number;
      /** Mean loss of the epoch so far. */
      readonly meanLoss: number;
      readonly lr: number;
    }
  | {
      readonly kind: 'mask-update';
      readonly epoch: number;
      readonly step: number;
      /** Weights that are gone, and new ones; a method that prunes grows none. */
      readonly dropped: number;
      readonly grown: number;
    }
  /** A check of the guard against collapse. */
  | {
      readonly kind: 'guard';
      readonly epoch: number;
      readonly step: number;
      /** Accuracy under PGD-10 on the training images that are measured, and the highest so far. */
      readonly accuracy: number;
      readonly best: number;
      /** How many checks in a row were below half of the highest. */
      readonly low: number;
    }
  /** The network collapsed, and the run goes back: what follows happens at an earlier epoch again. */
  | {
      readonly kind: 'collapse';
      readonly epoch: number;
      readonly step: number;
      readonly accuracy: number;
      readonly best: number;
      /** The epoch at whose end training continues; 0: the start. */
      readonly returnsTo: number;
      /** How often the run has gone back, this time included. */
      readonly collapses: number;
      /** The training attack from now on. */
      readonly attack: AttackPlan;
      readonly message: string;
    }
  | {
      readonly kind: 'validation';
      readonly epoch: number;
      readonly step: number;
      readonly done: number;
      readonly count: number;
    }
  | {
      readonly kind: 'epoch';
      readonly epoch: number;
      readonly step: number;
      readonly metrics: MetricRow;
      readonly best: boolean;
    }
  | {
      readonly kind: 'checkpoint';
      readonly epoch: number;
      readonly step: number;
      /** The path of the file below the run's folder. */
      readonly file: string;
      /** Seconds of training so far. */
      readonly times: Times;
    }
  | { readonly kind: 'warning'; readonly epoch: number; readonly step: number; readonly message: string }
  | {
      readonly kind: 'failed';
      readonly epoch: number;
      readonly step: number;
      /** Numbers that are no longer finite, which every repetition comes to; or anything else, such as a full disk. */
      readonly cause: 'divergence' | 'error';
      readonly message: string;
    }
  /** The folder's lock may be that of a process that has ended, and it takes a while to find out. */
  | { readonly kind: 'wait'; readonly epoch: 0; readonly step: 0; readonly message: string }
  | { readonly kind: 'interrupted'; readonly epoch: number; readonly step: number }
  | { readonly kind: 'end'; readonly epoch: number; readonly step: number };

/** Options of a training that are not settings of the run: where it writes, and what it reports. */
export interface TrainRunOptions extends TaskFiles {
  /** The run's folder; made if it is missing. */
  readonly out: string;
  /** Bytes of memory for the gradients that the pre-passes `matched` and `memory` keep; files of the run hold the rest. */
  readonly cacheMemory?: number;
  /** Stops the run after its current step, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: TrainEvent) => void;
  /** Continues the run in `out`; without it a folder that holds a run is refused. */
  readonly resume?: boolean;
  /** What messages call a setting; its own name if left out. */
  readonly nameOf?: NameOf;
  readonly lockTimes?: LockTimes;
}

/** How a run ended. */
export interface RunSummary {
  readonly status: 'done' | 'interrupted';
  readonly out: string;
  readonly job: string;
  /** Epochs completed. */
  readonly epoch: number;
  readonly step: number;
  /** The last completed epoch; null if there is none. */
  readonly last: MetricRow | null;
  /** The one of best.safetensors; null if none is completed. */
  readonly best: BestEpoch | null;
}
