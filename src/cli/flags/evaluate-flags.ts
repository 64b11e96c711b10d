// The flags of `evaluate`, which images under attack, saved examples and corrupted images share.
import { UsageError } from '../../core/errors.ts';
import { ATTACK_FLAGS } from './attack-flags.ts';
import { BACKEND_FLAGS, type Flags, type FlagValues } from './flags.ts';
import { MODEL_FLAGS } from './model-flags.ts';
import { NORMS } from './setting-flags.ts';

export const EVALUATE_FLAGS = {
  ...ATTACK_FLAGS,
  norm: { kind: 'text', choices: NORMS, description: 'linf, l2 or l1; default: that of training' },
  epsilon: { kind: 'numbers', description: 'radii, such as 0,4/255,8/255; default: that of training' },
  norms: {
    kind: 'named numbers',
    description:
      'several norms, each at one radius, as linf=8/255,l2=0.5,l1=12: an image counts only if it survives all',
  },
  steps: { kind: 'number', integer: true, group: 'Attack', description: 'steps of attacks whose names have no number' },
  'step-size': { kind: 'number', group: 'Attack', description: 'step size of PGD; default: 2.5·epsilon/steps' },
  restarts: {
    kind: 'number',
    integer: true,
    group: 'Attack',
    description: 'restarts of attacks whose names have no number of restarts',
  },
  ...MODEL_FLAGS,
  'expect-clean': {
    kind: 'number',
    group: 'Model',
    description: 'known clean accuracy of the model, such as 0.852; stop before any attack if the measured one differs',
  },
  examples: {
    kind: 'text',
    value: 'FOLDER',
    description: 'evaluate adversarial examples that were saved for another network, in place of an attack',
  },
  baseline: {
    kind: 'text',
    value: 'FILE',
    description: 'cifar10-c, cifar100-c: results of another network, to compute the mCE against it',
  },
  'test-limit': { kind: 'number', integer: true, description: 'use only this many test images, as many of each class' },
  'batch-size': { kind: 'number', integer: true, group: 'Run', description: 'images at once' },
  seed: { kind: 'number', integer: true, group: 'Run', description: 'seed of the random numbers of the attacks' },
  out: { kind: 'text', value: 'FILE', description: "file to add the result to; default: the run's evaluation.json" },
  resume: { kind: 'switch', description: 'continue an interrupted evaluation with the same settings' },
  shard: {
    kind: 'text',
    group: 'Run',
    description: 'attack only part i of n of the images, such as 1/4, to use several machines',
  },
  merge: {
    kind: 'texts',
    value: 'FILE',
    group: 'Run',
    description: 'files of all parts, to put them together; give the other flags as for the parts',
  },
  'save-examples': {
    kind: 'text',
    value: 'FOLDER',
    group: 'Run',
    description: 'write the adversarial examples of every attack into this folder (safetensors)',
  },
  ...BACKEND_FLAGS,
} as const satisfies Flags;

/** What the flags of `evaluate` hold once read. */
export type EvaluateFlags = FlagValues<typeof EVALUATE_FLAGS>;

/** Flags that an evaluation has without an attack, too. */
const WITHOUT_ATTACK: readonly string[] = [
  ...Object.keys(MODEL_FLAGS),
  ...Object.keys(BACKEND_FLAGS),
  ...(['examples', 'baseline', 'test-limit', 'batch-size', 'out'] satisfies (keyof EvaluateFlags)[]),
];

/** Flags that are about attacks, or about an evaluation by attacks that can be interrupted: all others. */
export const ATTACKING = (Object.keys(EVALUATE_FLAGS) as (keyof EvaluateFlags)[]).filter(
  (flag) => !WITHOUT_ATTACK.includes(flag),
);

/**
 * Refuses flags that would have no effect.
 *
 * @param what they do not apply to, and why not
 * @throws UsageError if one of them is given
 */
export function refuseFlags(flags: EvaluateFlags, refused: readonly (keyof EvaluateFlags)[], what: string): void {
  const given = refused.find((flag) => flags[flag] !== undefined);
  if (given !== undefined) throw new UsageError(`--${given} does not apply to ${what}. Leave it out.`);
}
