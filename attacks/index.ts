// The entry `equipoise/attacks`.
export { InputError } from '../src/core/errors.ts';
export { foldIn, type Key, seedKey } from '../src/core/key.ts';
export { registerGradients } from '../src/ops/gradients.ts';
export { type ApgdOptions, type ApgdTOptions, apgd, apgdT } from './apgd.ts';
export { type AttackName, type AttackOptions, attackNorms, attacks, type CommonOptions } from './attacks.ts';
export { type AutoAttackOptions, type AutoAttackVersion, autoattack } from './autoattack.ts';
export { type BimOptions, bim } from './bim.ts';
export { type CascadeOptions, cascade } from './cascade.ts';
export { type CwOptions, cw } from './cw.ts';
export { type DeepFoolOptions, deepFool } from './deepfool.ts';
export { type FabTOptions, fabT } from './fab.ts';
export { type FgsmOptions, fgsm } from './fgsm.ts';
export { type LossGradient, lossGradient } from './loops/loss-gradient.ts';
export { crossEntropy, cwMargin, cwMarginUpTo, dlr, kl, type LossName, losses } from './losses.ts';
export {
  type ImageSource,
  type RobustAccuracy,
  type RobustAccuracyOptions,
  robustAccuracy,
} from './measure/robust-accuracy.ts';
export { type SuccessOptions, success } from './measure/success.ts';
export { type MiFgsmOptions, miFgsm } from './mi-fgsm.ts';
export { bpda } from './models/bpda.ts';
export { type ClassifierOptions, classifier } from './models/classifier.ts';
export { l1, l2, linf, type Norm, norms } from './norms/index.ts';
export { type PgdOptions, pgd } from './pgd.ts';
export { type QuantisedOptions, quantised } from './quantised.ts';
export { type SquareOptions, square } from './square.ts';
export type * from './types.ts';
