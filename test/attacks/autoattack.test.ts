import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { apgd, autoattack, cascade, fgsm, pgd, robustAccuracy, square, success } from '../../attacks/index.ts';
import { seedKey } from '../../src/core/key.ts';
import { useBackend } from '../backend.ts';
import { smoothNet } from './nets.ts';

describe('autoattack', () => {
  before(() => useBackend('cpu'));

  it('is APGD-CE, targeted APGD, FAB-T and Square, or for random models APGD-CE and APGD-DLR', () => {
    const names = (attack: ReturnType<typeof autoattack>) => attack.attacks.map(({ name }) => name);
    expect(names(autoattack({ epsilon: 0.1 }))).to.deep.equal(['apgd-ce', 'apgd-t', 'fab-t', 'square']);
    expect(names(autoattack({ epsilon: 0.1, version: 'rand' }))).to.deep.equal(['apgd-ce', 'apgd-dlr']);
    expect(autoattack({ epsilon: 0.1 }).name).to.equal('autoattack');
    expect(autoattack({ epsilon: 0.1, version: 'rand' }).name).to.equal('autoattack-rand');
  });

  it('in l1 has 5 starts of APGD-CE and 5 targets, both through larger balls first, as the reference has', () => {
    const { attacks } = autoattack({ epsilon: 12, norm: 'l1' });
    expect(attacks.map(({ name }) => name)).to.deep.equal(['apgd-ce', 'apgd-t', 'fab-t', 'square']);
    // 100 steps, and a look at the start of each of three phases.
    expect(attacks.map(({ budget }) => budget?.(10))).to.deep.equal([
      { forwardPasses: 1 + 5 * 103, inputGradients: 5 * 100 },
      { forwardPasses: 1 + 5 * 103, inputGradients: 5 * 100 },
      // And four looks at most at an example that it found.
      { forwardPasses: 1 + 9 * 204, inputGradients: 9 * 100 },
      { forwardPasses: 1 + 5000, inputGradients: 0 },
    ]);
  });

  it('runs each attack on the images that still stand, and tells which these are', async () => {
    const net = smoothNet(5, 12);
    const attack = autoattack({ epsilon: 0.04, steps: 10, queries: 30 });
    const tensors = tf.memory().numTensors;
    const { adversarial, standing, cost } = await attack.run(net.classifier, net.images, net.labels);
    expect(tf.memory().numTensors).to.equal(tensors + 1);
    expect(Object.keys(standing)).to.deep.equal(['clean', 'apgd-ce', 'apgd-t', 'fab-t', 'square']);
    expect(standing.clean).to.deep.equal(new Array(12).fill(true));
    const masks = Object.values(standing);
    masks.slice(1).forEach((mask, i) => {
      mask.forEach((is, image) => {
        if (is) expect(masks[i][image]).to.equal(true);
      });
    });
    const fooled = await success(net.classifier, adversarial, net.labels);
    expect(standing.square).to.deep.equal(fooled.map((is) => !is));
    const left = standing['fab-t'].filter(Boolean).length;
    expect(left).to.be.within(1, 11);
    // The clean images, then for those that stand every query, and a last look.
    expect(cost.square.forwardPasses).to.be.within(left * 2, left * 32);
    expect(cost.square.inputGradients).to.equal(0);
    adversarial.dispose();
    net.dispose();
  });

  it('is the same whether run at once or attack by attack in robustAccuracy', async () => {
    const net = smoothNet(5, 12);
    const attack = autoattack({ epsilon: 0.04, steps: 10, queries: 30 });
    const { adversarial, standing } = await attack.run(net.classifier, net.images, net.labels, { key: seedKey(3) });
    const result = await robustAccuracy(net.classifier, attack.attacks, net.images, net.labels, {
      key: seedKey(3),
      batchSize: 5,
      cascade: true,
    });
    for (const { name } of attack.attacks) expect(result.survivedAttack[name]).to.deep.equal(standing[name]);
    expect(result.survived).to.deep.equal(standing.square);
    adversarial.dispose();
    net.dispose();
  });

  for (const version of ['standard', 'rand'] as const) {
    for (const classes of [2, 3, 4]) {
      it(`${version} attacks a model of ${classes} classes`, async () => {
        const net = smoothNet(classes, 6);
        const attack = autoattack({ epsilon: 0.4, version, steps: 8, queries: 50 });
        const adversarial = await attack.perturb(net.classifier, net.images, net.labels);
        expect((await success(net.classifier, adversarial, net.labels)).every(Boolean)).to.equal(true);
        adversarial.dispose();
        net.dispose();
      });
    }
  }

  it('attacks a single image, and none', async () => {
    const net = smoothNet(4, 1);
    const attack = autoattack({ epsilon: 0.5, steps: 5, queries: 10, norm: 'l2' });
    const adversarial = await attack.perturb(net.classifier, net.images, net.labels);
    expect(adversarial.shape).to.deep.equal([1, 3, 3, 2]);
    const none = tf.zeros([0, 3, 3, 2]) as Tensor4D;
    const labels = tf.tensor1d([], 'int32');
    const { adversarial: empty, standing } = await attack.run(net.classifier, none, labels);
    expect(empty.shape).to.deep.equal([0, 3, 3, 2]);
    expect(standing.square).to.deep.equal([]);
    tf.dispose([adversarial, none, labels, empty]);
    net.dispose();
  });

  it('comes to an attack of another kind where the first is blind', async () => {
    // Half a unit of every logit is rounded away, and with it the gradient.
    const net = smoothNet(5, 8);
    const masked = (images: Tensor4D) => tf.div(tf.round(tf.mul(net.classifier(images), 20)), 20) as Tensor2D;
    const chain = cascade([apgd({ epsilon: 0.1, steps: 5 }), square({ epsilon: 0.1, queries: 100 })]);
    const { adversarial, standing } = await chain.run(masked, net.images, net.labels);
    const count = (mask: readonly boolean[]) => mask.filter(Boolean).length;
    expect(count(standing.square)).to.be.below(count(standing['apgd-ce']) - 2);
    adversarial.dispose();
    net.dispose();
  });

  it('says what it cannot do', () => {
    const name = 'clean';
    expect(() => autoattack({ epsilon: 1, norm: 'l3' as 'l1' })).to.throw(/linf, l2, l1, got "l3"/);
    expect(() => autoattack({ epsilon: 0.1, version: 'plus' as 'rand' })).to.throw(/standard, rand, got "plus"/);
    expect(() => cascade([])).to.throw(/at least one attack/);
    expect(() => cascade([pgd({ epsilon: 0.1 }), fgsm({ epsilon: 0.2 })])).to.throw(/the same norm and epsilon/);
    expect(() => cascade([pgd({ epsilon: 0.1 }), pgd({ epsilon: 0.1 })])).to.throw(/different names/);
    expect(() => cascade([pgd({ epsilon: 0.1, name })])).to.throw(/none may be called clean/);
  });
});
