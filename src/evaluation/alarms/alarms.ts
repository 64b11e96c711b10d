// The alarms: reasons to doubt a robust accuracy, each a pure function of the evidence. See docs/alarms.md.

import { type AttackName, attackRows } from '../../../attacks/attacks.ts';
import { predictionsOf } from '../../../attacks/loops/predictions.ts';
import type { NormName } from '../../../attacks/types.ts';
import { plural } from '../../core/quantities.ts';
import type { AttackSpec } from '../attacks/named-attacks.ts';
import { formatEpsilon } from '../epsilon.ts';
import { isSameThreat } from '../threat.ts';
import { type GradientCheck, isWrong } from './gradient-check.ts';
import type { ShortSquare } from './short-square.ts';

/** A reason to doubt a robust accuracy. */
export interface Alarm {
  readonly name: AlarmName;
  /** `not checked` if the evaluation did not measure what the alarm needs. */
  readonly status: 'ok' | 'raised' | 'not checked';
  /** What was seen, in a sentence. */
  readonly detail: string;
  /** The section of the docs that explains it. */
  readonly help: string;
}

/** One accuracy under one attack, as the alarms compare them. */
export interface AttackEvidence {
  readonly attack: string;
  readonly kind: string;
  /** The loss; null if it is the attack's own. */
  readonly loss: string | null;
  readonly norm: NormName;
  readonly epsilon: number;
  /** Steps times restarts. */
  readonly work: number;
  /** Calls of the model whose mean each answer was. */
  readonly eot: number;
  /** Number of images that are right under attack. */
  readonly correct: number;
  readonly n: number;
  /** Images right after each attack of a cascade, in order; empty for other attacks. */
  readonly stages: readonly { readonly attack: string; readonly correct: number }[];
}

/** What is measured on the first images only. */
export interface Probe {
  readonly images: number;
  /** [images, classes] */
  readonly logits: Float32Array;
  /** The logits of the same images, computed a second time. */
  readonly logitsAgain: Float32Array;
  /** True if the model has a gradient. Without one, the fields about gradients and the unbounded attack say nothing. */
  readonly differentiable: boolean;
  /** True if the model took a gradient while it classified. */
  readonly differentiates: boolean;
  /** Images whose input gradient of the cross-entropy is zero in every pixel, or not finite in some. */
  readonly zeroGradients: number;
  readonly nonFiniteGradients: number;
  /** True if the gradient is the one that the outputs follow; null if the model has no gradient. */
  readonly gradientCheck: GradientCheck | null;
  /** Images right under an attack that may set every pixel anywhere, of the images right without it. */
  readonly unbounded: { readonly correct: number; readonly n: number };
}

export interface Evidence {
  readonly classes: number;
  /** Predicted class of every image without attack; −1 where an output was not a number. */
  readonly predictions: Int32Array;
  /** True if what a model returned were probabilities, of which logarithms were attacked. */
  readonly returnsProbabilities: boolean;
  readonly attacks: readonly AttackEvidence[];
  /** A short attack without gradients, in each norm, on images that every attack left right; none if it was not run. */
  readonly shortSquares: readonly ShortSquare[];
  readonly probe: Probe;
  /** Adversarial examples that left the ball around their image or the range of pixels. */
  readonly outside: number;
  /** Adversarial examples that were misclassified, and how many of them were not when they were predicted in another batch. */
  readonly successes: number;
  readonly unstable: number;
  /** Gradients of single images that were not finite, over all steps of all attacks. */
  readonly nonFinite: number;
  /** Adversarial examples of all attacks that were misclassified by so little that the rounding of another runtime may undo it. */
  readonly withinNoise: number;
  /** Adversarial examples of all attacks that count as misclassified since an output was not a number. */
  readonly notNumbers: number;
}

type Finding = Omit<Alarm, 'name' | 'help'>;

const ok = (detail: string): Finding => ({ status: 'ok', detail });
const raised = (detail: string): Finding => ({ status: 'raised', detail });
const notChecked = (detail: string): Finding => ({ status: 'not checked', detail });

/** The finding from short attacks without gradients: of several norms, that in which they fooled the model most. */
function besideShortSquares(found: readonly [ShortSquare, ...ShortSquare[]]): Finding {
  const { attack, norm, turned, n, epsilon } = found.reduce((most, other) =>
    other.turned - slack(other.n) > most.turned - slack(most.n) ? other : most,
  );
  const sentence = `${attack} in ${norm} at ε ${formatEpsilon(epsilon)} fooled the model on ${turned} of ${n} images that the attacks by gradient left right`;
  return turned > slack(n)
    ? raised(`${sentence}. Gradients are masked: attack with square-5000 or autoattack.`)
    : ok(`${sentence}.${turned === 0 && n < ROBUST ? '' : ' A full square-5000 or autoattack may find more.'}`);
}

