// CIFAR-10-C in small, as published: taken over, evaluated, compared with a baseline, and shown.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError, UsageError } from '../../../src/core/errors.ts';
import { readNpyHeader } from '../../../src/data/files/npy.ts';
import { addCorruptions, CORRUPTIONS, openCorruptions } from '../../../src/data/sets/corruptions.ts';
import { evaluateCorruptions } from '../../../src/evaluation/corruptions/evaluate.ts';
import {
  type CorruptionEvaluation,
  meanAccuracy,
  meanCorruptionError,
  readCorruptionEvaluations,
} from '../../../src/evaluation/corruptions/record.ts';
import { acquireLock, InUseError } from '../../../src/files/lock.ts';
import { corruptionSection, formatCorruptions } from '../../../src/reporting/page/sections/corruption-section.ts';
import type { ReportGroup } from '../../../src/reporting/report-data.ts';
import type { RunRecord } from '../../../src/reporting/runs/runs.ts';
import { useBackend } from '../../backend.ts';
import { npy } from '../../data/npy.ts';
import { rejection } from '../../rejection.ts';

const COUNT = 4;
const PIXELS = 32 * 32 * 3;
const LABELS = Uint8Array.of(0, 1, 0, 1);

/** Says class 1 of ten for bright images and class 0 for dark ones. */
const MODULE = `import * as tf from '@tensorflow/tfjs-core';
export const classifier = (images) => tf.tidy(() => {
  const bright = tf.sub(tf.mean(images, [1, 2, 3]), 0.5);
  return tf.stack([tf.neg(bright), bright, ...Array.from({ length: 8 }, () => tf.fill(bright.shape, -9))], 1);
});
`;

