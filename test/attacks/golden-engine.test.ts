import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  type Attack,
  apgd,
  apgdT,
  autoattack,
  cwL2,
  deepFool,
  fabT,
  norms,
  robustAccuracy,
  square,
  success,
} from '../../attacks/index.ts';
import { registerEngine } from '../../src/engine/index.ts';
import { golden, toTensor } from '../golden.ts';
import { goldenNet } from './nets.ts';

// On the engine, where they take seconds.
describe('AutoAttack and smallest perturbations against the golden vectors', () => {
  before(async () => {
    await registerEngine({ threads: 1 });
    await tf.setBackend('equipoise');
  });

  const count = (mask: readonly boolean[]) => mask.filter(Boolean).length;

  /** The first images of golden/autoattack. */
  function given(images: number) {
    const { tensors } = golden('autoattack');
    const net = goldenNet(1);
    const first = (name: string) => tf.tidy(() => tf.slice(toTensor(tensors[name]), 0, images));
    const pixels = tf.tidy(() => tf.div(first('images'), 255)) as Tensor4D;
    const labels = first('labels') as Tensor1D;
    return {
      classifier: net.classifier,
      images: pixels,
      labels,
      mask: (name: string) => Array.from(tensors[name].data as Int32Array, Boolean),
      dispose() {
        net.dispose();
        tf.dispose([pixels, labels]);
      },
    };
  }

  it('leaves no image of 200 right at 8/255, APGD-CE alone', async () => {
    const { classifier, images, labels, dispose } = given(200);
    const { adversarial, standing } = await autoattack({ epsilon: 8 / 255 }).run(classifier, images, labels);
    expect(count(standing.clean)).to.equal(101);
    expect(count(standing['apgd-ce'])).to.be.at.most(2);
    expect(count(standing.square)).to.equal(0);
    adversarial.dispose();
    dispose();
  });

  const SOME = 30;
  const alone: [title: string, attack: Attack, stored: string, apart: number][] = [
    ['APGD-CE', apgd({ epsilon: 2 / 255 }), 'eps2.robust_after_apgd-ce', 1],
    ['targeted APGD', apgdT({ epsilon: 2 / 255, steps: 30, targets: 4 }), 'eps2.robust', 1],
    ['FAB-T', fabT({ epsilon: 2 / 255, steps: 20, targets: 4 }), 'eps2.robust', 1],
    ['Square with 1000 queries', square({ epsilon: 2 / 255, queries: 1000 }), 'eps2.robust_square_alone_1000', 2],
  ];
  for (const [title, attack, stored, apart] of alone) {
    it(`${title} leaves the images right that the reference leaves, but for ${apart} of ${SOME}`, async () => {
      const { classifier, images, labels, mask, dispose } = given(SOME);
      const { survived } = await robustAccuracy(classifier, [attack], images, labels);
      const expected = mask(stored);
      expect(survived.filter((is, i) => is !== expected[i]).length).to.be.at.most(apart);
      dispose();
    });
  }

  const smallest: [name: string, attack: Attack, images: number, apart: number][] = [
    ['deepfool_l2', deepFool(), 16, 0.02],
    ['cw_l2', cwL2({ steps: 50, searchSteps: 1, initialConstant: 1 }), 8, 0.2],
  ];
  for (const [name, attack, images, apart] of smallest) {
    it(`${name} finds examples as near as the reference`, async () => {
      const { tensors } = golden('attacks');
      const net = goldenNet(images);
      const adversarial = await attack.perturb(net.classifier, net.images, net.labels);
      const flags = await success(net.classifier, adversarial, net.labels);
      expect(flags).to.deep.equal(Array.from(tensors[`${name}.success`].data as Int32Array, Boolean));
      const size = adversarial.size / images;
      const [found, clean] = [adversarial.dataSync(), net.images.dataSync()];
      const ratios = Array.from(tensors[`${name}.l2`].data as Float32Array).flatMap((expected, i) => {
        const own = [found, clean].map((data) => data.subarray(i * size, (i + 1) * size));
        const distance = norms.l2.distance(own[0], own[1]);
        if (expected === 0) expect(distance).to.equal(0);
        return expected === 0 ? [] : [distance / expected];
      });
      ratios.sort((a, b) => a - b);
      expect(ratios[Math.floor(ratios.length / 2)]).to.be.within(1 - apart, 1.02);
      expect(ratios[ratios.length - 1]).to.be.below(1 + Math.max(apart, 0.05));
      adversarial.dispose();
      net.dispose();
    });
  }
});
