import { readFileSync } from 'node:fs';
import type { Tensor1D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  type Attack,
  apgd,
  apgdT,
  autoattack,
  cw,
  deepFool,
  fabT,
  norms,
  robustAccuracy,
  square,
  success,
} from '../../attacks/index.ts';
import { useBackend } from '../backend.ts';
import { golden, toTensor } from '../golden.ts';
import { goldenNet } from './nets.ts';

// On the engine, where they take seconds.
describe('AutoAttack and smallest perturbations against the golden vectors', () => {
  before(() => useBackend('engine'));

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
  const linf = { epsilon: 2 / 255 };
  const l2 = { norm: 'l2', epsilon: 0.25 } as const;
  const l1 = { norm: 'l1', epsilon: 4 } as const;
  const { runs } = JSON.parse(
    readFileSync(new URL('../../../test/golden/autoattack-alone.json', import.meta.url), 'utf8'),
  ) as { runs: Record<string, { mask: number[] }> };
  const alone: [attack: Attack, images: number, apart: number][] = [
    [apgd(linf), SOME, 1],
    [apgdT({ ...linf, steps: 30, targets: 4 }), SOME, 1],
    [fabT({ ...linf, steps: 20, targets: 4 }), SOME, 1],
    [square({ ...linf, queries: 1000 }), 15, 1],
    [apgd(l2), SOME, 1],
    [apgdT({ ...l2, steps: 30, targets: 4 }), SOME, 1],
    [fabT({ ...l2, steps: 20, targets: 4 }), SOME, 1],
    [square({ ...l2, queries: 1000 }), 8, 1],
    [apgd({ ...l1, multiEpsilon: true }), 12, 1],
    [apgdT({ ...l1, steps: 30, targets: 2, multiEpsilon: true }), 12, 1],
    [fabT({ ...l1, steps: 20, targets: 3 }), 12, 1],
    [square({ ...l1, queries: 1000 }), 8, 1],
  ];
  for (const [attack, number, apart] of alone) {
    const { name, norm } = attack;
    it(`${name} in ${norm} leaves the images right that the reference leaves, but for ${apart} of ${number}`, async () => {
      const { classifier, images, labels, dispose } = given(number);
      const { survived } = await robustAccuracy(classifier, [attack], images, labels);
      const { mask } = runs[`${norm}.${name}`];
      expect(survived.filter((is, i) => is !== Boolean(mask[i])).length).to.be.at.most(apart);
      dispose();
    });
  }

  const smallest: [name: string, attack: Attack, images: number, apart: number][] = [
    ['deepfool_l2', deepFool(), 16, 0.02],
    ['cw_l2', cw({ steps: 50, searchSteps: 1, initialConstant: 1 }), 8, 0.2],
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
