import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { MAX_SHIFT, placements } from '../../src/data/augment.ts';
import { batchesOf, batchImages, batchLabels, epochBatches } from '../../src/data/batch.ts';
import { synthetic } from '../../src/data/sets/synthetic.ts';
import { balanced, testIndices, trainingIndices } from '../../src/data/split.ts';
import { type Split } from '../../src/data/types.ts';
import type { Augmentation } from '../../src/data/types.ts';
import { useBackend } from '../backend.ts';

const ascending = (values: Int32Array): boolean => values.every((value, i) => i === 0 || values[i - 1] < value);

/** `count` images whose every pixel tells where it is. */
function numbered(count: number, [height, width, channels]: readonly [number, number, number]): Split {
  const images = Uint8Array.from({ length: count * height * width * channels }, (_, i) => 1 + (i % 251));
  return { count, images, labels: Uint8Array.from({ length: count }, (_, i) => i % 10) };
}

describe('batches', () => {
  before(() => useBackend('cpu'));

  it('are pixels in [0, 1] and int32 labels of the images asked for, owned by the caller', () => {
    const split = numbered(5, [2, 3, 1]);
    const before = tf.memory().numTensors;
    const images = batchImages(split, [4, 0], [2, 3, 1]);
    const labels = batchLabels(split, [4, 0]);
    expect(images.shape).to.deep.equal([2, 2, 3, 1]);
    const bytes = [...split.images.subarray(24, 30), ...split.images.subarray(0, 6)];
    expect([...images.dataSync()]).to.deep.equal([...Float32Array.from(bytes, (byte) => byte / 255)]);
    expect(labels.dtype).to.equal('int32');
    expect([...labels.dataSync()]).to.deep.equal([4, 0]);
    tf.dispose([images, labels]);
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('hold every image of an epoch once, in an order of the epoch’s own that repeats under the same key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 20 }), fc.nat(), (count, size, seed) => {
        const indices = Int32Array.from({ length: count }, (_, i) => 3 * i);
        const epoch = (name: number) => epochBatches(indices, size, foldIn(seedKey(seed), name));
        const batches = epoch(0);
        expect(batches).to.deep.equal(epoch(0));
        expect(batches.slice(0, -1).every((batch) => batch.length === size)).to.equal(true);
        expect(Int32Array.from(batches.flatMap((batch) => [...batch])).sort()).to.deep.equal(indices);
        if (count > 20) expect(batches).not.to.deep.equal(epoch(1));
      }),
    );
  });

  it('follow each other without a gap when not shuffled', () => {
    expect(batchesOf(Int32Array.of(5, 6, 7, 8, 9), 2)).to.deep.equal([
      Int32Array.of(5, 6),
      Int32Array.of(7, 8),
      Int32Array.of(9),
    ]);
  });
});

describe('augmentation', () => {
  before(() => useBackend('cpu'));
  const shape = [7, 9, 2] as const;
  const split = numbered(40, shape);
  const key = seedKey('augmentation');

  /** Zero padding, crop and flip by tfjs. */
  function reference(index: number, augmentation: Augmentation): number[] {
    return tf.tidy(() => {
      const { down, right, flip } = placements(augmentation, key)(index);
      const image = batchImages(split, [index], shape);
      const padded = tf.pad4d(image, [
        [0, 0],
        [MAX_SHIFT, MAX_SHIFT],
        [MAX_SHIFT, MAX_SHIFT],
        [0, 0],
      ]);
      const crop = tf.slice4d(padded, [0, down + MAX_SHIFT, right + MAX_SHIFT, 0], [1, ...shape]);
      return [...(flip ? tf.reverse4d(crop, 2) : crop).dataSync()];
    });
  }

  for (const augmentation of ['none', 'shift', 'shift-flip'] as const) {
    it(`${augmentation} is zero padding by 4, a random crop and perhaps a flip`, () => {
      const indices = Array.from({ length: split.count }, (_, i) => i);
      const images = batchImages(split, indices, shape, { augmentation, key });
      const expected = indices.flatMap((index) => reference(index, augmentation));
      expect([...images.dataSync()]).to.deep.equal(expected);
      images.dispose();
    });
  }

  it('places an image alike in any batch, and differently in another epoch', () => {
    const alone = placements('shift-flip', key)(17);
    expect(placements('shift-flip', key)(17)).to.deep.equal(alone);
    const epochs = Array.from({ length: 20 }, (_, epoch) => placements('shift-flip', foldIn(key, epoch))(17));
    expect(new Set(epochs.map((where) => JSON.stringify(where))).size).to.be.above(10);
  });

  it('uses every shift of −4 … 4 and flips half of the images; digits are never flipped', () => {
    const where = Array.from({ length: 2000 }, (_, i) => placements('shift-flip', key)(i));
    expect([...new Set(where.map(({ down }) => down))].sort((a, b) => a - b)).to.deep.equal([
      -4, -3, -2, -1, 0, 1, 2, 3, 4,
    ]);
    expect(where.filter(({ right }) => right === 4).length / 2000).to.be.closeTo(1 / 9, 0.03);
    expect(where.filter(({ flip }) => flip).length / 2000).to.be.closeTo(0.5, 0.05);
    expect(Array.from({ length: 200 }, (_, i) => placements('shift', key)(i)).some(({ flip }) => flip)).to.equal(false);
  });
});

