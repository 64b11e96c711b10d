// Draws docs/pictures/perturbation.svg: a digit, what PGD adds to it against the playground's two networks, and the outcome.
//
//   node dist/scripts/pictures/perturbation.js

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { encode } from 'fast-png';
import { pgd } from '../../attacks/pgd.ts';
import { batchImages } from '../../src/data/batch.ts';
import { loadDataset } from '../../src/data/load.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';

const EPSILON = 0.1;
/** Number of the picture's digit among the test digits. */
const IMAGE = 0;
const TITLE = 'A digit, the perturbation that an attack finds for each of two networks, and the digit with it';
/** Pixels of the picture for one of the digit. */
const SCALE = 4;

const root = fileURLToPath(new URL('../../..', import.meta.url));
const output = join(root, 'docs/pictures/perturbation.svg');

/** A grey image as an element at a place; pixels in [0, 1]. */
function picture(pixels: Float32Array, size: number, x: number, y: number): string {
  const data = Uint8Array.from(pixels, (value) => Math.round(255 * value));
  const png = Buffer.from(encode({ width: size, height: size, data, channels: 1 })).toString('base64');
  const extent = size * SCALE;
  return `<image x="${x}" y="${y}" width="${extent}" height="${extent}" style="image-rendering:pixelated" href="data:image/png;base64,${png}"/>`;
}

const text = (content: string, x: number, y: number, style: string): string =>
  `<text x="${x}" y="${y}" text-anchor="middle" class="${style}">${content}</text>`;

await tf.setBackend('cpu');
const { test, imageShape, classes } = await loadDataset('mnist10k');
const images = batchImages(test, [IMAGE], imageShape);
const label = test.labels[IMAGE];
const labels = tf.tensor1d([label], 'int32');
const size = imageShape[0];
const extent = size * SCALE;
const attack = pgd({ norm: 'linf', epsilon: EPSILON, steps: 40 });
const pixelsOf = async (tensor: tf.Tensor) => Float32Array.from(await tensor.data());
const clean = await pixelsOf(images);

/** The likeliest class, with its probability. */
async function verdict(classify: (images: tf.Tensor4D) => tf.Tensor2D, x: tf.Tensor4D): Promise<string> {
  const probabilities = await pixelsOf(tf.softmax(classify(x)));
  const best = probabilities.indexOf(Math.max(...probabilities));
  return `“${classes[best]}”, ${Math.round(100 * probabilities[best])} %`;
}

const left = 150;
const gap = 40;
const columns = [left, left + extent + gap, left + 2 * (extent + gap)];
const centre = (column: number) => columns[column] + extent / 2;
const parts = ['the digit', `perturbation, at most ${EPSILON}`, 'the digit with it'].map((title, column) =>
  text(title, centre(column), 24, 'title'),
);
const networks = [
  ['undefended', 'trained as usual'],
  ['robust', 'trained on attacks'],
] as const;
for (const [row, [name, title]] of networks.entries()) {
  const target = await loadTarget(join(root, `docs/playground/${name}.safetensors`));
  const attacked = await attack.perturb(target.classify, images, labels);
  const adversarial = await pixelsOf(attacked);
  const magnified = adversarial.map((value, i) => 0.5 + (value - clean[i]) / (2 * EPSILON));
  const y = 40 + row * (extent + 44);
  parts.push(text(title, left / 2, y + extent / 2, 'title'));
  for (const [column, pixels] of [clean, magnified, adversarial].entries()) {
    parts.push(picture(pixels, size, columns[column], y));
  }
  parts.push(text(await verdict(target.classify, images), centre(0), y + extent + 20, 'verdict'));
  parts.push(text(await verdict(target.classify, attacked), centre(2), y + extent + 20, 'verdict'));
  for (const column of [0, 1]) {
    parts.push(text(column === 0 ? '+' : '=', columns[column] + extent + gap / 2, y + extent / 2 + 6, 'sign'));
  }
  target.dispose();
}

const width = columns[2] + extent + 20;
const height = 40 + 2 * (extent + 44);
const style = `text{font-family:system-ui,sans-serif;fill:#57606a}.title{font-size:13px}.verdict{font-size:15px;fill:#1f2328}.sign{font-size:20px}@media(prefers-color-scheme:dark){text{fill:#9198a1}.verdict{fill:#f0f6fc}}`;
mkdirSync(dirname(output), { recursive: true });
writeFileSync(
  output,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"><title>${TITLE}</title><style>${style}</style>\n${parts.join('\n')}\n</svg>\n`,
);
console.log(output);
