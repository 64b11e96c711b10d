// certificates.json: what it holds, how it is read, and how certificates are added to it.
import { z } from 'zod';
import { recordList } from '../results/record-list.ts';
import { datasetSchema, targetSchema } from '../results/target-schema.ts';
import type { EvaluatedDataset, EvaluatedTarget } from '../types.ts';
import type { Certificate } from './smooth.ts';

/** The certificate of a test image. */
export interface CertifiedImage extends Certificate {
  /** Its number in the test split. */
  readonly index: number;
  readonly label: number;
}

/** What an attack in l2 on a smoothed classifier found. */
export interface SmoothedAttack {
  /** Such as `pgd-20-ce-eot20`. */
  readonly attack: string;
  readonly epsilon: number;
  /** Draws whose majority was the class of an image. */
  readonly votes: number;
  /** How many of the certified images were attacked: all there were. */
  readonly images: number;
  /** Numbers of the test images that were right both without attack and under it. */
  readonly right: readonly number[];
}

/** Certificates of one smoothed classifier. */
export interface Certification {
  readonly target: EvaluatedTarget;
  readonly dataset: EvaluatedDataset;
  readonly split: 'test';
  /** Radii are l2 distances, for certificates that each are wrong with at most probability `alpha`. */
  readonly norm: 'l2';
  readonly sigma: number;
  readonly n0: number;
  readonly n: number;
  readonly alpha: number;
  readonly seed: number;
  readonly images: readonly CertifiedImage[];
  /** Attacks on the same smoothed classifier and images, in order of the radii. */
  readonly attacked?: readonly SmoothedAttack[];
  readonly backend: string;
  readonly version: string;
}

/** The share of images with the right class and a radius of at least `radius`. */
export const certifiedAt = ({ images }: Pick<Certification, 'images'>, radius: number): number =>
  images.filter((image) => image.prediction === image.label && image.radius >= radius).length / images.length;

/**
 * The certified images that an attack turned within their certified radius, which no attack can if the certificates are right: at most a
 * share α of them is not, and a majority of few draws may err at the boundary.
 */
export const contradictions = ({ images }: Pick<Certification, 'images'>, { epsilon, right }: SmoothedAttack): number =>
  images.filter((image) => image.prediction === image.label && image.radius >= epsilon && !right.includes(image.index))
    .length;

const RECORD_VERSION = 1;
const whole = z.int().min(0);

const certification = z.object({
  target: targetSchema,
  dataset: datasetSchema,
  split: z.literal('test'),
  norm: z.literal('l2'),
  sigma: z.number().positive(),
  n0: z.int().positive(),
  n: z.int().positive(),
  alpha: z.number().gt(0).lt(1),
  seed: z.int(),
  images: z.array(
    z.object({ index: whole, label: whole, prediction: z.int().min(-1), radius: z.number().min(0), successes: whole }),
  ),
  attacked: z
    .array(
      z
        .object({
          attack: z.string(),
          epsilon: z.number().min(0),
          votes: z.int().positive(),
          images: z.int().positive(),
          right: z.array(whole),
        })
        .refine(({ images, right }) => new Set(right).size === right.length && right.length <= images, {
          path: ['right'],
          message: 'expected numbers of different images, at most as many as were attacked',
        }),
    )
    .optional(),
  backend: z.string(),
  version: z.string(),
});

/** Which certificates belong together: of one smoothed classifier on the same images with the same noise. */
export const identityOf = ({ images: _, attacked: __, ...settings }: Certification): string => {
  const { target, dataset, sigma, n0, n, alpha, seed, backend, version } = settings;
  const { checkpoint, sha256, preprocessing, reading = null } = target;
  return JSON.stringify([
    checkpoint,
    sha256,
    preprocessing,
    reading,
    dataset.sha256,
    sigma,
    n0,
    n,
    alpha,
    seed,
    backend,
    version,
  ]);
};

const certificates = recordList<Certification>({
  file: 'certificates.json',
  list: 'certifications',
  version: RECORD_VERSION,
  what: 'certificates',
  command: 'certify',
  schema: certification,
  identity: identityOf,
});

/** Where the certificates of a run are, beside its evaluations. */
export const certificatesBeside = certificates.beside;

/**
 * The certifications in a file, none if there is no file.
 *
 * @throws InputError that names the field that is wrong
 */
export const readCertifications = certificates.read;

/** Writes a certification into a file, in place of that of the same settings, and of other weights of the same checkpoint. Its caller holds the file's lock. */
export const recordCertification = certificates.add;
