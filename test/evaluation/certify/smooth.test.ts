import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Rank, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { InputError, UsageError } from '../../../src/core/errors.ts';
import { seedKey } from '../../../src/core/key.ts';
import { certify } from '../../../src/evaluation/certify/certify.ts';
import { lowerConfidenceBound } from '../../../src/evaluation/certify/clopper-pearson.ts';
import { normalProbability, normalQuantile } from '../../../src/evaluation/certify/normal.ts';
import { certifiedAt, readCertifications } from '../../../src/evaluation/certify/record.ts';
import {
  type CertifyOptions,
  certificateOf as certificateOfCounts,
  largestRadius,
  smooth,
} from '../../../src/evaluation/certify/smooth.ts';
import { acquireLock, InUseError } from '../../../src/files/lock.ts';
import { useBackend } from '../../backend.ts';
import { rejection } from '../../rejection.ts';
import { tinyData, withRun } from '../tiny.ts';

/** Decides by the first pixel alone: class 1 above 0.5. */
const byFirstPixel = (images: Tensor4D): Tensor2D =>
  tf.tidy(() => {
    const first = tf.reshape(tf.slice(images, [0, 0, 0, 0], [-1, 1, 1, 1]), [-1, 1]);
    return tf.concat([tf.sub(0.5, first), tf.sub(first, 0.5)], 1) as Tensor2D;
  });

