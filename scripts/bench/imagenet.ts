// MobileNetV2 for images of 224 × 224 pixels, as an ONNX file that PyTorch exports: a gradient of the images, which is what a
// step of PGD costs, against PyTorch, and the memory that it takes here.
import { join } from 'node:path';
import type { Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { crossEntropy, lossGradient } from '../../attacks/index.ts';
import { peakBytes } from '../../attacks/models/portions.ts';
import { foldIn, integers, seedKey, uniform } from '../../src/core/key.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { checkedDistance, rivalSide } from './agreement.ts';
import type { Context, Section } from './context.ts';
import { storedTensor } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, ratio } from './table.ts';
import { OVER_PYTORCH_AT_224, verdictAtMost } from './targets.ts';
import { milliseconds, takeTurns } from './turns.ts';

const MODEL = 'mobilenet_v2';
const SHAPE = [224, 224, 3] as const;
const IMAGES = 8;
export const imagenet: Section = {
  name: 'imagenet',
  optional: true,
  conditions: ({ rounds }) => `batch ${IMAGES}, ${rounds} rounds`,
  run,
};

async function run({ python, folder, rounds, log, judge }: Context): Promise<string> {
  if (python === null) throw new Error('The section imagenet needs --python with torch, torchvision and onnx.');
  const file = join(folder, `${MODEL}.onnx`);
  const key = seedKey('imagenet');
  const images = tf.tensor4d(uniform(foldIn(key, 'images'), IMAGES * sizeOf(SHAPE)), [IMAGES, ...SHAPE]) as Tensor4D;
  const labels = tf.tensor1d(integers(foldIn(key, 'labels'), IMAGES, 1000), 'int32');
  const batch = python.store('photos', {
    images: storedTensor(images),
    labels: { dtype: 'I32', shape: labels.shape, data: Int32Array.from(labels.dataSync()) },
  });
  await python.ask({ do: 'torchvision', net: MODEL, file: batch, onnx: file });
  const target = await loadTarget(file, { batchSize: IMAGES });
  const gradient = () => lossGradient(target.classify, crossEntropy, { kind: 'untargeted', labels }, images);
  const found = gradient();
  const theirs = await python.askForTensors({ do: 'check-torchvision', net: MODEL });
  const differences = [
    checkedDistance('logits', found.logits.dataSync(), theirs.logits),
    checkedDistance('networkGradient', found.gradient.dataSync(), theirs.images),
  ];
  tf.dispose(Object.values(found));
  log(`  ${MODEL} agrees with PyTorch: ${differences.map((one) => one.toExponential(0)).join(', ')}`);
  const bytes = peakBytes(() => tf.dispose(Object.values(gradient())));
  const attack = async () => {
    const { gradient: slopes, loss, logits } = gradient();
    await slopes.data();
    tf.dispose([slopes, loss, logits]);
  };
  const times = await takeTurns(
    [
      { name: 'equipoise', run: () => milliseconds(attack) },
      rivalSide(python, 'pytorch', { net: MODEL, side: 'contiguous', action: 'attack' }),
      rivalSide(python, 'pytorch channels_last', { net: MODEL, side: 'channels_last', action: 'attack' }),
    ],
    rounds,
  );
  tf.dispose([images, labels]);
  target.dispose();
  await python.ask({ do: 'unload' });
  const perImage = (name: string) => (times.get(name) ?? []).map((time) => time / IMAGES);
  const [ours, ...forms] = ['equipoise', 'pytorch', 'pytorch channels_last'].map(perImage);
  const best = forms.toSorted((a, b) => min(a) - min(b))[0];
  const slower = median(ours.map((time, round) => time / best[round]));
  judge('a gradient of MobileNetV2 at 224 × 224, over PyTorch', verdictAtMost(slower, OVER_PYTORCH_AT_224, '×'));
  return [
    '### MobileNetV2 at 224 × 224',
    '',
    markdownTable(
      [
        'one image',
        'PyTorch min, ms',
        'median',
        'Equipoise min, ms',
        'median',
        'our time / theirs, median of rounds',
        'MB',
      ],
      [
        [
          'forward and gradient of the images',
          ...[min(best), median(best), min(ours), median(ours)].map(number),
          ratio(slower),
          number(bytes / IMAGES / 2 ** 20),
        ],
      ],
    ),
    '',
    `Relative l2 differences from PyTorch before timing: logits ${differences[0].toExponential(0)}, input gradient ${differences[1].toExponential(0)}.`,
  ].join('\n');
}
