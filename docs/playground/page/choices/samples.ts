// The pictures that come with the page, and the radii of attacks that suit them.
import type { NormName } from '../../../../attacks/index.ts';
import { CIFAR10_CLASSES } from '../../../../src/data/sets/cifar10-classes.ts';
import digits from '../../digits.png';
import photos from '../../photos.png';
import { loadStrip, type Picture, type Shape } from '../pictures.ts';

/** The radii that the slider has in a norm. */
export interface Radii {
  /** The radius that is chosen first, as it is written. */
  readonly usual: string;
  readonly most: number;
  readonly step: number;
}

/** Pictures of one data set: every class once, then every class again. */
export interface Samples {
  /** What the group of pictures is called, and one of them. */
  readonly title: string;
  readonly one: string;
  readonly strip: string;
  readonly shape: Shape;
  readonly classes: readonly string[];
  /** The place of the picture that is chosen first. */
  readonly first: number;
  readonly radii: { readonly [Name in NormName]: Radii };
}

export const SAMPLES = {
  digits: {
    title: 'Digits',
    one: 'Digit',
    strip: digits,
    shape: [28, 28, 1],
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
    first: 2,
    radii: {
      linf: { usual: '0.1', most: 0.3, step: 0.01 },
      l2: { usual: '1.5', most: 5, step: 0.25 },
      l1: { usual: '10', most: 40, step: 2 },
    },
  },
  photos: {
    title: 'Photos',
    one: 'Photo',
    strip: photos,
    shape: [32, 32, 3],
    classes: CIFAR10_CLASSES,
    first: 16,
    radii: {
      // 8/255, as most papers have it.
      linf: { usual: '8/255', most: 16 / 255, step: 1 / 255 },
      l2: { usual: '0.5', most: 2, step: 0.1 },
      l1: { usual: '12', most: 40, step: 2 },
    },
  },
} as const satisfies Readonly<Record<string, Samples>>;

export type SamplesName = keyof typeof SAMPLES;

export const loadSamples = (name: SamplesName): Promise<readonly Picture[]> =>
  loadStrip(SAMPLES[name].strip, SAMPLES[name].shape);

/** The class of a sample, by its place. */
export const labelOfSample = (name: SamplesName, place: number): number => place % SAMPLES[name].classes.length;
