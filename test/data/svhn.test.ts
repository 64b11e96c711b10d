import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { loadDataset } from '../../src/data/index.ts';
import { rejection } from '../rejection.ts';
import { bytesOf, compressed, DOUBLE, file, matrix, UINT8 } from './matlab.ts';

/** Column-major images whose pixel at (row, column, channel) of image n is 5n + row + 2 · column + 50 · channel. */
const images = (count: number): Uint8Array =>
  Uint8Array.from({ length: 3072 * count }, (_, i) => {
    const [row, column, channel, image] = [i % 32, (i >> 5) % 32, (i >> 10) % 3, Math.floor(i / 3072)];
    return 5 * image + row + 2 * column + 50 * channel;
  });

describe('svhn', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'equipoise-svhn-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const load = async (train: Buffer, test: Buffer = train) => {
    await writeFile(join(directory, 'train_32x32.mat'), train);
    await writeFile(join(directory, 'test_32x32.mat'), test);
    return loadDataset('svhn', { directory });
  };
  const X = (count: number) => matrix('X', [32, 32, 3, count], UINT8, images(count));

  it('reads compressed and plain arrays, turns columns into rows, and label 10 into the digit 0', async () => {
    const labels = matrix('y', [6, 1], UINT8, Uint8Array.of(1, 9, 10, 2, 3, 10));
    const dataset = await load(
      file(compressed(X(6)), compressed(labels)),
      file(X(2), matrix('y', [2, 1], DOUBLE, bytesOf(Float64Array.of(10, 7)))),
    );
    expect([...dataset.train.labels]).to.deep.equal([1, 9, 0, 2, 3, 0]);
    expect([...dataset.test.labels]).to.deep.equal([0, 7]);
    expect(dataset.official).to.equal(false);
    for (const [image, row, column, channel] of [
      [0, 0, 0, 0],
      [3, 31, 4, 2],
      [5, 7, 30, 1],
    ]) {
      const at = image * 3072 + (row * 32 + column) * 3 + channel;
      expect(dataset.train.images[at]).to.equal(5 * image + row + 2 * column + 50 * channel);
    }
  });

  it('names the file and the byte where it is cut, damaged or of another kind', async () => {
    const whole = file(compressed(X(1)), compressed(matrix('y', [1, 1], UINT8, Uint8Array.of(1))));
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 140, 180);
    const cases: [Buffer, RegExp][] = [
      [whole.subarray(0, 100), /\(100 bytes\) is no little-endian MATLAB 5 file: expected "IM" at byte 126/],
      [
        whole.subarray(0, whole.length - 3),
        /byte \d+: an element of \d+ bytes ends beyond byte \d+; the file is truncated/,
      ],
      [damaged, /array at byte 128 that does not unpack/],
      [file(X(1)), /holds X \[32,32,3,1\] and y \[undefined\]/],
      [file(X(1), matrix('y', [1, 1], UINT8, Uint8Array.of(11))), /label 11 for image 0; expected 1 to 10/],
    ];
    for (const [bytes, message] of cases) {
      const error = await rejection(load(bytes));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message).and.include(join(directory, 'train_32x32.mat'));
    }
  });
});