/** If at least this many of 64 images are left, an evaluation should not rest on attacks by gradient alone. */
const ROBUST = 16;

/** What helps against gradients of zero: the margin, unless its gradient is zero too, as behind a rounded input. */
const againstZeroGradients = ({ gradientCheck: check }: Pick<Probe, 'gradientCheck'>): string =>
  check !== null && check.zero > 0.1 * check.images
    ? `The gradient of the CW margin is zero too, at ${check.zero} of ${check.images} images: some step of the model has no slope there, such as rounding, or ReLUs that are all off. Attack without gradients, as square-5000 does. Give a step that rounds the gradient of the identity.`
    : 'The logits saturate the softmax: attack the CW margin, as pgd-20-cw does, or the difference of logits ratio, as apgd-100-dlr does.';

const isRandomised = ({ logits, logitsAgain }: Pick<Probe, 'logits' | 'logitsAgain'>): boolean =>
  logits.some((logit, i) => !isSame(logit, logitsAgain[i]));

const NO_GRADIENT = 'The model has no gradient with respect to its images.';

/** An accuracy may rise by this many images where it should not, before it is suspicious. */
const slack = (n: number): number => Math.max(2, Math.ceil(0.005 * n));

/** Every alarm by its name: what it concludes from the evidence. See docs/alarms.md. */
const ALARMS = {
  'probabilities instead of logits': ({ classes, probe, returnsProbabilities }) => {
    const rows = rowsOfNumbers(probe.logits, classes);
    if (rows.length === 0) return notChecked('No output of the first images is a number.');
    return returnsProbabilities || rows.every(isDistribution)
      ? raised(
          `Every output lies in [0, 1] and sums to 1 over the classes${returnsProbabilities ? '; their logarithms were attacked, which lose what was rounded to 0 or 1' : ''}. Attacks need logits: remove the final softmax.`,
        )
      : inUnitInterval(rows)
        ? raised('Every output lies in [0, 1], as after a sigmoid. Attacks need logits: remove the final activation.')
        : ok('Outputs are not probabilities.');
  },

  'outputs that are not numbers': ({ predictions, notNumbers }) => {
    const broken = predictions.filter((prediction) => prediction < 0).length;
    return broken + notNumbers > 0
      ? raised(
          `The outputs for ${broken} of ${predictions.length} images and for ${plural(notNumbers, 'adversarial example')} are NaN; all of these count as wrong.`,
        )
      : ok('Every output is a number.');
  },

  'zero gradients': ({ probe }) => {
    if (!probe.differentiable) return notChecked(NO_GRADIENT);
    const share = `${probe.zeroGradients} of ${probe.images} images have a cross-entropy gradient of zero`;
    return probe.zeroGradients > 0.1 * probe.images
      ? raised(`${share}: attacks on the cross-entropy cannot fool these images. ${againstZeroGradients(probe)}`)
      : ok(`${share}.`);
  },

  'wrong gradients': ({ probe: { gradientCheck: check, ...probe } }) => {
    if (check === null) return notChecked(NO_GRADIENT);
    if (isRandomised(probe)) return notChecked('The outputs are random, so small changes of them say nothing.');
    if (check.checked === 0) return notChecked('The outputs are rounded too much to compare small changes of them.');
    const share = `The outputs of ${check.wrong} of ${check.checked} images change by other amounts than the gradient says`;
    return isWrong(check)
      ? raised(
          `${share}, so gradients mislead the attacks that use them. Attack without gradients, as square-5000 does, and give each step of the model its true gradient if it has one.`,
        )
      : ok(`${share}.`);
  },

  'non-finite gradients': ({ probe, nonFinite }) =>
    !probe.differentiable
      ? notChecked(NO_GRADIENT)
      : probe.nonFiniteGradients + nonFinite > 0
        ? raised(
            `${probe.nonFiniteGradients} of ${probe.images} images have a gradient that is not finite, and attacks met ${nonFinite} such gradients in their steps. They took NaN as 0, and followed only the components that are infinite where there are any. Attack without gradients as well, as square-5000 does.`,
          )
        : ok('Every gradient is finite.'),

  'randomised output': ({ classes, probe, attacks }) => {
    if (!isRandomised(probe)) return ok('The same images gave the same logits twice.');
    const [once, again] = [probe.logits, probe.logitsAgain].map((logits) => predictionsOf(logits, classes));
    const others = once.filter((prediction, i) => prediction !== again[i]).length;
    const seen = `The same images gave other logits the second time, and ${others} of ${once.length} another class`;
    const single = attacks.filter(({ eot }) => eot === 1);
    return single.length > 0
      ? raised(
          `${seen}. ${[...new Set(single.map(({ attack }) => attack))].join(', ')} took a single call for each answer, so chance misled it: attack with --eot 20, which averages 20 calls.`,
        )
      : ok(`${seen}. Every attack averaged its answers over several calls.`);
  },

  'optimisation while classifying': ({ probe }) =>
    probe.differentiates
      ? raised(
          'The model computes gradients while it classifies. Attacks that ignore its optimisation are weak: adapt an attack to it.',
        )
      : ok('The model classifies without computing gradients.'),

  'one class only': ({ predictions }) => {
    const given = new Set(predictions.filter((prediction) => prediction >= 0));
    if (given.size === 0) return notChecked('No output is a number, so no class is predicted.');
    return given.size === 1 && predictions.length > 1
      ? raised(`Every image gets class ${[...given][0]}. Such a model is robust and useless.`)
      : ok(`${given.size} classes are predicted.`);
  },

  'more steps not stronger': ({ attacks }) => {
    const pairs = attacks.flatMap((weaker) =>
      attacks
        .filter(
          (stronger) =>
            stronger.norm === weaker.norm &&
            stronger.epsilon === weaker.epsilon &&
            stronger.loss === weaker.loss &&
            familyOf(stronger) === familyOf(weaker) &&
            stronger.work > weaker.work,
        )
        .map((stronger) => ({ weaker, stronger })),
    );
    if (pairs.length === 0)
      return notChecked('This needs two attacks on the same loss with different numbers of steps.');
    const suspicious = pairs.find(({ weaker, stronger }) => stronger.correct > weaker.correct + slack(weaker.n));
    return suspicious
      ? raised(
          `${suspicious.stronger.attack} leaves ${suspicious.stronger.correct} images right, ${suspicious.weaker.attack} only ${suspicious.weaker.correct}. Try a smaller --step-size, or apgd-100, which chooses its own step sizes. If that changes nothing, gradients are masked: attack with square-5000.`,
        )
      : ok(`${pairs[0].stronger.attack} is at least as strong as ${pairs[0].weaker.attack}.`);
  },

  'larger epsilon not stronger': ({ attacks }) => {
    const pairs = attacks.flatMap((smaller) =>
      attacks
        .filter(
          ({ attack, norm, epsilon }) =>
            attack === smaller.attack && norm === smaller.norm && epsilon > smaller.epsilon,
        )
        .map((larger) => ({ smaller, larger })),
    );
    if (pairs.length === 0) return notChecked('This needs two radii.');
    const suspicious = pairs.find(({ smaller, larger }) => larger.correct > smaller.correct + slack(smaller.n));
    return suspicious
      ? raised(
          `${suspicious.larger.attack} leaves ${suspicious.larger.correct} images right at ε ${formatEpsilon(suspicious.larger.epsilon)} and ${suspicious.smaller.correct} at ε ${formatEpsilon(suspicious.smaller.epsilon)}. Attack with more steps, apgd-100 or square-5000: what was found at the smaller radius exists at the larger one.`,
        )
      : ok('Accuracy falls as ε grows.');
  },

  'unbounded attack not at 0 %': ({ probe: { differentiable, unbounded } }) => {
    if (!differentiable) return notChecked(NO_GRADIENT);
    if (unbounded.n === 0) return notChecked('None of the first images is classified right.');
    const left = `An attack that may change every pixel freely leaves ${unbounded.correct} of ${unbounded.n} images right`;
    return unbounded.correct > 0
      ? raised(`${left}. Gradients are masked or wrong: attack with square-5000, and adapt an attack to the model.`)
      : ok(`${left}.`);
  },

  'outside the ball': ({ outside }) =>
    outside > 0
      ? raised(`${outside} adversarial examples are further away than ε, or have pixels outside [0, 1].`)
      : ok('Every adversarial example is within ε and within [0, 1].'),

  'success does not hold': ({ successes, unstable, probe }) => {
    if (isRandomised(probe)) return notChecked('The outputs are random, so a prediction may change by itself.');
    if (successes === 0) return notChecked('No attack succeeded on the first images.');
    return unstable > 0
      ? raised(
          `${unstable} of ${successes} adversarial examples were classified right when predicted again in another batch. The model depends on the batch: put its batch norm into evaluation mode.`,
        )
      : ok(`${successes} adversarial examples were predicted again in another batch, with the same success.`);
  },

  'success within float noise': ({ withinNoise, predictions }) =>
    withinNoise > slack(predictions.length)
      ? raised(
          `${withinNoise} adversarial examples are misclassified by a margin that the rounding of float32 can undo. Another runtime may find a higher accuracy: confirm these examples there (--save-examples), or attack again with an attack that increases a loss, such as apgd-100.`,
        )
      : ok(`${withinNoise} adversarial examples are misclassified by a margin that the rounding of float32 can undo.`),

  'black-box beats white-box': ({ attacks, shortSquares: [first, ...more] }) => {
    const blackBox = attacks.filter(({ kind }) => isBlackBox(kind));
    const inCascade = attacks.flatMap(blackBoxStage);
    if ((blackBox.length === 0 || blackBox.length === attacks.length) && inCascade.length === 0) {
      return first === undefined
        ? notChecked('This needs an attack without gradients and one with gradients.')
        : besideShortSquares([first, ...more]);
    }
    for (const { attack, before, after, n } of inCascade) {
      if (after + slack(n) < before) {
        return raised(
          `${attack} fooled the model on ${before - after} images that the attacks by gradient before it left right. Gradients are masked: adapt an attack to the model.`,
        );
      }
    }
    for (const black of blackBox) {
      const white = attacks.filter((attack) => !isBlackBox(attack.kind) && isSameThreat(attack, black));
      if (white.length === 0) continue;
      const best = Math.min(...white.map(({ correct }) => correct));
      if (black.correct + slack(black.n) < best) {
        return raised(
          `${black.attack} leaves ${black.correct} images right, the attacks by gradient ${best} at best. Gradients are masked: adapt an attack to the model.`,
        );
      }
    }
    return ok('Attacks by gradient are at least as strong.');
  },

  'fewer than 4 classes for DLR': ({ classes, attacks }) => {
    if (!attacks.some(({ loss }) => loss === 'dlr')) return notChecked('The DLR loss was not used.');
    return classes < 4
      ? raised(`DLR needs 4 classes; the model has ${classes}. Use the loss cw.`)
      : ok(`The model has ${classes} classes.`);
  },
} as const satisfies Readonly<Record<string, (evidence: Evidence) => Finding>>;

