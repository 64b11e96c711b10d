// Certification of a model's smoothed classifier on test images: loads, certifies image by image, and keeps each certificate.

import { UsageError } from '../../core/errors.ts';
import { foldIn, seedKey } from '../../core/key.ts';
import { batchImages } from '../../data/batch.ts';
import { testIndices } from '../../data/split.ts';
import type { Dataset } from '../../data/types.ts';
import type { LockTimes } from '../../files/lock.ts';
import { currentBackend } from '../../ops/current-backend.ts';
import { type AttackSpec, attackLabel, withEot } from '../attacks/named-attacks.ts';
import { checkEpsilon } from '../epsilon.ts';
import type { ModelOptions } from '../options.ts';
import { type LockedFile, withLockedFile } from '../results/locked-file.ts';
import { checkFit, loadWith, namedData, testData, warnOfOtherFiles } from '../targets/loading.ts';
import { warnOfNotNumbers } from '../targets/predict.ts';
import { type ModelFile, type ModelSource, modelFiles, recordPath } from '../targets/target.ts';
import { version } from '../version.ts';
import { attackSmoothed, SMOOTHED_ATTACK } from './attack.ts';
import {
  type Certification,
  type CertifiedImage,
  certificatesBeside,
  identityOf,
  readCertifications,
  recordCertification,
  type SmoothedAttack,
} from './record.ts';
import { CERTIFY_DEFAULTS, type CertifyOptions, smooth } from './smooth.ts';

/** Calls of the network under noise that an attack on it averages, unless its name says how many. */
const EOT = 20;

