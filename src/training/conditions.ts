import { objectives } from '../objectives/objectives.ts';
import { prepasses } from '../optimizers/prepasses.ts';
import { type MethodOptions, methods } from '../sparsity/methods.ts';
import type { Setting, TrainConfig } from './settings.ts';

/** When a setting applies. */
interface Condition {
  applies(config: TrainConfig): boolean;
  /** The words for that: it applies `to` … */
  readonly to: string;
  /** The settings that decide. */
  readonly by: readonly Setting[];
}

const toSparseMethods: Condition = { applies: isSparseMethod, to: 'sparse methods', by: ['method'] };
const toAdversarial: Condition = { applies: isAdversarial, to: 'adversarial objectives', by: ['objective'] };
const toAgent: Condition = {
  applies: ({ optimizer }) => optimizer === 'agent',
  to: 'the optimizer agent',
  by: ['optimizer'],
};
const toExtraImages: Condition = {
  applies: usesExtraImages,
  to: 'objectives with extra images, such as rst',
  by: ['objective'],
};

/** For each conditional setting, when it applies. */
export const CONDITIONS: { readonly [K in Setting]?: Condition } = {
  distribution: toSparseMethods,
  denseFirstConv: toSparseMethods,
  denseLastLayer: toSparseMethods,
  layerSparsities: {
    applies: (config) => isSparseMethod(config) && config.distribution === 'per-layer',
    to: 'the distribution per-layer',
    by: ['method', 'distribution'],
  },
  firstStageDensity: {
    applies: (config) => isSparseMethod(config) && config.distribution === 'bsr-net',
    to: 'the distribution bsr-net',
    by: ['method', 'distribution'],
  },
  dropFraction: { applies: has('dropFraction'), to: 'methods that drop and grow weights', by: ['method'] },
  dropSchedule: { applies: has('dropFraction'), to: 'methods that drop and grow weights', by: ['method'] },
  updateBegin: { applies: has('begin'), to: 'methods that change their masks from time to time', by: ['method'] },
  maskUpdate: { applies: has('dropFraction'), to: 'methods that drop and grow weights', by: ['method'] },
  updateInterval: {
    applies: has('interval'),
    to: 'methods that change their masks from time to time',
    by: ['method'],
  },
  updateEnd: { applies: has('end'), to: 'methods that change their masks from time to time', by: ['method'] },
  noise: { applies: has('noise'), to: 'the method bsr-net', by: ['method'] },
  from: {
    applies: ({ method }) => methods[method].givenWeights !== undefined,
    to: 'the methods dense, gradual and one-shot (others draw their masks without a look at the weights)',
    by: ['method'],
  },
  agentPrepass: { applies: corrects, to: 'the optimizers agent, svrg and alpha-svrg', by: ['optimizer'] },
  agentAttackSteps: {
    applies: (config) => {
      const { agentPrepass } = config;
      return agentPrepass !== undefined && prepasses[agentPrepass].examples === 'epoch' && isAdversarial(config);
    },
    to: 'the pre-passes matched and subsampled of adversarial training',
    by: ['optimizer', 'agentPrepass', 'objective'],
  },
  agentPrepassShare: {
    applies: ({ agentPrepass }) => agentPrepass === 'subsampled',
    to: 'the pre-pass subsampled',
    by: ['optimizer', 'agentPrepass', 'objective'],
  },
  agentGamma: toAgent,
  agentAlpha: toAgent,
  beta: {
    applies: ({ objective }) => objectives[objective]().beta !== null,
    to: 'objectives with a robust term beside another, such as trades and mart',
    by: ['objective'],
  },
  extraImages: toExtraImages,
  extraShare: toExtraImages,
  milestones: { applies: ({ schedule }) => schedule === 'multi-step', to: 'the schedule multi-step', by: ['schedule'] },
  decayEvery: { applies: ({ schedule }) => schedule === 'step', to: 'the schedule step', by: ['schedule'] },
  decayFactor: {
    applies: ({ schedule }) => schedule === 'step' || schedule === 'multi-step',
    to: 'the schedules step and multi-step',
    by: ['schedule'],
  },
  steps: toAdversarial,
  stepSize: toAdversarial,
  attackWarmup: toAdversarial,
};

/** The settings that do not apply to a configuration. */
export const uselessIn = (config: TrainConfig): readonly Setting[] =>
  Object.entries(CONDITIONS).flatMap(([key, condition]) => (condition.applies(config) ? [] : [key as Setting]));

/** Whether the configuration trains sparse kernels. */
export function isSparseMethod({ method }: Pick<TrainConfig, 'method'>): boolean {
  return methods[method].sparse;
}

/** Whether training sees adversarial examples. */
export function isAdversarial({ objective }: Pick<TrainConfig, 'objective'>): boolean {
  return objectives[objective]().adversarial;
}

/** Whether batches have images beside those of the data set. */
export function usesExtraImages({ objective }: Pick<TrainConfig, 'objective'>): boolean {
  return objectives[objective]().extraShare > 0;
}

/** Whether the method of a configuration has an option. */
function has(option: keyof MethodOptions) {
  return ({ method }: Pick<TrainConfig, 'method'>): boolean => methods[method].defaults?.[option] !== undefined;
}

/** Whether gradients are corrected by those at a snapshot. */
export function corrects({ optimizer }: Pick<TrainConfig, 'optimizer'>): boolean {
  return optimizer !== 'sgd';
}

/** Whether the pre-pass sees other examples than the steps, so that u − g̃ has a mean other than 0. */
export function seesOtherExamples(config: TrainConfig): boolean {
  const { agentPrepass, agentAttackSteps, steps, augment } = config;
  if (agentPrepass === undefined || prepasses[agentPrepass].keepsGradients) return false;
  const attacked = isAdversarial(config);
  return prepasses[agentPrepass].examples === 'clean'
    ? attacked || augment !== 'none'
    : attacked && agentAttackSteps !== steps;
}
