// A data set that is generated from a key, for tests and trials.
import { foldIn, type Key, normal, seedKey, uniform } from '../../core/key.ts';
import { digestOf } from '../files/checksum.ts';
import type { Dataset, DatasetDefinition, GeneratedSource, PixelShape, Split } from '../types.ts';
import { DIGIT_DEFAULTS } from './defaults.ts';

/** Options of the generated data set. */
export interface SyntheticOptions {
  readonly key?: Key;
  readonly imageShape?: PixelShape;
  readonly classes?: number;
  readonly train?: number;
  readonly test?: number;
  /** Standard deviation of the noise on every pixel, in [0, 1]. */
  readonly noise?: number;
}

/** A blocky random pattern: cells of 2×2 pixels, dark or bright in each channel. */
function pattern(key: Key, [height, width, channels]: PixelShape): Float32Array {
  const columns = Math.ceil(width / 2);
  const cells = uniform(key, Math.ceil(height / 2) * columns * channels).map((value) => (value < 0.5 ? 0.2 : 0.8));
  const image = new Float32Array(height * width * channels);
  for (let i = 0; i < image.length; i++) {
    const channel = i % channels;
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / (channels * width));
    image[i] = cells[((y >> 1) * columns + (x >> 1)) * channels + channel];
  }
  return image;
}

/**
 * A small generated data set that a small network learns in seconds: each class has a random blocky pattern, an image is
 * its class's pattern plus normal noise. Classes take turns, so every split is balanced.
 */
export function synthetic({
  key = seedKey('synthetic'),
  imageShape = [8, 8, 1],
  classes = 4,
  train = 256,
  test = 64,
  noise = 0.1,
}: SyntheticOptions = {}): Dataset {
  const patterns = Array.from({ length: classes }, (_, label) =>
    pattern(foldIn(foldIn(key, 'class'), label), imageShape),
  );
  const size = patterns[0].length;
  const split = (name: string, count: number): Split => {
    const images = new Uint8Array(count * size);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % classes);
    for (let i = 0; i < count; i++) {
      const offsets = normal(foldIn(foldIn(key, name), i), size);
      for (let j = 0; j < size; j++) {
        const value = patterns[labels[i]][j] + noise * offsets[j];
        images[i * size + j] = Math.round(255 * Math.min(1, Math.max(0, value)));
      }
    }
    return { count, images, labels };
  };
  const splits = { train: split('train', train), test: split('test', test) };
  return {
    name: 'synthetic',
    classes: Array.from({ length: classes }, (_, label) => `pattern ${label}`),
    imageShape,
    ...splits,
    sha256: digestOf('sha256', Buffer.concat([splits.train.images, splits.test.images])),
    official: true,
  };
}

export const syntheticDataset: DatasetDefinition<GeneratedSource> = {
  source: { kind: 'generated', generate: () => synthetic() },
  defaults: {
    ...DIGIT_DEFAULTS,
    epsilon: { linf: 0.1, l2: 1, l1: 5 },
    steps: 7,
    stepSize: 0.025,
    model: 'mlp',
    epochs: 5,
    batchSize: 32,
  },
};
