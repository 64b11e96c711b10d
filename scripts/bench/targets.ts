// The ratios and limits that the engine should reach, and how the bench words whether it does. They are our own goals, so they
// stand here and not in the docs.

/** Ratios to dense masked PyTorch that the engine should reach on two threads: required, and hoped for. */
export interface Target {
  readonly required: number;
  readonly goal: number;
}

export type Build = 'plain' | 'revectorize';
export type Action = 'attack' | 'step';

/** Targets of VGG16 by action and sparsity; without a V8 flag and with --experimental-wasm-revectorize. */
const VGG16: { readonly [B in Build]: { readonly [A in Action]: Readonly<Record<string, Target>> } } = {
  plain: {
    attack: {
      0.9: { required: 2.8, goal: 4 },
      0.95: { required: 4.2, goal: 6 },
      0.99: { required: 10, goal: 18 },
    },
    step: {
      0.9: { required: 2.2, goal: 3.2 },
      0.95: { required: 3.6, goal: 5 },
      0.99: { required: 9, goal: 11 },
    },
  },
  revectorize: {
    attack: {
      0.9: { required: 2.8, goal: 6 },
      0.95: { required: 4.2, goal: 9 },
      0.99: { required: 10, goal: 25 },
    },
    step: {
      0.9: { required: 2.2, goal: 4.5 },
      0.95: { required: 3.6, goal: 7 },
      0.99: { required: 9, goal: 15 },
    },
  },
};

/** Targets of a one-step adversarial training step. */
const ONE_STEP: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  vgg16: { 0.95: 4.5, 0.99: 11 },
  resnet18: { 0.95: 4, 0.99: 10 },
};

/** Other networks may stay this far behind VGG16's ratios. */
const OTHER_NETWORKS = 0.8;

/** The target of a ratio; undefined if there is none. */
export function targetOf(model: string, action: string, sparsity: number, build: Build): Target | undefined {
  if (action === 'one-step') {
    const required = ONE_STEP[model]?.[sparsity];
    return required === undefined ? undefined : { required, goal: required };
  }
  const target = action === 'attack' || action === 'step' ? VGG16[build][action][sparsity] : undefined;
  if (target === undefined || model === 'vgg16') return target;
  return { required: OTHER_NETWORKS * target.required, goal: OTHER_NETWORKS * target.goal };
}

/** SparseProp, each layer forward and backward: at every shape and sparsity, and in the geometric mean. */
export const SPARSEPROP: { readonly [B in Build]: { readonly each: number; readonly mean: number } } = {
  plain: { each: 2.5, mean: 4 },
  revectorize: { each: 4, mean: 6 },
};

/** tfjs-backend-wasm, forward, by sparsity. */
export const TFJS_WASM: Readonly<Record<string, number>> = { 0: 5, 0.95: 20 };

/** A gradient of MobileNetV2 at 224 × 224, as a multiple of PyTorch's time. */
export const OVER_PYTORCH_AT_224 = 1.5;

/** An iteration of APGD in l1, as a multiple of one in linf. */
export const APGD_L1_OVER_LINF = 1.2;

/** A certificate of one image by 10,000 draws. */
export const SECONDS_A_CERTIFICATE = 8;

const short = (value: number): string => `${Number(value.toFixed(2))}×`;

/** The verdict on a figure that should be at least `required`. */
export const verdict = (value: number, required: number): string =>
  value >= required ? `≥ ${short(required)}: met` : `≥ ${short(required)}: missed by ${missing(value, required)}`;

/** The verdict on a figure that should be at most `limit`. */
export const verdictAtMost = (value: number, limit: number, unit = ''): string =>
  value <= limit ? `≤ ${limit}${unit}: met` : `≤ ${limit}${unit}: ${Math.ceil(100 * (value / limit - 1))} % above`;

/** The verdict on a ratio that has a required value and a goal. */
export function standing(value: number, { required, goal }: Target): string {
  if (value >= goal) return `goal ${short(goal)} met`;
  if (value >= required)
    return `required ${short(required)} met; goal ${short(goal)} missed by ${missing(value, goal)}`;
  return `required ${short(required)} **missed by ${missing(value, required)}**; goal ${short(goal)}`;
}

const missing = (value: number, wanted: number): string => `${Math.ceil(100 * (1 - value / wanted))} %`;
