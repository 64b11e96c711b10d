import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { computed } from '../../../scripts/bench/actions.ts';
import { compareLayer, Disagreement, describeDifferences, loadAndCompare } from '../../../scripts/bench/agreement.ts';
import { type Batch, disposeNet, type Net, netOf } from '../../../scripts/bench/nets.ts';
import type { Arrays, Rival } from '../../../scripts/bench/rival.ts';
import { isSparse } from '../../../src/core/params.ts';
import { scatterValues } from '../../../src/core/structure.ts';
import { buildModel } from '../../../src/models/models.ts';
import { rejection } from '../../rejection.ts';

describe('the comparison before anything is timed', () => {
  let net: Net;
  let batch: Batch;

  before(async () => {
    await tf.setBackend('cpu');
    const program = buildModel('cnn', { inputShape: [8, 8, 1], classes: 3, width: 0.25 });
    const kernel = program.layers.find((layer) => layer.kind === 'conv');
    net = netOf('tiny', program, { [`${kernel?.kind === 'conv' ? kernel.name : ''}.kernel`]: 5 });
    batch = { images: tf.fill([2, 8, 8, 1], 0.5), labels: tf.tensor1d([0, 2], 'int32') };
  });

  after(() => {
    disposeNet(net);
    tf.dispose([batch.images, batch.labels]);
  });

  /** A rival that computes what we do, kernels dense, but for what `change` makes of it. */
  const rival = (change: (answer: Record<string, Float32Array>) => void): Rival => ({
    versions: {},
    ask: async () => ({}),
    askForTensors: async (): Promise<Arrays> => {
      const answer = Object.fromEntries(
        Object.entries(computed(net, batch)).map(([name, values]) => {
          const param = net.params[name];
          const dense = param && isSparse(param) ? scatterValues(param.structure, values) : values;
          return [name, Float32Array.from(dense)];
        }),
      );
      change(answer);
      return answer;
    },
    store: () => '',
    stop: () => {},
  });

  it('passes a side that computes the same', async () => {
    const differences = await loadAndCompare(
      rival(() => {}),
      net,
      batch,
    );
    expect(differences.map((each) => [...each])).to.deep.equal([
      [
        ['logits', 0],
        ['input gradient', 0],
        ['weight gradients', 0],
      ],
    ]);
    expect(describeDifferences(differences)).to.equal('logits 0e+0, input gradient 0e+0, weight gradients 0e+0');
  });

  for (const [what, name] of [
    ['logits', 'logits'],
    ['input gradient', 'images'],
    ['weight gradients', ''],
  ] as const) {
    it(`refuses one whose ${what} differ`, async () => {
      const changed = name === '' ? Object.keys(net.params)[0] : name;
      const twice = rival((answer) => {
        answer[changed] = answer[changed].map((value) => 2 * value + 1);
      });
      const error = await rejection(loadAndCompare(twice, net, batch));
      expect(error).to.be.instanceOf(Disagreement);
      expect(error.message).to.match(new RegExp(`disagree on ${what}: .* Nothing is timed`));
    });
  }

  it('refuses a side of which one form differs', async () => {
    const asked: unknown[] = [];
    const honest = rival(() => {});
    const twoForms: Rival = {
      ...honest,
      askForTensors: async (request) => {
        asked.push(request.side);
        const answer = { ...(await honest.askForTensors(request)) };
        return request.side === 'wrong' ? { ...answer, logits: answer.logits.map((value) => value + 1) } : answer;
      },
    };
    const error = await rejection(loadAndCompare(twoForms, net, batch, { sides: ['right', 'wrong'] }));
    expect(error).to.be.instanceOf(Disagreement);
    expect(asked).to.deep.equal(['right', 'wrong']);
  });

  it('holds single layers to a hundred thousandth', () => {
    const ours = { y: Float32Array.of(1, 1), dx: Float32Array.of(2) };
    expect(compareLayer('a layer', ours, { y: Float32Array.of(1, 1), dx: Float32Array.of(2.00001) })).to.be.below(1e-5);
    expect(() => compareLayer('a layer', ours, { y: Float32Array.of(1, 1.001), dx: Float32Array.of(2) })).to.throw(
      'disagree on y of a layer',
    );
  });
});
