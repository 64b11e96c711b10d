// The zoo that comes with the package: its cards agree with their files and with the recipe.
import '@tensorflow/tfjs-backend-cpu';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { seedKey } from '../../src/core/key.ts';
import { disposeParams, disposeTensors, sparsityOf } from '../../src/core/params.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { zooCards, zooFile, zooFolder } from '../../src/evaluation/zoo/cards.ts';
import { locate } from '../../src/evaluation/zoo/locate.ts';
import { kernelsOf } from '../../src/models/inspect.ts';
import type { DistributionName } from '../../src/sparsity/distributions.ts';
import { startNetwork } from '../../src/sparsity/start-network.ts';

/** Bytes of all networks together. */
const ROOM = 6e6;

describe('the zoo of the package', () => {
  const shipped = zooFolder({});
  before(() => tf.setBackend('cpu'));

  it('has a card for each name, and a file where the card says so', async () => {
    const cards = await zooCards(shipped);
    expect(cards.map(({ name }) => name)).to.deep.equal(['resnet18-99', 'vgg16-95', 'vgg16-99']);
    for (const { name, command, made } of cards) {
      expect(command, name).to.match(/^equipoise train --recipe fast --dataset cifar10/);
      expect(existsSync(zooFile(shipped, name)), name).to.equal(made !== null);
      if (made === null) continue;
      const content = readFileSync(zooFile(shipped, name));
      expect(createHash('sha256').update(content).digest('hex'), name).to.equal(made.sha256);
      expect(content.length, name).to.equal(made.bytes);
    }
    const files = cards.flatMap(({ name, made }) => (made === null ? [] : [zooFile(shipped, name)]));
    expect(files.reduce((total, file) => total + statSync(file).size, 0)).to.be.below(ROOM);
  });

  it('has networks that load by their names, of the data and the threat of their cards', async () => {
    for (const { name, dataset, made } of await zooCards(shipped)) {
      if (made === null) continue;
      const target = await loadTarget(`zoo:${name}`);
      expect(target.trainedOn, name).to.deep.equal({ name: dataset, sha256: made.data.sha256 });
      expect(target.threat, name).to.deep.equal({ norm: made.norm, epsilon: made.epsilon });
      expect(target.record, name).to.include({ checkpoint: name, sha256: made.sha256, averaged: true });
      const logits = tf.tidy(() => target.classify(tf.zeros([1, 32, 32, 3])) as tf.Tensor2D);
      expect(logits.shape, name).to.deep.equal([1, 10]);
      logits.dispose();
      target.dispose();
    }
  });

  it('has the weights that the command of its page keeps', async () => {
    const page = readFileSync(new URL('../../../docs/zoo.md', import.meta.url), 'utf8');
    const command = page.split('\n').find((line) => line.startsWith('equipoise train --from zoo:')) ?? '';
    const flag = (name: string) => new RegExp(`--${name} (\\S+)`).exec(command)?.[1];
    const sparsity = Number(flag('sparsity'));
    const distribution = (flag('distribution') ?? 'erk') as DistributionName;
    const { program, params, state } = await loadModel(await locate(flag('from') ?? ''));
    const pruned = await startNetwork(params, {
      method: 'one-shot',
      kernels: kernelsOf(program),
      distribution,
      sparsity,
      options: { firstConvolutionDense: distribution === 'uniform' },
      key: seedKey(0),
    });
    expect(sparsityOf(pruned)).to.be.closeTo(sparsity, 1e-3);
    for (const tree of [params, pruned]) disposeParams(tree);
    disposeTensors(state);
  });
});
