// Gradual pruning: removes weights step by step while the network trains.
import { isKernel, type Params, sparsityOf, trainable } from '../core/params.ts';
import type { WeightCounts } from './distributions.ts';
import { checkEnoughToPrune, globalMagnitudeCounts, pruneWeights, sizeOfKernel } from './prune.ts';
import { checkUpdateSchedule, type UpdateSchedule, updateTime } from './schedules.ts';
import type { Progress, Sparsifier } from './types.ts';

/** The weights that each kernel keeps of those it has, while a share in [0, 1] of all that will be pruned is still left. */
export type CountsAt = (params: Params, left: number) => WeightCounts | Promise<WeightCounts>;

/** Options of gradual magnitude pruning. */
export interface GradualOptions extends UpdateSchedule {
  /** How many weights each kernel has in the end, as a distribution gives them, or at any time, by the weights themselves. */
  readonly counts: WeightCounts | CountsAt;
}

/** (1 − time)³: what is still to be pruned, of all that will be, at a time in [0, 1] of the pruning. */
export const cubic = (time: number): number => (1 - time) ** 3;

/** The step of the last pruning. */
const lastStep = ({ end }: UpdateSchedule, { totalSteps }: Progress): number =>
  Math.max(1, Math.floor(end * totalSteps));

/**
 * Gradual magnitude pruning: a network loses its smallest |w| at every update, kernel by kernel or (`globally`) those of
 * all kernels, the sparsity rising from 0 to S_final as S_final · (1 − (1 − time)³); weights gone stay gone (Zhu and Gupta
 * 2017, https://arxiv.org/abs/1710.01878). One that is sparse already loses none until that curve has come to where it
 * stands. The last update, at the end of the schedule, leaves exactly the counts asked for.
 *
 * @throws InputError for a schedule out of range
 */
export function gradual(options: GradualOptions): Sparsifier {
  checkUpdateSchedule(options);
  const { counts } = options;
  const countsAt = typeof counts === 'function' ? counts : byKernel(counts);
  return {
    name: 'gradual',
    preserves: 'nothing',
    needsDenseGradients: false,
    updatesAt: (progress) => {
      const last = lastStep(options, progress);
      const { step } = progress;
      return step === last || (step > options.begin && step < last && step % options.interval === 0);
    },
    update: async (params, progress) => {
      const time = progress.step >= lastStep(options, progress) ? 1 : updateTime(options, progress);
      return pruneWeights(params, await countsAt(params, cubic(time)));
    },
  };
}

/** The largest |w| of all kernels together, at so much of the sparsity; kernels in `dense` lose none. */
export const globally =
  (sparsity: number, dense: ReadonlySet<string>): CountsAt =>
  (params, left) =>
    globalMagnitudeCounts(params, Math.max((1 - left) * sparsity, Math.min(sparsity, sparsityOf(params))), dense);

/** The number of weights that each kernel keeps: final + (size − final) · left, rounded up, and never more than it has. */
const byKernel =
  (final: WeightCounts): CountsAt =>
  (params, left) => {
    checkEnoughToPrune(params, final);
    return Object.fromEntries(
      Object.entries(params)
        .filter(([name]) => isKernel(name) && name in final)
        .map(([name, param]) => [
          name,
          Math.min(trainable(param).size, final[name] + Math.ceil((sizeOfKernel(param) - final[name]) * left)),
        ]),
    );
  };
