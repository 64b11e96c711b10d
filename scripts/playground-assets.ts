// Makes what docs/playground ships: small nets trained on the shipped digits and on CIFAR-10, and strips of test digits and photos.
//
//   npm run build && node dist/scripts/playground-assets.js [--data DIR] [--strips]
//
// It takes some minutes and writes the same files again, on the same kernel build of the engine and the same files of CIFAR-10;
// with --strips only the strips.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startBackend } from '../src/backends/start.ts';
import { readCheckpoint } from '../src/checkpoints/checkpoint.ts';
import { networkOnly } from '../src/checkpoints/exchange/network.ts';
import { writeAtomically } from '../src/checkpoints/files/atomic-file.ts';
import { encodeCheckpoint } from '../src/checkpoints/safetensors/encode.ts';
import { restoreCheckpoint } from '../src/checkpoints/safetensors/stored.ts';
import { loadDataset } from '../src/data/load.ts';
import { testIndices } from '../src/data/split.ts';
import { encodePng } from '../src/reporting/pictures/png.ts';
import { parseConfig, type TrainOptions } from '../src/training/config/config.ts';
import { train } from '../src/training/train.ts';

const playground = fileURLToPath(new URL('../../docs/playground', import.meta.url));
const PICTURES = 20;

const MODELS: Readonly<Record<string, TrainOptions>> = {
  undefended: { dataset: 'mnist10k', model: 'cnn', width: 0.25, objective: 'natural', epochs: 6 },
  'undefended-photos': { dataset: 'cifar10', model: 'cnn', width: 0.5, objective: 'natural', epochs: 8 },
  robust: {
    dataset: 'mnist10k',
    ...{ model: 'cnn', width: 0.5, objective: 'trades', epochs: 10 },
    ...{ method: 'rigl', sparsity: 0.9, optimizer: 'agent' },
  },
};

const { values: options } = parseArgs({
  options: { data: { type: 'string' }, strips: { type: 'boolean', default: false } },
});

async function trainModels(): Promise<void> {
  await startBackend('engine');
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-playground-'));
  try {
    for (const [name, settings] of Object.entries(MODELS)) {
      const out = join(folder, name);
      await train(parseConfig(settings), { out, dataDirectory: options.data });
      const { stored } = await readCheckpoint(join(out, 'checkpoints/last.safetensors'));
      await writeAtomically(
        join(playground, `${name}.safetensors`),
        await encodeCheckpoint(networkOnly(restoreCheckpoint(stored))),
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Writes the first test images of each class, every class once and then every class again, side by side. */
async function writeStrip(dataset: 'mnist10k' | 'cifar10', file: string): Promise<void> {
  const { test, imageShape } = await loadDataset(dataset, { directory: options.data });
  const [height, width, channels] = imageShape;
  const size = height * width * channels;
  const rowBytes = width * channels;
  const chosen = [...testIndices(test, PICTURES)].sort((a, b) => test.labels[a] - test.labels[b] || a - b);
  const inTurn = [0, 1].flatMap((turn) => chosen.filter((_, i) => i % 2 === turn));
  const strip = new Uint8Array(PICTURES * size);
  for (const [place, index] of inTurn.entries()) {
    for (let row = 0; row < height; row++) {
      const start = index * size + row * rowBytes;
      strip.set(test.images.subarray(start, start + rowBytes), (row * PICTURES + place) * rowBytes);
    }
  }
  await writeAtomically(join(playground, file), encodePng(strip, [height, PICTURES * width, channels]));
}

if (!options.strips) await trainModels();
await writeStrip('mnist10k', 'digits.png');
await writeStrip('cifar10', 'photos.png');
