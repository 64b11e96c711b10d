// The names that other tools use for options, norms and losses.
import { didYouMean, suggestion } from '../../src/core/did-you-mean.ts';

/** What options, norms and losses are called elsewhere: in foolbox, torchattacks, AutoAttack, ART, cleverhans, advertorch. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  epsilon: ['eps', 'radius', 'delta'],
  norm: ['ord', 'order', 'p', 'distance'],
  steps: ['niter', 'nbIter', 'numIter', 'iter', 'iters', 'iterations', 'maxIter', 'maxIterations', 'nSteps'],
  queries: ['steps', 'nQueries', 'maxQueries', 'niter', 'iterations', 'maxIter'],
  stepSize: ['alpha', 'epsStep', 'epsIter', 'absStepsize', 'relStepsize', 'lr'],
  randomStart: ['randInit', 'randomInit', 'numRandomInit'],
  restarts: ['nRestarts', 'numRestarts', 'nRandomInits', 'numRandomInit'],
  momentum: ['decay', 'decayFactor', 'mu'],
  loss: ['lossFn', 'lossFunction', 'criterion'],
  bounds: ['clipMin', 'clipMax', 'clipValues', 'minVal', 'maxVal'],
  rho: ['thr', 'thrDecr'],
  eot: ['eotIter', 'eotSteps', 'numSamples', 'passes', 'nSamples'],
  targets: ['nTargetClasses', 'targetClasses'],
  largestBias: ['alphaMax'],
  overshoot: ['eta'],
  backward: ['beta'],
  initialShare: ['pInit'],
  rescale: ['rescSchedule', 'rescaleSchedule'],
  candidates: ['nbCandidate', 'nbGrads', 'numClasses', 'topk'],
  searchSteps: ['binarySearchSteps'],
  initialConstant: ['c', 'initialConst'],
  learningRate: ['lr', 'stepsize'],
  confidence: ['kappa'],
  key: ['seed', 'rng', 'generator'],
  samples: ['indices'],
  layout: ['dataFormat', 'channelsFirst'],
  output: ['fromLogits'],
  linf: ['inf', 'infinity', '∞'],
  l2: ['2', 'euclidean'],
  l1: ['1', 'manhattan'],
  ce: ['cross-entropy', 'xent', 'softmax'],
  cw: ['cw-margin', 'margin', 'cw-l2', 'carlini'],
};

const plain = (name: string) => name.toLowerCase().replaceAll(/[-_]/g, '');

/** ` Did you mean …?` with the one of `names` that a word stands for elsewhere or is a slip of, else nothing. */
export function meant(word: string, names: readonly string[]): string {
  const one = names.find((name) => ELSEWHERE[name]?.some((other) => plain(other) === plain(word)));
  return suggestion(one ?? didYouMean(word, names));
}
