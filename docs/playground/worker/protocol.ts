// What the page asks of its worker, and what it gets back. Everything here is copied from one to the other.

import type { AttackName, NormName } from '../../../attacks/index.ts';
import type { Bounds } from '../../../attacks/types.ts';

export const BACKENDS = ['wasm', 'webgl', 'webgpu', 'cpu'] as const;
export type BackendName = (typeof BACKENDS)[number];

/** Models that come with the page. */
export type ShippedName = 'undefended' | 'robust' | 'undefended-photos' | 'vgg16-99';

/** Where a model comes from: the page, or a person's files, with the lowest and highest pixel that a LayersModel takes. */
export type ModelSource =
  | { readonly kind: 'shipped'; readonly name: ShippedName }
  | { readonly kind: 'files'; readonly files: readonly File[]; readonly bounds: Bounds };

export interface ModelFacts {
  /** [height, width, channels] of one image. */
  readonly inputShape: readonly [number, number, number];
  readonly classes: number;
}

/** Which of the models that the page shows. */
export type Side = 'left' | 'right';

/** One attack on one image. */
export interface Request {
  readonly attack: AttackName;
  readonly norm: NormName;
  readonly epsilon: number;
  /** Queries of Square. */
  readonly steps: number;
  /** The true class; null for the one that the model gives the image. */
  readonly label: number | null;
  /** A class to reach; null for any but the label. */
  readonly target: number | null;
  readonly seed: number;
  /** True if every pixel of the example shall be a byte. */
  readonly bytes: boolean;
}

export interface Outcome {
  /** Pixels in [0, 1], as those of the image. */
  readonly adversarial: Float32Array;
  /** Probabilities of the classes. */
  readonly before: Float32Array;
  readonly after: Float32Array;
  readonly label: number;
  readonly distances: { readonly [Name in NormName]: number };
  readonly forwardPasses: number;
  readonly inputGradients: number;
  readonly milliseconds: number;
}

/** What the worker does; each call is answered by its value or its error. */
export interface Calculations {
  /** Facts that need no model: the norms of each attack, and the backends that this browser may have. */
  describe(): Promise<{
    readonly norms: { readonly [Name in AttackName]: readonly NormName[] };
    readonly backends: readonly BackendName[];
  }>;
  /** Makes a backend the current one, and tells what is to be known of its arithmetic. */
  useBackend(name: BackendName): Promise<string>;
  /** Reads a model, in place of the one on that side. */
  load(side: Side, source: ModelSource): Promise<ModelFacts>;
  attack(side: Side, pixels: Float32Array, request: Request): Promise<Outcome>;
  /** Milliseconds that a step of PGD takes, all loaded models together, on the current backend. */
  time(): Promise<number>;
}

export type MethodName = keyof Calculations;

export type Question =
  | { readonly kind: 'call'; readonly id: number; readonly method: MethodName; readonly args: readonly unknown[] }
  | { readonly kind: 'cancel' };

export type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string; readonly cancelled: boolean };
