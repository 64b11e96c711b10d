// The error of a run whose loss is no longer finite, with its likely cause.

import { DivergenceError } from '../errors.ts';
import type { TrainedNetwork } from '../state.ts';
import type { Task } from '../task.ts';

/**
 * The error to throw.
 *
 * @param when where the loss was found, such as `in step 3 (epoch 1)`
 */
export function diverged({ config }: Pick<Task, 'config'>, loss: number, when: string): DivergenceError {
  const causes = [
    `the learning rate ${config.lr} is too high (try ${Number((config.lr / 10).toPrecision(3))})`,
    ...(config.optimizer === 'svrg' ? ['the full correction of svrg is unstable on deep networks (try agent)'] : []),
    ...(config.attackBn === 'train'
      ? ['the attack runs with batch statistics (try attackBn evaluate, --attack-bn evaluate)']
      : []),
  ];
  return new DivergenceError(`The loss was ${loss} ${when}, and the run stopped. Most likely ${causes.join(', or ')}.`);
}

/** Throws if a loss that was measured after the last step is not finite. */
export function checkLosses(task: Task, { step, epoch }: TrainedNetwork, losses: ArrayLike<number>): void {
  const loss = Array.from(losses).find((value) => !Number.isFinite(value));
  if (loss !== undefined) throw diverged(task, loss, `on images as they are after step ${step} (epoch ${epoch + 1})`);
}
