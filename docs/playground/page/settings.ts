// What a person chooses, as plain data, and as the part of the page's address behind #. A person's own files are not in it.

import type { AttackName, NormName } from '../../../attacks/index.ts';
import type { BackendName } from '../worker/protocol.ts';
import { ATTACK_CHOICES } from './choices/attack-choices.ts';
import { SAMPLES, type SamplesName } from './choices/samples.ts';

/** The models that are offered for pictures of one kind; `own` is in files that a person brings. */
export const MODEL_CHOICES = ['usual', 'robust', 'own'] as const;
export type ModelChoice = (typeof MODEL_CHOICES)[number];

export interface Settings {
  readonly pictures: SamplesName;
  /** The place of the picture among the samples. */
  readonly picture: number;
  readonly left: ModelChoice;
  readonly right: ModelChoice;
  /** The radius as it was written, such as `0.1` or `8/255`. */
  readonly epsilon: string;
  readonly attack: AttackName;
  readonly norm: NormName;
  readonly steps: number;
  /** A class to reach; null for any but the true one. */
  readonly goal: number | null;
  /** The true class; null for the one that the picture has. */
  readonly label: number | null;
  readonly seed: number;
  readonly bytes: boolean;
  readonly invert: boolean;
  readonly backend: BackendName | 'fastest';
}

/** The settings that suit pictures of a kind, an attack and its norm. */
export function usualSettings(pictures: SamplesName, attack: AttackName = 'pgd', norm: NormName = 'linf'): Settings {
  return {
    pictures,
    picture: SAMPLES[pictures].first,
    left: 'usual',
    right: 'robust',
    epsilon: SAMPLES[pictures].radii[norm].usual,
    attack,
    norm,
    steps: ATTACK_CHOICES[attack].steps?.usual ?? 1,
    goal: null,
    label: null,
    seed: 0,
    bytes: false,
    invert: false,
    backend: 'fastest',
  };
}

/** The settings for pictures of another kind. Networks, attack and computation stay as they are. */
export function settingsOfPictures(pictures: SamplesName, settings: Settings): Settings {
  const { attack, norm, left, right, steps, seed, backend } = settings;
  return { ...usualSettings(pictures, attack, norm), left, right, steps, seed, backend };
}

export type Norms = { readonly [Name in AttackName]: readonly NormName[] };

/** The settings of an address; what it does not say, or says wrongly, is as usual. */
export function settingsOf(hash: string, norms: Norms, backends: readonly BackendName[]): Settings {
  const given = new URLSearchParams(hash.replace(/^#/, ''));
  const oneOf = <Name extends string>(name: string, names: readonly Name[]): Name | undefined =>
    names.find((known) => known === given.get(name));
  const whole = (name: string, most: number): number | undefined => {
    const text = given.get(name) ?? '';
    return /^\d+$/.test(text) && Number(text) <= most ? Number(text) : undefined;
  };
  const pictures = oneOf('pictures', Object.keys(SAMPLES) as SamplesName[]) ?? 'digits';
  const attack = oneOf('attack', Object.keys(norms) as AttackName[]) ?? 'pgd';
  const usual = usualSettings(pictures, attack, oneOf('norm', norms[attack]) ?? norms[attack][0]);
  return {
    ...usual,
    picture: whole('picture', 2 * SAMPLES[pictures].classes.length - 1) ?? usual.picture,
    left: oneOf('left', MODEL_CHOICES) ?? usual.left,
    right: oneOf('right', MODEL_CHOICES) ?? usual.right,
    epsilon: given.get('epsilon')?.slice(0, 40) ?? usual.epsilon,
    steps: whole('steps', 10_000) || usual.steps,
    goal: whole('goal', 100_000) ?? null,
    label: whole('label', 100_000) ?? null,
    seed: whole('seed', 2 ** 32) ?? usual.seed,
    bytes: given.get('bytes') === '1',
    invert: given.get('invert') === '1',
    backend: oneOf('backend', backends) ?? usual.backend,
  };
}

/** The settings as the part of an address behind #: only those that are not as usual, so that the usual address is bare. */
export function hashOf(settings: Settings): string {
  const usual: Settings = {
    ...usualSettings(settings.pictures, settings.attack, settings.norm),
    ...{ pictures: 'digits', attack: 'pgd', norm: 'linf' },
  };
  const written = (Object.keys(settings) as (keyof Settings)[])
    .filter((name) => settings[name] !== usual[name] && settings[name] !== null)
    .map((name) => {
      const value = settings[name];
      // A / may stand as it is behind the #, where 8/255 reads better than 8%2F255.
      return `${name}=${encodeURIComponent(value === true ? '1' : String(value)).replaceAll('%2F', '/')}`;
    });
  return written.join('&');
}

/** The radius that a text writes, or what is wrong with it. */
export type WrittenEpsilon =
  | { readonly epsilon: number; readonly problem: '' }
  | { readonly epsilon: null; readonly problem: string };

/** Reads a radius that a person writes: a number, or a fraction such as `8/255`. */
export function readEpsilon(text: string, norm: NormName): WrittenEpsilon {
  const written = text.trim().replaceAll(',', '.');
  const match = /^(\d+\.?\d*(?:e-?\d+)?|\.\d+)(?:\s*\/\s*(\d+\.?\d*))?$/i.exec(written);
  const epsilon = match === null ? Number.NaN : Number(match[1]) / Number(match[2] ?? 1);
  if (!Number.isFinite(epsilon)) {
    const got = text.trim() === '' ? 'nothing' : `“${text}”`;
    return { epsilon: null, problem: `Expected a number such as 0.1 or 8/255, got ${got}.` };
  }
  if (norm === 'linf' && epsilon > 1) {
    const problem = `Pixels are between 0 and 1, so expected at most 1, got ${text}. Did you mean ${epsilon}/255?`;
    return { epsilon: null, problem };
  }
  return { epsilon, problem: '' };
}