export type AlarmName = keyof typeof ALARMS;

/** Attacks of one family differ in their number of steps. */
const familyOf = ({ kind }: AttackEvidence): string => (kind === 'fgsm' ? 'pgd' : kind);

/** True if the attack of a name takes no gradients. */
const isBlackBox = (name: string): boolean =>
  Object.hasOwn(attackRows, name) && !attackRows[name as AttackName].needsGradients;

/** True if an attack, or a part of a cascade, takes no gradient. */
export const needsNoGradient = (spec: AttackSpec): boolean =>
  isBlackBox(spec.kind) || (spec.kind === 'autoattack' && spec.version === 'standard');

/** What the attacks without gradients of a cascade found after those with gradients. */
const blackBoxStage = ({ stages, n }: AttackEvidence) =>
  stages.flatMap(({ attack, correct }, i) =>
    i > 0 && isBlackBox(attack) ? [{ attack, before: stages[i - 1].correct, after: correct, n }] : [],
  );

/** Every alarm, in a fixed order. */
export const checkAlarms = (evidence: Evidence): Alarm[] =>
  (Object.keys(ALARMS) as AlarmName[]).map((name) => ({ name, ...ALARMS[name](evidence), help: helpOf(name) }));

/** The page that explains the alarms, a section each. */
export const ALARMS_PAGE = 'docs/alarms.md';

/** The section of an alarm: its name as the anchor of a heading. */
const helpOf = (name: string): string =>
  `${ALARMS_PAGE}#${name
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')}`;

/** The least number of outputs that can raise an alarm; with fewer, a pattern in them could be chance. */
const ENOUGH_OUTPUTS = 20;

/** The outputs of each image whose outputs are all numbers. */
const rowsOfNumbers = (outputs: Float32Array, classes: number): readonly Float32Array[] =>
  Array.from({ length: Math.floor(outputs.length / classes) }, (_, i) =>
    outputs.subarray(i * classes, (i + 1) * classes),
  ).filter((row) => !row.some(Number.isNaN));

const isInUnitInterval = (row: Float32Array): boolean => row.every((value) => value >= 0 && value <= 1);

const inUnitInterval = (rows: readonly Float32Array[]): boolean =>
  rows.reduce((count, { length }) => count + length, 0) >= ENOUGH_OUTPUTS && rows.every(isInUnitInterval);

const isDistribution = (row: Float32Array): boolean =>
  isInUnitInterval(row) && Math.abs(row.reduce((total, value) => total + value, 0) - 1) <= 1e-4;

/** True if two outputs are equal, or both NaN. */
const isSame = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));
