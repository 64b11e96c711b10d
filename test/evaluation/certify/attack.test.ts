// The smoothed classifier under attack, beside its certificates.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { parseAttacks } from '../../../src/evaluation/attacks/named-attacks.ts';
import { certify } from '../../../src/evaluation/certify/certify.ts';
import { certifiedAt, contradictions, readCertifications } from '../../../src/evaluation/certify/record.ts';
import { smooth } from '../../../src/evaluation/certify/smooth.ts';
import { useBackend } from '../../backend.ts';
import { tinyData, withRun } from '../tiny.ts';

const dataset = tinyData();
const options = { dataset, sigma: 0.05, n0: 10, n: 60, testLimit: 40 };

/** The l2 distance of a test image to the boundary: the network compares the means of two halves of 16 pixels. */
function distanceOf(index: number): number {
  const pixels = dataset.test.images.subarray(16 * index, 16 * (index + 1));
  const difference = pixels.reduce((sum, byte, i) => sum + (i % 4 < 2 ? byte : -byte), 0) / 255;
  return Math.abs(difference) / 4;
}

describe('a smoothed classifier under attack', () => {
  before(() => useBackend('cpu'));

  it('keeps the images whose boundary is further away, and all that are certified', () =>
    withRun(async (folder) => {
      const tensors = tf.memory().numTensors;
      const found = await certify(folder, { ...options, epsilons: [0.3, 0.6] });
      expect(tf.memory().numTensors).to.equal(tensors);
      const { attacked = [], images } = found;
      expect(attacked.map(({ attack, epsilon }) => [attack, epsilon])).to.deep.equal([
        ['pgd-20-ce-eot20', 0.3],
        ['pgd-20-ce-eot20', 0.6],
      ]);
      for (const attack of attacked) {
        const { epsilon, right } = attack;
        // A majority says the same as the network without noise, whose decision is linear; near the boundary it may err.
        for (const { index } of images) {
          const distance = distanceOf(index);
          if (Math.abs(distance - epsilon) > 0.03)
            expect(right.includes(index), `${index}`).to.equal(distance > epsilon);
        }
        expect(right.length).to.be.within(1, 39);
        expect(contradictions(found, attack)).to.equal(0);
        expect(certifiedAt(found, epsilon)).to.be.at.most(right.length / images.length);
      }
    }));

  it('is kept beside its certificates, attacked once, and anew with more images', () =>
    withRun(async (folder) => {
      const path = join(folder, 'certificates.json');
      const few = { ...options, testLimit: 4, epsilons: [0.4] };
      const found = await certify(folder, few);
      expect(await readCertifications(path)).to.deep.equal([JSON.parse(JSON.stringify(found))]);
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"right": \[[^\]]*\]/, '"right": []'));
      expect((await certify(folder, few)).attacked?.[0].right).to.deep.equal([]);
      const [attack] = parseAttacks('pgd-3');
      const both = await certify(folder, { ...few, attack });
      expect(both.attacked?.map((one) => one.attack)).to.deep.equal(['pgd-20-ce-eot20', 'pgd-3-ce-eot20']);
      const more = await certify(folder, { ...few, testLimit: 6 });
      expect(more.attacked?.map(({ attack: name, images }) => [name, images])).to.deep.equal([['pgd-20-ce-eot20', 6]]);
      expect(more.attacked?.[0].right).to.have.length(6);
    }));

  it('has noise that depends on the image and the call, not on the batch', async () => {
    const model = (images: Tensor4D) => tf.reshape(images, [images.shape[0], -1]) as Tensor2D;
    const smoothed = smooth(model, { sigma: 0.1 });
    const images = tf.zeros([3, 2, 1, 1]) as Tensor4D;
    const values = (tensor: tf.Tensor) => Array.from(tensor.dataSync());
    const draw = (samples: readonly number[], calls: number) => {
      const noisy = smoothed.noisy(samples);
      const some = tf.slice(images, 0, samples.length) as Tensor4D;
      return Array.from({ length: calls }, () => values(noisy(some)));
    };
    const [first, second] = draw([7, 8, 9], 2);
    expect(first).to.not.deep.equal(second);
    expect(first.slice(0, 2)).to.not.deep.equal(first.slice(2, 4));
    expect(draw([8, 7], 2)[1]).to.deep.equal([...second.slice(2, 4), ...second.slice(0, 2)]);
    images.dispose();
  });
});