describe('the validation split', () => {
  const dataset = (count: number, name = 'cifar10') => ({ name, train: numbered(count, [1, 1, 1]) });

  it('parts the training images: 5 % and at most 1,000 are held out', () => {
    for (const [count, held] of [
      [100, 5],
      [8000, 400],
      [50_000, 1000],
    ]) {
      const { train, validation } = trainingIndices(dataset(count));
      expect(validation).to.have.length(held);
      expect(ascending(train) && ascending(validation)).to.equal(true);
      expect(Int32Array.from([...train, ...validation]).sort()).to.deep.equal(
        Int32Array.from({ length: count }, (_, i) => i),
      );
    }
  });

  it('is the same for every run on a data set, and another for another data set', () => {
    expect(trainingIndices(dataset(500))).to.deep.equal(trainingIndices(dataset(500)));
    expect(trainingIndices(dataset(500)).validation).not.to.deep.equal(
      trainingIndices(dataset(500, 'mnist')).validation,
    );
  });

  it('under a limit trains on so many images, none of them ever held out, and validates on fewer', () => {
    const everything = new Set(trainingIndices(dataset(2000)).validation);
    const { train, validation } = trainingIndices(dataset(2000), 200);
    expect(train).to.have.length(200);
    expect(validation).to.have.length(10);
    expect([...train].some((index) => everything.has(index))).to.equal(false);
    expect([...validation].every((index) => everything.has(index))).to.equal(true);
  });

  it('and limits take the classes in turns', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 60 }),
        fc.nat({ max: 60 }),
        (labels, limit) => {
          const bytes = Uint8Array.from(labels);
          const chosen = balanced(bytes, Int32Array.from(labels.keys()), limit);
          expect(chosen).to.have.length(Math.min(limit, labels.length));
          expect(ascending(chosen)).to.equal(true);
          const counts = [0, 1, 2, 3].map((label) => [...chosen].filter((index) => labels[index] === label).length);
          for (const label of [0, 1, 2, 3]) {
            const available = labels.filter((other) => other === label).length;
            expect(counts[label] === available || counts[label] >= Math.max(...counts) - 1).to.equal(true);
          }
        },
      ),
    );
  });

  it('leaves the test split whole unless it is limited', () => {
    const { train } = dataset(30);
    expect(testIndices(train)).to.deep.equal(Int32Array.from({ length: 30 }, (_, i) => i));
    expect(testIndices(train, 10)).to.deep.equal(Int32Array.from({ length: 10 }, (_, i) => i));
  });
});

describe('synthetic', () => {
  it('is balanced, repeats under its key and differs under another', () => {
    const dataset = synthetic();
    expect(dataset.train.count).to.equal(256);
    expect([0, 1, 2, 3].map((label) => dataset.test.labels.filter((other) => other === label).length)).to.deep.equal([
      16, 16, 16, 16,
    ]);
    expect(synthetic()).to.deep.equal(dataset);
    expect(synthetic({ key: seedKey(1) }).sha256).not.to.equal(dataset.sha256);
  });

  it('has classes that the nearest mean tells apart on unseen images', () => {
    const { train, test, imageShape, classes } = synthetic({ imageShape: [6, 6, 3], classes: 3 });
    const size = imageShape[0] * imageShape[1] * imageShape[2];
    const means = classes.map((_, label) => {
      const mean = new Float64Array(size);
      const members = [...train.labels.keys()].filter((i) => train.labels[i] === label);
      for (const i of members) for (let j = 0; j < size; j++) mean[j] += train.images[i * size + j] / members.length;
      return mean;
    });
    const right = [...test.labels.keys()].filter((i) => {
      const distances = means.map((mean) => mean.reduce((sum, m, j) => sum + (m - test.images[i * size + j]) ** 2, 0));
      return distances.indexOf(Math.min(...distances)) === test.labels[i];
    });
    expect(right).to.have.length(test.count);
  });
});
