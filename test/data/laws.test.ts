import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { encode as encodePng } from 'fast-png';
import { InputError } from '../../src/core/errors.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { loadDataset } from '../../src/data/load.ts';
import { type DatasetName, datasetNames, datasetOf } from '../../src/data/sets/datasets.ts';
import { buildModel } from '../../src/models/models.ts';
import { parseConfig } from '../../src/training/config/config.ts';
import { rejection } from '../rejection.ts';
import { file, matrix, UINT8 } from './matlab.ts';

type Files = Readonly<Record<string, Uint8Array>>;

const TRAIN = 5;
const TEST = 3;

/** So many of f(0), f(1), … behind each other. */
const repeated = (count: number, record: (index: number) => Uint8Array): Uint8Array =>
  Buffer.concat(Array.from({ length: count }, (_, i) => record(i)));

const pixels = (size: number, index: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, i) => (7 * i + index) % 256);

const cifar = (count: number, labelBytes: number) =>
  repeated(count, (i) => Buffer.concat([Buffer.alloc(labelBytes, i), pixels(3072, i)]));

const big = (...numbers: number[]) => {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(number, 4 * i);
  return bytes;
};
const idx = (count: number, prefix: string): Files => ({
  [`${prefix}-images-idx3-ubyte`]: Buffer.concat([big(0x803, count, 28, 28), repeated(count, (i) => pixels(784, i))]),
  [`${prefix}-labels-idx1-ubyte.gz`]: gzipSync(
    Buffer.concat([big(0x801, count), Buffer.from([...Array(count).keys()])]),
  ),
});
const digits: Files = { ...idx(TRAIN, 'train'), ...idx(TEST, 't10k') };

const matlab = (count: number) =>
  file(
    matrix('X', [32, 32, 3, count], UINT8, pixels(3072 * count, 0)),
    matrix(
      'y',
      [count, 1],
      UINT8,
      Uint8Array.from({ length: count }, (_, i) => i + 1),
    ),
  );

const png = (index: number) => encodePng({ width: 6, height: 5, channels: 3, data: pixels(90, index) });

/** Small files of every data set's own layout: five training and three test images; null if they need none. */
const LAYOUTS: { readonly [Name in DatasetName]: Files | null } = {
  cifar10: { 'data_batch_1.bin': cifar(2, 1), 'data_batch_2.bin': cifar(3, 1), 'test_batch.bin': cifar(3, 1) },
  cifar100: { 'train.bin': cifar(TRAIN, 2), 'test.bin': cifar(TEST, 2) },
  svhn: { 'train_32x32.mat': matlab(TRAIN), 'test_32x32.mat': matlab(TEST) },
  mnist: digits,
  'fashion-mnist': digits,
  mnist10k: null,
  folder: {
    ...Object.fromEntries([0, 1, 2, 3, 4].map((i) => [`train/${i % 2 ? 'cat' : 'bird'}/${i}.png`, png(i)])),
    ...Object.fromEntries([0, 1, 2].map((i) => [`test/${i % 2 ? 'cat' : 'bird'}/${i}.png`, png(i)])),
  },
  synthetic: null,
};

describe('every data set', () => {
  let directory = '';
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'equipoise-data-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const put = async (files: Files): Promise<void> => {
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), bytes);
    }
  };

  for (const name of datasetNames) {
    const files = LAYOUTS[name];

    it(`${name} gives images of its shape with labels of its classes, the same every time, as what it is`, async () => {
      await put(files ?? {});
      const dataset = await loadDataset(name, { directory });
      const { classes, imageShape, train, test } = dataset;
      for (const { count, images, labels } of [train, test]) {
        expect(images)
          .to.be.instanceOf(Uint8Array)
          .with.length(count * sizeOf(imageShape));
        expect(labels).to.be.instanceOf(Uint8Array).with.length(count);
        expect(Math.max(...labels)).to.be.below(classes.length);
        expect(new Set(labels).size).to.be.above(1);
      }
      if (files) expect([train.count, test.count]).to.deep.equal([TRAIN, TEST]);
      expect(new Set(classes).size).to.equal(classes.length);
      expect(dataset.official).to.equal(files === null || name === 'folder');
      expect(await loadDataset(name, { directory })).to.deep.equal(dataset);
    });

    it(`${name} has defaults that a run can be made of, and a network that takes its images`, () => {
      const { defaults, source } = datasetOf(name);
      const { model, epochs } = parseConfig({ dataset: name });
      expect([model, epochs]).to.deep.equal([defaults.model, defaults.epochs]);
      const inputShape = source.kind === 'files' ? source.imageShape : ([32, 32, 3] as const);
      expect(buildModel(model, { inputShape, classes: 10, width: 1 }).inputShape).to.deep.equal(inputShape);
    });

    if (files === null) continue;

    it(`${name} names the file that is cut, whichever it is`, async () => {
      for (const [cut, bytes] of Object.entries(files)) {
        await put(files);
        await truncate(join(directory, cut), bytes.length - 20);
        const error = await rejection(loadDataset(name, { directory }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.include(join(directory, cut));
      }
    });

    it(`${name} says what it looked for where nothing is`, async () => {
      const error = await rejection(loadDataset(name, { directory }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.include(directory);
      expect(await readdir(directory)).to.deep.equal([]);
    });
  }
});
