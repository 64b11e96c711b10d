// Balls in plain memory, where attacks keep images one by one.
import { InputError } from '../../src/core/errors.ts';
import { meant } from '../support/other-names.ts';
import type { Bounds, NormName } from '../types.ts';
import { type Norm, norms } from './index.ts';
import { confine, faces } from './region.ts';

/** Where one adversarial image may lie, in plain memory: exactly inside the ball around its image and the bounds. */
export interface Ball {
  /** Moves a point to the nearest of the ball, then of the bounds. */
  readonly project: (point: Float32Array) => void;
  /** Adds the step of a length that increases a linear function most, given its gradient; does not project. */
  readonly climb: (point: Float32Array, gradient: Float32Array, length: number) => void;
}

/** The norms that attacks in plain memory know. */
export type SearchNorm = Exclude<NormName, 'l1'>;

export const searchNorms = ['linf', 'l2'] as const satisfies readonly SearchNorm[];

/** Throws for a norm that an attack does not have. */
export function checkNorm<Name extends NormName>(attack: string, norm: NormName, known: readonly Name[]): Name {
  if (!(known as readonly NormName[]).includes(norm)) {
    throw new InputError(
      `${attack} knows the norms ${known.join(', ')}; ${norm} came.${Object.hasOwn(norms, norm) ? ` pgd has all of ${Object.keys(norms).join(', ')}.` : meant(String(norm), known)}`,
    );
  }
  return norm as Name;
}

/** What to multiply by so that numbers of a length get another, in float64; 0 for numbers that are all 0. */
export const scaleTo = (wanted: number, length: number): number => (length > 0 ? wanted / length : 0);

export function ballAround(norm: Norm, epsilon: number, bounds: Bounds, image: Float32Array): Ball {
  switch (norm.name) {
    case 'linf': {
      const { lowest, highest } = faces(epsilon, bounds, image);
      return {
        project: (point) => {
          for (let i = 0; i < point.length; i++) {
            if (point[i] < lowest[i]) point[i] = lowest[i];
            else if (point[i] > highest[i]) point[i] = highest[i];
          }
        },
        climb: (point, gradient, length) => {
          for (let i = 0; i < point.length; i++) point[i] += length * Math.sign(gradient[i]);
        },
      };
    }
    case 'l2':
      return {
        project: (point) => {
          const distance = norm.distance(point, image);
          const scale = distance > epsilon ? epsilon / distance : 1;
          for (let i = 0; i < point.length; i++) {
            point[i] = clip(scale === 1 ? point[i] : image[i] + scale * (point[i] - image[i]), bounds);
          }
          confine(norm, epsilon, image, point);
        },
        climb: (point, gradient, length) => {
          const scale = scaleTo(length, lengthOf(norm, gradient));
          for (let i = 0; i < point.length; i++) point[i] += scale * gradient[i];
        },
      };
    default:
      throw new InputError(`The norms are ${searchNorms.join(', ')}; ${norm.name} came.`);
  }
}

export const clip = (value: number, [low, high]: Bounds): number => (value < low ? low : value > high ? high : value);

/** ‖x‖ in float64. */
export const lengthOf = (norm: Norm, x: Float32Array): number => norm.distance(x, new Float32Array(x.length));
