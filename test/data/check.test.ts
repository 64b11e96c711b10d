// What is refused of data sets that programs make themselves.
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import type { Dataset } from '../../src/data/types.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { namedData } from '../../src/evaluation/targets/loading.ts';
import { rejection } from '../rejection.ts';

const split = { count: 2, images: new Uint8Array(8), labels: Uint8Array.of(0, 1) };
const sound: Dataset = {
  name: 'own',
  classes: ['no', 'yes'],
  imageShape: [2, 2, 1],
  train: { count: 0, images: new Uint8Array(), labels: new Uint8Array() },
  test: split,
  sha256: 'own images',
  official: false,
};

describe('a data set of one’s own', () => {
  it('is taken as it is where it holds together', async () => {
    expect(await namedData({ dataset: sound })).to.equal(sound);
  });

  const withTest = (part: object) => ({ ...sound, test: { ...split, ...part } });
  for (const [what, dataset, message] of [
    ['pixels in [0, 1]', withTest({ images: new Float32Array(8) }), 'Pixels are bytes, 0 … 255'],
    ['too few pixels', withTest({ images: new Uint8Array(7) }), 'expected 8 pixels and 2 labels for 2 images, got 7'],
    ['labels of other images', withTest({ labels: new Uint8Array(3) }), 'got 8 and 3'],
    ['labels in an array', withTest({ labels: [0, 1] }), 'images and labels as Uint8Array'],
    ['an unknown class', withTest({ labels: Uint8Array.of(0, 2) }), 'that of image 1 is 2'],
    ['no count', withTest({ count: undefined }), 'expected a count'],
    ['no shape', { ...sound, imageShape: [2, 2] }, 'expected imageShape as [height, width, channels]'],
    ['numbers for classes', { ...sound, classes: [0, 1] }, 'expected classes as names, got 0 as class 0'],
    ['no checksum', { ...sound, sha256: undefined }, 'expected sha256 as a text that tells its images from others'],
    ['an empty checksum', { ...sound, sha256: '' }, 'got an empty one. Results of equal texts are put together'],
    ['no word on its source', { ...sound, official: undefined }, 'expected official as true or false, got undefined'],
    ['no test images', { ...sound, test: undefined }, 'own, test'],
    ['no names', {}, 'expected a name, or a Dataset'],
  ] as const) {
    it(`is refused with ${what}`, async () => {
      const error = await rejection(evaluate('no-model', { dataset: dataset as unknown as Dataset }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(message);
    });
  }
});
