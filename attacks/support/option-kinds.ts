// The kinds of options that attacks have. Each is made with its default and checks what it is given.
import { InputError } from '../../src/core/errors.ts';
import { type LossName, lossOf } from '../losses.ts';
import { everyNorm, norms } from '../norms/index.ts';
import type { Bounds, Loss, NormName } from '../types.ts';
import { checkBounds, checkCount, checkEpsilon, checkPositive, checkShare } from './checks.ts';
import { describe } from './describe.ts';
import type { Option, OptionTable } from './options.ts';
import { meant } from './other-names.ts';

type Optional<Given, Value = Given> = Option<Given, Value, false>;
/** A default, or how it follows from other options. */
type Fallback<Given> = Given | ((options: never) => Given);

/** A name for results. */
export const title = (fallback: Fallback<string>): Optional<string> => ({
  required: false,
  fallback,
  read: (given, name) => {
    if (typeof given === 'string') return given;
    throw new InputError(`${name}: expected a text, got ${describe(given)}.`);
  },
});

/** One of some words. */
export const oneOf = <const Word extends string>(words: readonly Word[], fallback: NoInfer<Word>): Optional<Word> => ({
  required: false,
  fallback,
  read: (given, name) => {
    if (words.includes(given)) return given;
    throw new InputError(
      `${name}: expected one of ${words.join(', ')}, got ${describe(given)}.${meant(String(given), words)}`,
    );
  },
});

/** A norm, with the norms that its attack knows. */
export interface NormOption<Known extends NormName> extends Optional<NormName, Known> {
  readonly known: readonly Known[];
}

/** A norm among those that an attack knows. */
export const normAmong = <const Known extends NormName>(
  known: readonly Known[],
  fallback: NoInfer<Known>,
): NormOption<Known> => ({
  required: false,
  fallback,
  known,
  read: (given) => {
    if ((known as readonly NormName[]).includes(given)) return given as Known;
    const hint = Object.hasOwn(norms, given) ? ` PGD has all of ${everyNorm.join(', ')}.` : meant(String(given), known);
    throw new InputError(`norm: expected one of ${known.join(', ')}, got ${describe(given)}.${hint}`);
  },
});

/** The radius of the ball, which must be given. */
export const radius: Option<number, number, true> = {
  required: true,
  read: (epsilon, _, { norm, bounds }: { readonly norm: NormName; readonly bounds: Bounds }) => {
    checkEpsilon(epsilon, norm, bounds);
    return epsilon;
  },
};

/** The largest distance at which an attack that searches the smallest perturbation succeeds; null for no such limit. */
export const cap: Optional<number | null> = {
  required: false,
  fallback: null,
  read: (epsilon, name, options) => (epsilon === null ? null : radius.read(epsilon, name, options)),
};

const checked = <Value>(fallback: Fallback<Value>, check: (name: string, value: Value) => void): Optional<Value> => ({
  required: false,
  fallback,
  read: (given, name) => {
    check(name, given);
    return given;
  },
});

/** A whole number of at least 1, or of at least `least`. */
export const count = (fallback: Fallback<number>, least = 1): Optional<number> =>
  checked(fallback, (name, value) => checkCount(name, value, least));

/** A number above 0. */
export const positive = (fallback: Fallback<number>): Optional<number> =>
  checked(fallback, (name, value) => checkPositive(name, value, false));

/** A number of 0 or more. */
export const notNegative = (fallback: number): Optional<number> =>
  checked(fallback, (name, value) => checkPositive(name, value, true));

/** A share, 0 … 1. */
export const share = (fallback: number): Optional<number> => checked(fallback, checkShare);

/** The length of a step, above 0; 0 too in a ball of radius 0. */
export const stepLength = (fallback: Fallback<number>): Optional<number> => ({
  required: false,
  fallback,
  read: (given, name, { epsilon }: { readonly epsilon: number }) => {
    checkPositive(name, given, epsilon === 0);
    return given;
  },
});

/** True or false. */
export const flag = (fallback: boolean): Optional<boolean> =>
  checked(fallback, (name, value) => {
    if (typeof value !== 'boolean') throw new InputError(`${name}: expected true or false, got ${describe(value)}.`);
  });

/** A loss by name, or the caller's own function. */
export const lossNamed = (fallback: LossName): Optional<LossName | Loss, Loss> => ({
  required: false,
  fallback,
  read: (given) => lossOf(given),
});

/** The lowest and the highest value of a pixel. */
export const pixelBounds: Optional<Bounds> = checked<Bounds>([0, 1], (_, value) => checkBounds(value));

/** A number for all channels, or one for each. */
export const perChannel = (
  fallback: number,
  expected: string,
  isValid: (value: number) => boolean,
): Optional<number | readonly number[]> =>
  checked<number | readonly number[]>(fallback, (name, value) => {
    const values = [value].flat();
    if (values.length > 0 && values.every(isValid)) return;
    throw new InputError(`${name}: expected ${expected}, one or one for each channel, got ${describe(value)}.`);
  });

/** A function that is told something. */
export const listener = <Listener extends (...told: never[]) => void>(fallback: Listener): Optional<Listener> => ({
  required: false,
  // Wrapped, since a function in this place computes the default.
  fallback: () => fallback,
  read: (given, name) => {
    if (typeof given === 'function') return given;
    throw new InputError(`${name}: expected a function, got ${describe(given)}.`);
  },
});

/** The ball that an attack stays in. */
export const BALL_OPTIONS = {
  /** Default `linf`. */
  norm: normAmong(everyNorm, 'linf'),
  /** The radius of the ball, in units of pixels: 0 or more, such as 8 / 255. */
  epsilon: radius,
} as const satisfies OptionTable;

/** How an attack asks its model. */
export const MODEL_OPTIONS = {
  /** Calls of the model whose mean each answer is, for models that are random; default 1. */
  eot: count(1),
  /** The lowest and the highest value of a pixel; default [0, 1]. */
  bounds: pixelBounds,
} as const satisfies OptionTable;
