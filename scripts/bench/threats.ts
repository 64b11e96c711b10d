// What threats beside linf and l2 cost on VGG16: an iteration of APGD in l1 beside one in linf, and a certificate of an image by
// randomised smoothing.
import * as tf from '@tensorflow/tfjs-core';
import { apgd } from '../../attacks/index.ts';
import { CERTIFY_DEFAULTS, smooth } from '../../src/evaluation/certify/smooth.ts';
import { attackedModel } from '../../src/training/adversary/training-batches.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { disposeNet, randomBatch, randomNet } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, ratio } from './table.ts';
import { APGD_L1_OVER_LINF, SECONDS_A_CERTIFICATE, verdictAtMost } from './targets.ts';
import { milliseconds, takeTurns } from './turns.ts';

const SPARSITY = 0.95;
const STEPS = 5;
const SIGMA = 0.25;

export const threats: Section = { name: 'threats', optional: true, conditions: inRounds, run };

async function run({ batch, width, rounds, judge }: Context): Promise<string> {
  const net = randomNet('vgg16', SPARSITY, width);
  const model = attackedModel(net.program, net, 'evaluate');
  const { images, labels } = randomBatch(batch);
  const attacks = {
    'APGD in linf': apgd({ norm: 'linf', epsilon: 8 / 255, steps: STEPS }),
    'APGD in l1': apgd({ norm: 'l1', epsilon: 12, steps: STEPS }),
  };
  const image = tf.slice(images, [0, 0, 0, 0], [1, -1, -1, -1]);
  const smoothed = smooth(model, { sigma: SIGMA, batchSize: 256 });
  // Every image on every step, as in training, so that both attack as many images.
  const options = { mode: 'train' } as const;
  const times = await takeTurns(
    [
      ...Object.entries(attacks).map(([name, attack]) => ({
        name,
        run: () =>
          milliseconds(async () => (await attack.perturb(model, images, labels, options)).dispose()).then(
            (time) => time / STEPS,
          ),
      })),
      { name: 'certificate', run: () => milliseconds(async () => void (await smoothed.certify(image))) },
    ],
    rounds,
  );
  tf.dispose([images, labels, image]);
  disposeNet(net);
  const [linf, l1, certificate] = [...Object.keys(attacks), 'certificate'].map((name) => times.get(name) ?? []);
  const slower = median(l1.map((time, round) => time / linf[round]));
  judge('an iteration of APGD in l1, over one in linf', verdictAtMost(slower, APGD_L1_OVER_LINF, '×'));
  judge('a certificate, in seconds', verdictAtMost(median(certificate) / 1000, SECONDS_A_CERTIFICATE, ' s'));
  return [
    '### Other threats',
    '',
    markdownTable(
      ['VGG16 at 95 %', 'min, ms', 'median', 'over linf, median of rounds'],
      [
        ['an iteration of APGD in linf', number(min(linf)), number(median(linf)), ''],
        ['an iteration of APGD in l1', number(min(l1)), number(median(l1)), ratio(slower)],
        [
          `a certificate of one image, n = ${CERTIFY_DEFAULTS.n}`,
          number(min(certificate)),
          number(median(certificate)),
          '',
        ],
      ],
    ),
  ].join('\n');
}
