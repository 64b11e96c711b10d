import { objectives } from '../objectives/objectives.ts';
import { prepasses } from '../optimizers/prepasses.ts';
import { methods } from '../sparsity/methods.ts';
import { hasOption, METHOD_SETTINGS } from './method-settings.ts';
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
  ...ofMethods(),
  maskUpdate: {
    applies: ({ method }) => hasOption(method, 'dropFraction'),
    to: METHOD_SETTINGS.dropFraction.to,
    by: ['method'],
  },
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

/** A condition for each setting behind an option of methods. */
function ofMethods(): { readonly [K in Setting]?: Condition } {
  return Object.fromEntries(
    Object.entries(METHOD_SETTINGS).map(([option, { setting, to }]) => {
      const applies: Condition['applies'] = ({ method }) => hasOption(method, option as keyof typeof METHOD_SETTINGS);
      return [setting, { applies, to, by: ['method'] } satisfies Condition];
    }),
  );
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
