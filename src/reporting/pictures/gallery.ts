// A few test images with the worst that an attack finds for some nets: how they are made, and how they are read again.

import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { norms, pgd } from '../../../attacks/index.ts';
import type { NormName } from '../../../attacks/types.ts';
import { foldIn, seedKey } from '../../core/key.ts';
import { parseJson } from '../../core/parse-json.ts';
import { sizeOf } from '../../core/structure.ts';
import { batchImages, batchLabels } from '../../data/batch.ts';
import { testIndices } from '../../data/split.ts';
import type { Dataset } from '../../data/types.ts';
import { predict } from '../../evaluation/targets/predict.ts';
import type { Target } from '../../evaluation/targets/target.ts';
import { type Breakdown, breakdownSchema } from '../breakdown.ts';
import { drawPictures, type Pictures } from './pictures.ts';
import { isPngBase64 } from './png.ts';

/** A net as a gallery names it. */
export interface GalleryNet {
  readonly name: string;
  readonly target: Target;
}

export interface GalleryOptions {
  readonly norm: NormName;
  readonly epsilon: number;
  /** How many images; default 3. */
  readonly count?: number;
  /** Stops the attacks within one call of a model. */
  readonly signal?: AbortSignal;
}

/** What a net says of an image. */
export interface Prediction {
  readonly net: string;
  readonly clean: string;
  readonly adversarial: string;
  readonly right: boolean;
}

/** What an attack on one of the nets makes of an image. */
export interface GalleryRow extends Pictures {
  /** The net whose gradients the attack followed. */
  readonly attacked: string;
  readonly predictions: readonly Prediction[];
}

export interface GalleryImage {
  /** Its number in the test split. */
  readonly index: number;
  readonly label: string;
  /** One a net. */
  readonly rows: readonly GalleryRow[];
}

export interface Gallery {
  readonly norm: NormName;
  readonly epsilon: number;
  readonly attack: string;
  readonly images: readonly GalleryImage[];
}

/** What gallery.json holds. */
export interface KeptPictures {
  /** Names the networks, the data and the attack that the rest was made of. */
  readonly identity: string;
  readonly gallery: Gallery;
  /** Accuracies class by class, in a report on a single run. */
  readonly breakdown?: Breakdown;
}

const png = z.string().refine(isPngBase64, 'expected a PNG file in base64');

const keptSchema = z.object({
  identity: z.string(),
  breakdown: breakdownSchema.optional(),
  gallery: z.object({
    norm: z.enum(Object.keys(norms) as [NormName, ...NormName[]]),
    epsilon: z.number().positive(),
    attack: z.string(),
    images: z.array(
      z.object({
        index: z.int().min(0),
        label: z.string(),
        rows: z.array(
          z.object({
            attacked: z.string(),
            clean: png,
            perturbation: png,
            adversarial: png,
            magnification: z.number().positive(),
            predictions: z.array(
              z.object({ net: z.string(), clean: z.string(), adversarial: z.string(), right: z.boolean() }),
            ),
          }),
        ),
      }),
    ),
  }),
});

/**
 * A gallery.json: pictures, and what they were drawn of.
 *
 * @param source what messages call the file, such as its path
 * @throws InputError that names the file and the field that is wrong
 */
export const parseGallery = (text: string, source: string): KeptPictures => parseJson(text, source, keptSchema);

/** Enough steps that the pictures show what the attack can do. */
const STEPS = 40;
const CANDIDATES = 64;

/**
 * A few test images with the worst that an attack finds for each net, and what all nets make of it. Images come from
 * different classes and are ones that every net gets right and the first loses under attack, as far as there are such.
 *
 * @param nets the first is the one that is expected to lose; borrowed
 */
export async function drawGallery(
  nets: readonly GalleryNet[],
  dataset: Dataset,
  { norm, epsilon, count = 3, signal }: GalleryOptions,
): Promise<Gallery> {
  const indices = testIndices(dataset.test, CANDIDATES);
  const images = batchImages(dataset.test, indices, dataset.imageShape);
  const labels = batchLabels(dataset.test, indices);
  const attack = pgd({ norm, epsilon, steps: STEPS });
  const key = foldIn(seedKey(0), 'gallery');
  const samples = Array.from(indices);
  const adversarials: Tensor4D[] = [];
  try {
    for (const { target } of nets) {
      signal?.throwIfAborted();
      adversarials.push(await attack.perturb(target.classify, images, labels, { key, samples, signal }));
    }
    const clean = await Promise.all(nets.map(({ target }) => predict(target.classify, images)));
    // attacked[i][j]: what net j says of the images attacked on net i
    const attacked = await Promise.all(
      adversarials.map((batch) => Promise.all(nets.map(({ target }) => predict(target.classify, batch)))),
    );
    const truth = Array.from(indices, (index) => dataset.test.labels[index]);
    const interest = (place: number): number =>
      clean.filter((predictions) => predictions[place] === truth[place]).length +
      (attacked[0][0][place] !== truth[place] ? 2 : 0) +
      (attacked.at(-1)?.at(-1)?.[place] === truth[place] ? 1 : 0);
    const pixels = await images.data<'float32'>();
    const size = sizeOf(dataset.imageShape);
    const pictures = await Promise.all(adversarials.map((batch) => batch.data<'float32'>()));
    return {
      norm,
      epsilon,
      attack: `PGD-${STEPS}`,
      images: chooseDistinct(truth, interest, count).map((place) => ({
        index: indices[place],
        label: dataset.classes[truth[place]],
        rows: nets.map(({ name }, i) => ({
          attacked: name,
          ...drawPictures(rowOf(pixels, place, size), rowOf(pictures[i], place, size), dataset.imageShape),
          predictions: nets.map(({ name: net }, j) => ({
            net,
            clean: dataset.classes[clean[j][place]],
            adversarial: dataset.classes[attacked[i][j][place]],
            right: attacked[i][j][place] === truth[place],
          })),
        })),
      })),
    };
  } finally {
    tf.dispose([images, labels, ...adversarials]);
  }
}

/** The most interesting places, of different classes first. */
function chooseDistinct(truth: readonly number[], interest: (place: number) => number, count: number): number[] {
  const places = [...truth.keys()].sort((a, b) => interest(b) - interest(a) || a - b);
  const seen = new Set<number>();
  const first = places.filter((place) => !seen.has(truth[place]) && seen.add(truth[place]));
  return [...first, ...places.filter((place) => !first.includes(place))].slice(0, count);
}

const rowOf = (pixels: Pixels, place: number, size: number): Pixels =>
  pixels.subarray(place * size, (place + 1) * size);

type Pixels = Float32Array | Int32Array | Uint8Array;
