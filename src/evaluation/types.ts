// The results of an evaluation.
import type { NormName } from '../../attacks/types.ts';
import type { Alarm } from './alarms/alarms.ts';
import type { ModelRecord } from './formats/format.ts';
import type { FormatName } from './formats/index.ts';
import type { Accuracy } from './intervals.ts';
import type { Preprocessing } from './targets/preprocessing.ts';
import type { Threat } from './threat.ts';

/** The name of the result that counts an image right only where it survived every attack of one norm and radius. */
export const UNION = 'union';

/** Accuracy under all attacks in several norms, each at one radius. */
export interface AcrossNorms {
  /** The threats in the order in which they were asked for. */
  readonly threats: readonly Threat[];
  /** Images classified right clean and under every attack in every norm. */
  readonly robust: Accuracy;
  /** One bit an image, as for an attack. */
  readonly survived: string;
}

/** Accuracy under one attack, or under the union of all attacks of one norm and radius. */
export interface AttackResult {
  /** The name of the attack, such as `pgd-20x2-ce`, or `union`. */
  readonly attack: string;
  readonly norm: NormName;
  /** Radius in pixel units of [0, 1]. */
  readonly epsilon: number;
  /** The number of steps; null for an attack without one, such as the union. FGSM has one step of size epsilon. */
  readonly steps: number | null;
  readonly stepSize: number | null;
  readonly restarts: number | null;
  /** Calls of the model whose mean each answer to the attack was. Absent for one call, and for the union. */
  readonly eot?: number;
  /** Images classified right both clean and under attack. */
  readonly robust: Accuracy;
  /** One bit an image, lowest bit first, base64: whether it was right clean and under attack. */
  readonly survived: string;
  /** The attacks of a cascade such as AutoAttack, in order. Absent for other attacks. */
  readonly stages?: readonly AttackStage[];
  /** What the attack cost, counted in images. */
  readonly forwardPasses: number;
  readonly inputGradients: number;
}

/** One attack of a cascade. */
export interface AttackStage {
  readonly attack: string;
  /** Images right clean, under this attack and under all before it. */
  readonly robust: Accuracy;
  /** One bit an image, as for the whole. */
  readonly survived: string;
}

/** Clean and robust accuracy of one model on one split, as `evaluation.json` holds it. */
export interface Evaluation {
  readonly claim: typeof CLAIM;
  readonly target: EvaluatedTarget;
  readonly dataset: EvaluatedDataset;
  readonly split: 'test';
  /** Names every random number of the attacks. */
  readonly seed: number;
  readonly clean: Accuracy;
  /** Results in order of the radii, each radius with its union last. */
  readonly attacks: readonly AttackResult[];
  /** Absent if no evaluation asked for several norms at once. */
  readonly acrossNorms?: readonly AcrossNorms[];
  readonly alarms: readonly Alarm[];
  /** Cost of the whole evaluation, counted in images. */
  readonly forwardPasses: number;
  readonly inputGradients: number;
  readonly backend: string;
  /** Version of Equipoise. */
  readonly version: string;
}

/** What any robust accuracy found by attacks is. */
export const CLAIM = 'upper bound on robust accuracy under the attacks that were run';

export interface EvaluatedDataset {
  readonly name: string;
  readonly sha256: string;
  readonly official: boolean;
  /** Class names, in the order of the labels. */
  readonly classes: readonly string[];
}

/** Which weights the figures belong to. */
export interface EvaluatedTarget extends ModelRecord {
  readonly format: FormatName;
  /** What was done to pixels and labels; null for nothing. */
  readonly preprocessing: Preprocessing | null;
}