describe('a smoothed classifier', () => {
  before(() => useBackend('cpu'));

  const certificateOf = async (pixel: number, options: CertifyOptions & { batchSize?: number; seed?: number } = {}) => {
    const { batchSize, seed = 0, ...rest } = options;
    const image = tf.fill<Rank.R4>([1, 2, 2, 1], pixel);
    const tensors = tf.memory().numTensors;
    try {
      return await smooth(byFirstPixel, { sigma: 0.25, batchSize, key: seedKey(seed) }).certify(image, rest);
    } finally {
      expect(tf.memory().numTensors).to.equal(tensors);
      image.dispose();
    }
  };

  it('lets a signal in between calls of the model', async () => {
    const stop = new AbortController();
    const image = tf.fill<Rank.R4>([1, 2, 2, 1], 0.5);
    let calls = 0;
    const counted = (images: Tensor4D): Tensor2D => {
      // As a signal of the process, it comes with a turn of the event loop only.
      if (calls++ === 0) setImmediate(() => stop.abort());
      return byFirstPixel(images);
    };
    const smoothed = smooth(counted, { sigma: 0.25, batchSize: 1 });
    const error = await rejection(smoothed.certify(image, { n: 30_000, signal: stop.signal }));
    expect(error.name).to.equal('AbortError');
    expect(calls).to.be.below(30_000);
    image.dispose();
  });

  it('certifies no radius above the one that unanimous draws give', () => {
    const settings = { sigma: 0.25, n: 500, alpha: 0.001 };
    const unanimous = { selection: new Map([[3, 100]]), estimation: new Map([[3, 500]]) };
    expect(certificateOfCounts(unanimous, settings).radius).to.equal(largestRadius(settings));
    expect(largestRadius(settings)).to.be.closeTo(0.551, 5e-4);
    expect(largestRadius({ ...settings, n: 5 })).to.equal(0);
  });

  it('certifies a radius just below the distance from the boundary, which it has for a half-space', async () => {
    // For a half-space at distance d, P = Φ(d / σ), so the radius goes to d as draws grow.
    for (const [pixel, prediction] of [
      [0.8, 1],
      [0.2, 0],
    ]) {
      const found = await certificateOf(pixel, { n: 4000 });
      expect(found.prediction).to.equal(prediction);
      expect(found.radius).to.be.within(0.25, 0.3);
      const share = normalProbability(0.3 / 0.25);
      expect(found.successes / 4000).to.be.closeTo(share, 0.02);
    }
  });

  it('abstains on the boundary', async () => {
    expect(await certificateOf(0.5, { n: 500 })).to.include({ prediction: -1, radius: 0 });
  });

  it('depends on key and image number, and not on the size of batches', async () => {
    const whole = await certificateOf(0.7, { n: 300 });
    expect(await certificateOf(0.7, { n: 300, batchSize: 7 })).to.deep.equal(whole);
    const others = [await certificateOf(0.7, { n: 300, sample: 1 }), await certificateOf(0.7, { n: 300, seed: 1 })];
    for (const other of others) expect(other.successes).to.not.equal(whole.successes);
  });

  it('counts no output that is not a number for any class', async () => {
    const image = tf.fill<Rank.R4>([1, 2, 2, 1], 0.5);
    const broken = smooth((images) => tf.mul(byFirstPixel(images as Tensor4D), Number.NaN) as Tensor2D, { sigma: 0.1 });
    expect(await broken.certify(image, { n: 20 })).to.deep.equal({ prediction: -1, radius: 0, successes: 0 });
    image.dispose();
  });

  it('refuses images out of bounds or not finite, and another number of images than samples, before it draws', async () => {
    const untouched = smooth(() => expect.fail('the model was called'), { sigma: 0.25 });
    for (const pixel of [128, Number.NaN]) {
      const image = tf.fill<Rank.R4>([1, 2, 2, 1], pixel);
      for (const asked of [untouched.certify(image), untouched.vote(image, { draws: 9, samples: [0] })]) {
        expect((await rejection(asked)).message).to.contain(
          `expected pixels in [0, 1]; a pixel of image 0 is ${pixel}`,
        );
      }
      image.dispose();
    }
    const two = tf.zeros<Rank.R4>([2, 2, 2, 1]);
    const error = await rejection(untouched.vote(two, { draws: 9, samples: [0] }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.contain('each of the 2 images, got 1');
    two.dispose();
  });

  it('refuses options out of range', async () => {
    expect(() => smooth(byFirstPixel, { sigma: 0 })).to.throw(InputError, 'Expected sigma above 0');
    for (const options of [{ n: 0 }, { n0: 1.5 }, { n: 10, alpha: 0 }]) {
      expect(await rejection(certificateOf(0.5, options))).to.be.instanceOf(InputError);
    }
  });
});

describe('what certificates are computed with', () => {
  it('is a lower bound that its own binomial tail confirms', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), (k, more) => {
        const n = k + more;
        const p = lowerConfidenceBound(k, n, 0.01);
        let choose = 1;
        let tail = 0;
        for (let i = 0; i <= n; i++) {
          if (i >= k) tail += choose * p ** i * (1 - p) ** (n - i);
          choose = (choose * (n - i)) / (i + 1);
        }
        expect(tail).to.be.closeTo(0.01, 1e-9);
      }),
    );
    expect(lowerConfidenceBound(0, 5, 0.01)).to.equal(0);
    expect(lowerConfidenceBound(5, 5, 0.01)).to.be.closeTo(0.01 ** (1 / 5), 1e-12);
  });

  it('is a quantile that inverts the probability', () => {
    expect(normalQuantile(0.975)).to.be.closeTo(1.959963984540054, 1e-12);
    fc.assert(
      fc.property(fc.double({ min: -6, max: 6, noNaN: true }), (x) => {
        expect(normalQuantile(normalProbability(x))).to.be.closeTo(x, 1e-6);
      }),
    );
    for (const probability of [0, 1, Number.NaN]) expect(() => normalQuantile(probability)).to.throw(InputError);
  });
});

