import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { loadDataset } from '../../src/data/load.ts';
import { rejection } from '../rejection.ts';
import { decoded, matlabFiles } from './fixtures.ts';
import { bigEndianFile, bigEndianMatrix, bytesOf, compressed, DOUBLE, file, INT64, matrix, UINT8 } from './matlab.ts';

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
      [whole.subarray(0, 100), /\(100 bytes\) is no MATLAB file of version 5 to 7: expected "IM" or "MI" at byte 126/],
      [
        whole.subarray(0, whole.length - 3),
        /byte \d+: an element of \d+ bytes ends beyond byte \d+; the file is truncated/,
      ],
      [damaged, /array at byte 128 does not unpack/],
      [file(X(1)), /has X \[32,32,3,1\] and y missing/],
      [file(X(1), matrix('y', [1, 1], UINT8, Uint8Array.of(11))), /label 11 for image 0; expected 1 to 10/],
    ];
    for (const [bytes, message] of cases) {
      const error = await rejection(load(bytes));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message).and.include(join(directory, 'train_32x32.mat'));
    }
  });

  describe('saved again', () => {
    const images = decoded(matlabFiles.images);
    const expectOriginal = async (bytes: Buffer) => {
      const { train } = await load(bytes);
      expect([...train.labels]).to.deep.equal(matlabFiles.labels);
      expect(train.images).to.deep.equal(images);
    };

    for (const [name, text] of Object.entries(matlabFiles.files)) {
      it(`by SciPy is read alike: ${name}`, () => expectOriginal(Buffer.from(text, 'base64')));
    }

    it('in the other byte order is read alike', async () => {
      const columns = Uint8Array.from({ length: 6144 }, (_, i) => {
        const [row, column, channel, image] = [i % 32, (i >> 5) % 32, (i >> 10) % 3, Math.floor(i / 3072)];
        return images[((image * 32 + row) * 32 + column) * 3 + channel];
      });
      const labels = Buffer.alloc(16);
      for (const [i, label] of matlabFiles.labels.entries()) labels.writeBigInt64BE(BigInt(label || 10), 8 * i);
      await expectOriginal(
        bigEndianFile(
          bigEndianMatrix('y', [2, 1], INT64, labels),
          bigEndianMatrix('X', [32, 32, 3, 2], UINT8, columns),
        ),
      );
    });

    const says: Readonly<Record<string, RegExp>> = {
      'pixels from 0 to 1': /has the pixel 0\.\d+ in image 0; expected whole numbers 0 to 255/,
      'labels from 0': /has label 0 for image 0; expected 1 to 10/,
      'labels one too many': /has X \[32,32,3,2\] and y \[1,3\]/,
      'text for labels': /y is no array of plain numbers \(class 4\)/,
      'complex labels': /y is no array of plain numbers/,
      'labels in a square': /has X \[32,32,3,4\] and y \[2,2\]/,
      'images first': /has X \[2,32,32,3\] and y \[1,2\]/,
      'version 4': /is no MATLAB file of version 5 to 7/,
      'no images': /has X missing and y \[1,2\]/,
    };
    for (const [name, text] of Object.entries(matlabFiles.refused)) {
      it(`otherwise is refused: ${name}`, async () => {
        const error = await rejection(load(Buffer.from(text, 'base64')));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(says[name]);
      });
    }

    it('as HDF5 is refused with what to do', async () => {
      const hdf = Buffer.alloc(1024);
      hdf.write('\x89HDF\r\n\x1a\n', 512, 'latin1');
      expect((await rejection(load(hdf))).message).to.match(/is a MATLAB 7\.3 file, which is HDF5\. Save it .*-v7/);
    });
  });

  it('unpacks no more than an array announces, and only the arrays it needs', async () => {
    const [X1, y1] = [X(1), matrix('y', [1, 1], UINT8, Uint8Array.of(1))];
    const announcing = (bytes: number, array: Buffer) => {
      const copy = Buffer.from(array);
      copy.writeUInt32LE(bytes, 4);
      return compressed(copy);
    };
    const zeros = Buffer.alloc(1_000_000);
    expect((await load(file(announcing(2 ** 31, matrix('unused', [1], UINT8, zeros)), X1, y1))).train.count).to.equal(
      1,
    );
    const huge = announcing(300_000_000, X1);
    expect((await rejection(load(file(huge, y1)))).message).to.match(/it announces 300 MB; expected at most 268 MB/);
    const more = compressed(Buffer.concat([X1, zeros]));
    expect((await rejection(load(file(more, y1)))).message).to.match(/more than the \d+ bytes that it announces/);
  });
});
