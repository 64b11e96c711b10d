// Certification of a model's smoothed classifier on test images: loads, certifies image by image, and keeps each certificate.

import { UsageError } from '../../core/errors.ts';
import { seedKey } from '../../core/key.ts';
import { batchImages } from '../../data/batch.ts';
import { testIndices } from '../../data/split.ts';
import type { Dataset } from '../../data/types.ts';
import type { LockTimes } from '../../files/lock.ts';
import { backendName } from '../../ops/backend-name.ts';
import type { ModelOptions } from '../options.ts';
import { type LockedFile, withLockedFile } from '../results/locked-file.ts';
import { checkFit, loadWith, namedData, testData, warnOfOtherFiles } from '../targets/loading.ts';
import { type ModelFile, type ModelSource, modelFiles, recordPath } from '../targets/target.ts';
import { version } from '../version.ts';
import {
  type Certification,
  type CertifiedImage,
  certificatesBeside,
  identityOf,
  readCertifications,
  recordCertification,
} from './record.ts';
import { CERTIFY_DEFAULTS, type CertifyOptions, smooth } from './smooth.ts';

export interface CertifyModelOptions extends ModelOptions, Pick<CertifyOptions, 'n0' | 'n' | 'alpha' | 'signal'> {
  /** Standard deviation of the noise on every pixel, in units of [0, 1]. */
  readonly sigma: number;
  /** How many test images, balanced over the classes; default 100. */
  readonly testLimit?: number;
  /** Names the noise; default 0. */
  readonly seed?: number;
  /** File that the certificates are added to; default: certificates.json of the checkpoint's run. False writes nothing. */
  readonly out?: string | false;
  readonly lockTimes?: LockTimes;
  /** Called as certificates are made: with the images done, a fraction within one, and all there are. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/**
 * Certificates of the smoothed classifier of a model, or of the first checkpoint that a run's folder keeps, on test images.
 * Each image's certificate is kept as soon as it is made: the same command again takes those that are there.
 *
 * @throws UsageError for options out of range
 * @throws InputError if there is no such model, it is damaged, its images are of another shape, or another process uses
 * the file
 */
export async function certify(source: ModelSource, options: CertifyModelOptions): Promise<Certification> {
  const { sigma, testLimit = 100 } = options;
  const settings = {
    n0: options.n0 ?? CERTIFY_DEFAULTS.n0,
    n: options.n ?? CERTIFY_DEFAULTS.n,
    alpha: options.alpha ?? CERTIFY_DEFAULTS.alpha,
  };
  checkSettings({ sigma, testLimit, ...settings });
  const named = await namedData(options);
  const [file] = await modelFiles(source);
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
  const { sigma, testLimit = 100, seed = 0, batchSize, signal, onProgress } = options;
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
      backend: backendName(),
      version: version(),
    };
    const before = out === null ? [] : await readCertifications(out.path);
    const known = before.find((other) => identityOf(other) === identityOf(empty))?.images ?? [];
    const done = new Map<number, CertifiedImage>(known.map((image) => [image.index, image]));
    const smoothed = smooth(target.classify, { sigma, key: seedKey(seed), batchSize });
    const indices = testIndices(dataset.test, testLimit);
    const result = (): Certification => ({ ...empty, images: [...done.values()].sort((a, b) => a.index - b.index) });
    for (const [place, index] of indices.entries()) {
      const tell = (share: number) => onProgress?.({ done: place + share, total: indices.length });
      if (!done.has(index)) {
        const image = batchImages(dataset.test, [index], dataset.imageShape);
        const certificate = await smoothed
          .certify(image, { ...settings, sample: index, signal, onProgress: tell })
          .finally(() => image.dispose());
        done.set(index, { index, label: dataset.test.labels[index], ...certificate });
        if (out !== null) await recordCertification(out.path, result(), out.guard);
      }
      tell(1);
    }
    return result();
  } finally {
    target.dispose();
  }
}

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
