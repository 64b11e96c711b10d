// The training attack of an epoch in numbers: its steps, ε and step size. They follow the settings, the share of the training
// that is done, and how often the guard found the network collapsed.

import { type AttackStrength, warmedUp } from '../../objectives/warm-up.ts';
import { configuredSteps, isAdversarial } from '../config/conditions.ts';
import type { TrainConfig } from '../config/settings.ts';
import { parseSteps, stepsAt } from './steps-schedule.ts';
import { type TrainingAttackName, trainingAttacks } from './training-attacks.ts';

/** The state of a run that its training attack depends on. */
export interface Standing {
  /** Epochs completed. */
  readonly epoch: number;
  /** The guard's state; null without a guard. */
  readonly guard: { readonly collapses: number } | null;
}

export interface AttackPlan extends AttackStrength {
  readonly name: TrainingAttackName;
  /** The number of attack steps, at least 1. */
  readonly steps: number;
}

/**
 * The training attack of the epoch that comes next, or null if it trains on images as they are.
 *
 * A schedule of steps and a warm-up go by whole epochs, so that a pre-pass and the steps after it see the same attack. After
 * n collapses the attack is `pgd` with n steps more than the settings say, each of 2.5 · ε / steps.
 */
export function attackPlan(config: TrainConfig, { epoch, guard }: Standing): AttackPlan | null {
  if (!isAdversarial(config)) return null;
  const { trainingAttack = 'pgd', stepsSchedule, epsilon, epochs, attackWarmup = 0 } = config;
  const schedule = stepsSchedule === undefined ? null : parseSteps(stepsSchedule);
  const usual = schedule ? stepsAt(schedule, epoch / epochs) : (configuredSteps(config) ?? 0);
  if (usual === 0) return null;
  const collapses = guard?.collapses ?? 0;
  const name = collapses > 0 ? 'pgd' : trainingAttack;
  const steps = usual + collapses;
  const given = collapses > 0 ? undefined : config.stepSize;
  const stepSize = given ?? trainingAttacks[name].stepSize(epsilon, steps);
  const length = attackWarmup / epochs;
  const full = { epsilon, stepSize };
  const strength =
    epoch + 1 >= attackWarmup ? full : warmedUp(full, { epsilon: length, stepSize: length }, (epoch + 1) / epochs);
  return { name, steps, ...strength };
}