export interface CertifyModelOptions extends ModelOptions, Pick<CertifyOptions, 'n0' | 'n' | 'alpha' | 'signal'> {
  /** Standard deviation of the noise on every pixel, in units of [0, 1]. */
  readonly sigma: number;
  /** How many test images, balanced over the classes; default 100. */
  readonly testLimit?: number;
  /** Radii in l2, in pixel units of [0, 1], at which the smoothed classifier is also attacked; default: none. */
  readonly epsilons?: readonly number[];
  /** Default: PGD-20, each gradient the mean of 20 draws of the noise. */
  readonly attack?: AttackSpec;
  /** Names the noise; default 0. */
  readonly seed?: number;
  /** File that the certificates are added to; default: certificates.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  readonly lockTimes?: LockTimes;
  /**
   * Called as certificates are made and images attacked: with those done, a fraction within one, and all there are. Each radius counts
   * all images again.
   */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/**
 * Certificates of the smoothed classifier of a model, or of the first checkpoint that a run's folder keeps, on test images.
 * Each image's certificate is kept as soon as it is made: the same command again takes those that are there. With `epsilons` the
 * same smoothed classifier is attacked on the same images.
 *
 * @throws UsageError for options out of range
 * @throws InputError if there is no such model, it is damaged, its images are of another shape, or another process uses
 * the file
 */
export async function certify(source: ModelSource, options: CertifyModelOptions): Promise<Certification> {
  const { sigma, testLimit = 100, epsilons = [] } = options;
  const settings = {
    n0: options.n0 ?? CERTIFY_DEFAULTS.n0,
    n: options.n ?? CERTIFY_DEFAULTS.n,
    alpha: options.alpha ?? CERTIFY_DEFAULTS.alpha,
  };
  checkSettings({ sigma, testLimit, ...settings });
  for (const epsilon of epsilons) checkEpsilon('l2', epsilon);
  const named = await namedData(options);
  const [file] = await modelFiles(source, options);
  return withLockedFile(pathOf(file.path, options.out), options, (out) =>
    certifyFile(file, out, named, settings, options),
  );
}

type Settings = Pick<Certification, 'n0' | 'n' | 'alpha'>;

async function certifyFile(
  file: ModelFile,
  out: LockedFile | null,
  named: Dataset | null,
  settings: Settings,
  options: CertifyModelOptions,
): Promise<Certification> {
  const { sigma, testLimit = 100, epsilons = [], seed = 0, batchSize, signal, onProgress } = options;
  // An attack on one draw of the noise would be an attack on another classifier.
  const attack = withEot(options.attack ?? SMOOTHED_ATTACK, EOT);
  const target = await loadWith(file, named, options);
  try {
    const dataset: Dataset = named ?? (await testData(target, options));
    await checkFit(target, dataset);
    warnOfOtherFiles(file.path, target, dataset, options.warn);
    const { name, sha256, official, classes } = dataset;
    const empty: Certification = {
      target: target.record,
      dataset: { name, sha256, official, classes },
      split: 'test',
      norm: 'l2',
      sigma,
      ...settings,
      seed,
      images: [],
      backend: currentBackend(),
      version: version(),
    };
    const before = out === null ? [] : await readCertifications(out.path);
    const known = before.find((other) => identityOf(other) === identityOf(empty));
    const done = new Map<number, CertifiedImage>(known?.images.map((image) => [image.index, image]));
    const attacked = new Map<string, SmoothedAttack>(known?.attacked?.map((found) => [nameOf(found), found]));
    const smoothed = smooth(target.classify, { sigma, key: seedKey(seed), batchSize });
    const indices = testIndices(dataset.test, testLimit);
    const result = (): Certification => {
      const images = [...done.values()].sort((a, b) => a.index - b.index);
      // An attack on fewer images than there are certificates has no place beside them.
      const current = [...attacked.values()].filter((found) => found.images === images.length);
      return {
        ...empty,
        images,
        ...(current.length > 0 && { attacked: current.sort((a, b) => a.epsilon - b.epsilon) }),
      };
    };
    const total = indices.length * (1 + epsilons.length);
    let [notNumbers, draws] = [0, 0];
    const countNotNumbers = (count: number): void => {
      notNumbers += count;
    };
    for (const [place, index] of indices.entries()) {
      const tell = (share: number) => onProgress?.({ done: place + share, total });
      if (!done.has(index)) {
        const image = batchImages(dataset.test, [index], dataset.imageShape);
        const certificate = await smoothed
          .certify(image, { ...settings, sample: index, signal, onProgress: tell, onNotNumbers: countNotNumbers })
          .finally(() => image.dispose());
        draws += settings.n0 + settings.n;
        done.set(index, { index, label: dataset.test.labels[index], ...certificate });
        if (out !== null) await recordCertification(out.path, result(), out.guard);
      }
      tell(1);
    }
    warnOfNotNumbers(notNumbers, draws, 'noisy images', options.warn);
    for (const [i, epsilon] of epsilons.entries()) {
      const { images } = result();
      const label = attackLabel(attack);
      if (result().attacked?.some((found) => found.attack === label && found.epsilon === epsilon)) continue;
      const found = await attackSmoothed(smoothed, dataset, images, {
        attack,
        epsilon,
        key: foldIn(seedKey(seed), 'attack'),
        signal,
        onProgress: (share) => onProgress?.({ done: indices.length * (1 + i + share), total }),
      });
      attacked.set(nameOf(found), found);
      if (out !== null) await recordCertification(out.path, result(), out.guard);
    }
    return result();
  } catch (error) {
    if (signal?.aborted && out !== null) {
      options.warn?.('Stopped. The certificates that are made are kept: the same command goes on from there.');
    }
    throw error;
  } finally {
    target.dispose();
  }
}

const nameOf = ({ attack, epsilon }: SmoothedAttack): string => `${attack} ${epsilon}`;

const pathOf = (checkpoint: string, out: string | false | undefined): string | null => {
  if (out !== undefined) return out || null;
  const evaluations = recordPath(checkpoint);
  return evaluations === null ? null : certificatesBeside(evaluations);
};

function checkSettings(settings: Readonly<Record<'sigma' | 'testLimit' | 'n0' | 'n' | 'alpha', number>>): void {
  const { sigma, testLimit, n0, n, alpha } = settings;
  if (!(sigma > 0 && Number.isFinite(sigma))) {
    throw new UsageError(`--sigma takes a standard deviation above 0, such as 0.25, got ${sigma}.`);
  }
  if (!(alpha > 0 && alpha < 0.5)) throw new UsageError(`--alpha takes a probability in (0, 0.5), got ${alpha}.`);
  for (const [flag, value] of Object.entries({ '--n0': n0, '--n': n, '--test-limit': testLimit })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new UsageError(`${flag} takes a whole number of at least 1, got ${value}.`);
    }
  }
}
