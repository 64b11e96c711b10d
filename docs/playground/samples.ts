// The pictures that come with the page, and the radii of attacks that suit them.
import type { NormName } from '../../attacks/index.ts';
import { CIFAR10_CLASSES } from '../../src/data/sets/cifar10-classes.ts';
import digits from './digits.png';
import photos from './photos.png';
import { loadStrip, type Picture, type Shape } from './pictures.ts';

/** Pictures of one data set: every class once, then every class again. */
export interface Samples {
  /** What the group of pictures is called, and one of them. */
  readonly title: string;
  readonly one: string;
  readonly strip: string;
  readonly shape: Shape;
  readonly classes: readonly string[];
  /** The usual radius in each norm. */
  readonly radius: { readonly [Name in NormName]: number };
}

export const SAMPLES = {
  digits: {
    title: 'Handwritten digits',
    one: 'Digit',
    strip: digits,
    shape: [28, 28, 1],
    classes: Array.from({ length: 10 }, (_, i) => String(i)),
    radius: { linf: 0.1, l2: 1.5, l1: 10 },
  },
  photos: {
    title: 'Photos of CIFAR-10',
    one: 'Photo',
    strip: photos,
    shape: [32, 32, 3],
    classes: CIFAR10_CLASSES,
    // 8/255 in linf, as most papers have it.
    radius: { linf: 0.0314, l2: 0.5, l1: 12 },
  },
} as const satisfies Readonly<Record<string, Samples>>;

export type SamplesName = keyof typeof SAMPLES;

/** The pictures that suit a model's images: photos for colours, else digits. */
export const samplesFor = ([, , channels]: Shape): SamplesName => (channels === 3 ? 'photos' : 'digits');

export const loadSamples = (name: SamplesName): Promise<readonly Picture[]> =>
  loadStrip(SAMPLES[name].strip, SAMPLES[name].shape);