describe('a set of corrupted images', () => {
  let root: string;
  let published: string;
  before(async () => {
    await useBackend('cpu');
    root = mkdtempSync(join(tmpdir(), 'equipoise-'));
    published = join(root, 'CIFAR-10-C');
    mkdirSync(published);
    const labels = Uint8Array.from({ length: 5 * COUNT }, (_, i) => LABELS[i % COUNT]);
    writeFileSync(join(published, 'labels.npy'), npy([5 * COUNT], labels));
    for (const [number, name] of [...CORRUPTIONS, 'saturate'].entries()) {
      // Bright images are bright, up to the severity from which the corruption makes one of two dark.
      const images = new Uint8Array(5 * COUNT * PIXELS);
      for (let i = 0; i < 5 * COUNT; i++) {
        const severity = 1 + Math.floor(i / COUNT);
        const isDarkened = i % COUNT === 1 && severity > number % 6;
        images.fill(labels[i] === 1 && !isDarkened ? 200 : 20, i * PIXELS, (i + 1) * PIXELS);
      }
      writeFileSync(join(published, `${name}.npy`), npy([5 * COUNT, 32, 32, 3], images));
    }
    const link = join(root, 'model.mjs');
    writeFileSync(
      link,
      MODULE.replace("'@tensorflow/tfjs-core'", JSON.stringify(import.meta.resolve('@tensorflow/tfjs-core'))),
    );
    await addCorruptions(published, 'cifar10-c', { directory: join(root, 'data') });
  });
  after(() => rmSync(root, { recursive: true }));

  const evaluated = async (change = {}): Promise<CorruptionEvaluation> => {
    const options = { dataset: 'cifar10-c', dataDirectory: join(root, 'data'), out: false, batchSize: 3 } as const;
    return (await evaluateCorruptions({ module: join(root, 'model.mjs') }, { ...options, ...change }))[0];
  };

  it('is taken over from its folder, and found there', async () => {
    const { corruptions, count, labels } = await openCorruptions('cifar10-c', join(root, 'data'));
    expect(corruptions).to.deep.equal([...CORRUPTIONS, 'saturate']);
    expect([count, ...labels]).to.deep.equal([COUNT, ...LABELS]);
    expect(existsSync(join(root, 'data/cifar10-c/fog.npy'))).to.equal(true);
  });

  it('gives no accuracy without a warning for a network that returns NaN', async () => {
    const nan = join(root, 'nan.mjs');
    writeFileSync(nan, 'export const load = (tf) => (images) => tf.fill([images.shape[0], 10], NaN);');
    const warnings: string[] = [];
    await evaluateCorruptions(
      { module: nan },
      {
        dataset: 'cifar10-c',
        dataDirectory: join(root, 'data'),
        out: false,
        warn: (warning) => warnings.push(warning),
      },
    );
    expect(warnings.join()).to.contain('The outputs for 320 of 320 corrupted images are NaN; these count as wrong.');
  });

  it('gives the accuracy of each corruption and severity, and the mean without the extra ones', async () => {
    const out = join(root, 'found.json');
    const found = await evaluated({ out });
    expect(found.n).to.equal(COUNT);
    for (const [number, { corruption, correct }] of found.corruptions.entries()) {
      const expected = [1, 2, 3, 4, 5].map((severity) => (severity > number % 6 ? COUNT - 1 : COUNT));
      expect(correct, corruption).to.deep.equal(expected);
    }
    // Of five severities, 5, 4, 3, 2, 1 or none are wrong for one image of four.
    const wrong = CORRUPTIONS.map((_, number) => 5 - (number % 6)).reduce((sum, count) => sum + count, 0);
    expect(meanAccuracy(found)).to.be.closeTo(1 - wrong / (15 * 5 * COUNT), 1e-12);
    expect(await readCorruptionEvaluations(out)).to.deep.equal([JSON.parse(JSON.stringify(found))]);
    expect((await evaluated({ testLimit: 2 })).n).to.equal(2);
  });

  it('is compared with a baseline corruption by corruption', async () => {
    const found = await evaluated();
    const errors = (factor: number): CorruptionEvaluation => ({
      ...found,
      n: 100,
      corruptions: found.corruptions.map((one) => ({ ...one, correct: one.correct.map(() => 100 - 10 * factor) })),
    });
    expect(meanCorruptionError(errors(1), errors(2))).to.be.closeTo(0.5, 1e-12);
    expect(meanCorruptionError(errors(3), errors(2))).to.be.closeTo(1.5, 1e-12);
    expect(() => meanCorruptionError(errors(1), errors(0))).to.throw(InputError, 'never wrong on gaussian_noise');
    const other = { ...errors(1), dataset: { name: 'cifar100-c', sha256: '' } };
    expect(() => meanCorruptionError(errors(1), other)).to.throw(InputError, 'Expected a baseline on cifar10-c');
  });

  it('is shown on the page and in a table of values', async () => {
    const found = await evaluated();
    const run = { name: '=run', corruptions: [found] } as unknown as RunRecord;
    const body = corruptionSection({ runs: [run] } as unknown as ReportGroup)?.body.text ?? '';
    expect(body)
      .to.contain('gaussian noise')
      .and.contain(`<b>${(100 * meanAccuracy(found)).toFixed(1)}</b>`);
    const lines = formatCorruptions([run])?.trim().split('\n') ?? [];
    expect(lines).to.have.length(1 + 16 * 5);
    expect(lines[1]).to.match(/^'=run,model\.mjs,,cifar10-c,[0-9a-f]{64},gaussian_noise,1,3,4,0\.75,/);
    expect(corruptionSection({ runs: [{ ...run, corruptions: [] }] } as unknown as ReportGroup)).to.equal(null);
    expect(formatCorruptions([{ ...run, corruptions: [] }])).to.equal(null);
  });

  it('adds its accuracies to a file under its lock, without which nothing is written', async () => {
    const out = join(root, 'results', 'corruptions.json');
    const lock = await acquireLock(`${out}.lock`, { heartbeatMs: 10 });
    const refused = await rejection(evaluated({ out }));
    expect(refused).to.be.instanceOf(InUseError);
    expect(refused.message).to.match(/corruptions\.json is in use by process/);
    await lock.release();
    await evaluated({ out });
    const onProgress = () => {
      if (existsSync(`${out}.lock`)) renameSync(`${out}.lock`, join(root, 'lock of another'));
    };
    expect(await rejection(evaluated({ out, testLimit: 2, onProgress }))).to.be.instanceOf(InputError);
    expect((await readCorruptionEvaluations(out)).map(({ n }) => n)).to.deep.equal([COUNT]);
  });

  it('is refused if a file is missing, damaged or of another shape', async () => {
    const path = join(published, 'fog.npy');
    const sound = readFileSync(path);
    for (const [damage, message] of [
      [() => unlinkSync(path), /fog\.npy is missing/],
      [() => writeFileSync(path, sound.subarray(0, 1000)), /fog\.npy has 1000 bytes, expected/],
      [() => writeFileSync(path, 'text'), /no \.npy file/],
      [() => writeFileSync(path, npy([2, 3], new Uint8Array(6))), /shape \(2, 3\), expected \(20, 32, 32, 3\)/],
    ] as const) {
      damage();
      const error = await rejection(addCorruptions(published, 'cifar10-c', { directory: join(root, 'other') }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
    }
    writeFileSync(path, sound);
    expect(existsSync(join(root, 'other', 'cifar10-c'))).to.equal(false);
    const missing = await rejection(openCorruptions('cifar100-c', join(root, 'data')));
    expect(missing.message).to.contain('equipoise data add CIFAR-100-C --name cifar100-c');
    const archive = await rejection(addCorruptions(path, 'cifar10-c', { directory: join(root, 'other') }));
    expect(archive).to.be.instanceOf(UsageError);
    expect(archive.message).to.contain('tar xf');
    const texts = npy([2], Uint8Array.of(1, 2), '|S1');
    expect(() => readNpyHeader('texts.npy', texts, texts.length)).to.throw(InputError, 'holds |S1');
  });

  it('may have labels of any type of numbers, as they are when they were saved again', async () => {
    const path = join(published, 'labels.npy');
    const sound = readFileSync(path);
    const labels = Array.from({ length: 5 * COUNT }, (_, i) => LABELS[i % COUNT]);
    const open = () => openCorruptions('cifar10-c', published);
    for (const [type, data] of [
      ['<i8', BigInt64Array.from(labels, BigInt)],
      ['<i4', Int32Array.from(labels)],
      ['<f4', Float32Array.from(labels)],
      ['>u2', Uint16Array.from(labels, (label) => 256 * label)],
    ] as const) {
      writeFileSync(path, npy([5 * COUNT], new Uint8Array(data.buffer), type));
      expect([...(await open()).labels], type).to.deep.equal([...LABELS]);
    }
    for (const wrong of [0.5, -1, 10, Number.NaN]) {
      const data = Float64Array.from(labels, (label, i) => (i === 3 ? wrong : label));
      writeFileSync(path, npy([5 * COUNT], new Uint8Array(data.buffer), '<f8'));
      expect((await rejection(open())).message).to.contain(`has label ${wrong} at image 3`);
    }
    writeFileSync(path, sound);
    const fog = join(published, 'fog.npy');
    const bytes = readFileSync(fog);
    writeFileSync(fog, npy([5 * COUNT, 32, 32, 3], new Uint8Array(5 * COUNT * PIXELS * 4), '<f4'));
    expect((await rejection(open())).message).to.contain('holds <f4, expected pixels as unsigned bytes');
    writeFileSync(fog, bytes);
  });
});