describe('certify', () => {
  before(() => useBackend('cpu'));

  const options = { dataset: tinyData(), sigma: 0.05, n0: 10, n: 60, testLimit: 6 };

  it('warns of a network that returns NaN', () =>
    withRun(async (folder) => {
      const module = join(folder, 'nan.mjs');
      writeFileSync(module, 'export const load = (tf) => (images) => tf.fill([images.shape[0], 2], NaN);');
      const warnings: string[] = [];
      await certify({ module }, { ...options, testLimit: 2, out: false, warn: (warning) => warnings.push(warning) });
      expect(warnings.join()).to.contain('The outputs for 140 of 140 noisy images are NaN; these count as wrong.');
    }));

  it("adds the certificates of a run's best checkpoint to its certificates.json, image by image", () =>
    withRun(async (folder) => {
      const found = await certify(folder, options);
      const path = join(folder, 'certificates.json');
      expect(await readCertifications(path)).to.deep.equal([JSON.parse(JSON.stringify(found))]);
      expect(found.target.checkpoint).to.equal('best');
      expect(found.images).to.have.length(6);
      expect(found.images.every(({ prediction, label }) => prediction === label)).to.equal(true);
      expect(certifiedAt(found, 0)).to.equal(1);
      expect(certifiedAt(found, 1)).to.equal(0);

      // The same command takes what is there, and a larger one goes on from it.
      const marked = readFileSync(path, 'utf8').replace(/"successes": \d+/, '"successes": 59');
      writeFileSync(path, marked);
      const more = await certify(folder, { ...options, testLimit: 8 });
      expect(more.images).to.have.length(8);
      expect(more.images[0].successes).to.equal(59);
      const other = await certify(folder, { ...options, sigma: 0.1, testLimit: 2 });
      expect(await readCertifications(path)).to.deep.equal(JSON.parse(JSON.stringify([more, other])));
    }));

  it('keeps what was certified when it is stopped', () =>
    withRun(async (folder) => {
      const stop = new AbortController();
      const onProgress = ({ done }: { done: number }) => done >= 2 && stop.abort();
      const warnings: string[] = [];
      const warn = (message: string) => warnings.push(message);
      await rejection(certify(folder, { ...options, signal: stop.signal, onProgress, warn }));
      expect(warnings.join()).to.contain('the same command goes on from there');
      const [{ images }] = await readCertifications(join(folder, 'certificates.json'));
      expect(images).to.have.length(2);
      const whole = await certify(folder, options);
      expect(whole.images.slice(0, 2)).to.have.deep.members([...images]);
    }));

  it("is refused by name while another process uses the run's folder, and holds its lock afterwards", () =>
    withRun(async (folder) => {
      writeFileSync(join(folder, 'config.json'), '{}');
      const lock = await acquireLock(join(folder, 'run.lock'), { heartbeatMs: 10 });
      const refused = await rejection(certify(folder, options));
      expect(refused).to.be.instanceOf(InUseError);
      expect(refused.message).to.match(/ is in use by process \d+ on .*--out FILE/);
      expect(existsSync(join(folder, 'certificates.json'))).to.equal(false);
      await lock.release();
      await certify(folder, { ...options, testLimit: 1 });
      expect(existsSync(join(folder, 'run.lock'))).to.equal(false);
    }));

  it('stops without writing if another process has taken the lock over', () =>
    withRun(async (folder) => {
      const lock = join(folder, 'certificates.json.lock');
      const error = await rejection(
        certify(folder, {
          ...options,
          onProgress: ({ done }) => {
            if (done === 2) renameSync(lock, `${lock}-of-another`);
          },
        }),
      );
      expect(error).to.be.instanceOf(InputError);
      const [{ images }] = await readCertifications(join(folder, 'certificates.json'));
      expect(images).to.have.length(1);
    }));

  it('writes nothing for a checkpoint outside of a run, or if told so', () =>
    withRun(async (folder) => {
      await certify(folder, { ...options, testLimit: 1, out: false });
      expect(existsSync(join(folder, 'certificates.json'))).to.equal(false);
    }));

  it('refuses settings out of range, and a file that holds something else', async () => {
    for (const change of [{ sigma: -1 }, { alpha: 0.5 }, { n: 0 }, { n0: 2.5 }, { testLimit: 0 }]) {
      expect(await rejection(certify('nowhere', { ...options, ...change }))).to.be.instanceOf(UsageError);
    }
    const folder = mkdtempSync(join(tmpdir(), 'equipoise-'));
    writeFileSync(join(folder, 'other.json'), '{"version":1,"certifications":[{}]}');
    const error = await rejection(readCertifications(join(folder, 'other.json')));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(/cannot be read as certificates.*certifications/s);
    rmSync(folder, { recursive: true });
  });
});
