// Everything that is fuzzed: a row is a parser, the sound inputs that damage starts from, and what packs damaged bytes so
// that they get past checksums. To fuzz another parser, add a row.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { crc32, gunzipSync, gzipSync } from 'node:zlib';
import * as tf from '@tensorflow/tfjs-core';
import { startBackend } from '../../src/backends/start.ts';
import { checkExpectedLogits } from '../../src/checkpoints/exchange/expected-logits.ts';
import { importModel } from '../../src/checkpoints/exchange/import.ts';
import { encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { sizeOf } from '../../src/core/structure.ts';
import { addDataset } from '../../src/data/add.ts';
import { NPY_HEADER_BYTES, readNpyHeader } from '../../src/data/files/npy.ts';
import { loadDataset } from '../../src/data/load.ts';
import { decodePicture } from '../../src/data/pictures/decode.ts';
import { cifar10 } from '../../src/data/sets/cifar.ts';
import { svhn } from '../../src/data/sets/svhn.ts';
import type { FileSource, PixelShape, Split } from '../../src/data/types.ts';
import { exportModel } from '../../src/evaluation/export.ts';
import { checkFit } from '../../src/evaluation/targets/loading.ts';
import { loadTarget } from '../../src/evaluation/targets/target.ts';
import { decoded, matlabFiles, pictures } from '../data/fixtures.ts';
import { compressed, file, matrix, UINT8 } from '../data/matlab.ts';
import { npy } from '../data/npy.ts';
import { tarGz } from '../data/tar-gz.ts';
import { withRun } from '../evaluation/tiny.ts';
import { inFolder, parserOfFile } from './in-folder.ts';
import type { FuzzedParser } from './parser.ts';
import { textParsers } from './run-files.ts';

const seedsOf = (kind: string): Uint8Array[] =>
  pictures.sound.filter(({ name }) => name.startsWith(kind)).map((picture) => decoded(picture.file));

const numbers = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (7 * i) % 256);

/** Makes the checksum of every chunk right, as far as the chunks can be told. */
function rightChecksums(bytes: Uint8Array): Uint8Array {
  const png = Buffer.from(bytes);
  for (let at = 8; at + 12 <= png.length; ) {
    const end = at + 12 + png.readUInt32BE(at);
    if (end > png.length) break;
    png.writeUInt32BE(crc32(png.subarray(at + 4, end - 4)), end - 4);
    at = end;
  }
  return png;
}

const isSound = (expected: boolean, what: string): void => {
  if (!expected) throw new Error(`accepted, and ${what}`);
};

async function parsePicture(bytes: Uint8Array): Promise<void> {
  const { height, width, channels, pixels } = await decodePicture({ name: 'picture', bytes });
  isSound(pixels.length === height * width * channels && pixels.length > 0, 'its pixels are not of its size');
}

const checkSplit = ({ count, images, labels }: Split, { imageShape, classes }: FileSource): void => {
  isSound(count > 0 && labels.length === count, 'it has no label for an image');
  isSound(images.length === count * sizeOf(imageShape), 'its pixels are not of its shape');
  isSound(
    labels.every((label) => label < classes.length),
    'a label is of no class',
  );
};

/** A parser of one file of a data set by its format. */
const splitParser = (source: FileSource) => async (bytes: Uint8Array) =>
  checkSplit(source.format.decode([{ name: 'file', bytes }], source.imageShape, source.classes.length), source);

const idxImages = Buffer.concat([Buffer.from('00000803000000020000001c0000001c', 'hex'), numbers(2 * 784)]);
const idxLabels = Buffer.from('00000801000000020309', 'hex');
const digits = {
  'train-images-idx3-ubyte': idxImages,
  'train-labels-idx1-ubyte': idxLabels,
  't10k-images-idx3-ubyte': idxImages,
  't10k-labels-idx1-ubyte': idxLabels,
};

/** MNIST's files, of which one is damaged. */
const digitsWith = (name: keyof typeof digits, packed: boolean) => async (bytes: Uint8Array) => {
  const { [name]: _, ...others } = digits;
  await inFolder({ ...others, [packed ? `${name}.gz` : name]: bytes }, (directory) =>
    loadDataset('mnist', { directory }),
  );
};

const record = (label: number): Uint8Array => Buffer.concat([Buffer.of(label), numbers(3072)]);
const cifarArchive = tarGz({ 'data_batch_1.bin': record(3), 'test_batch.bin': record(9) });

const parseArchive = (bytes: Uint8Array): Promise<void> =>
  inFolder({ 'archive.tar.gz': bytes }, (folder) =>
    addDataset(join(folder, 'archive.tar.gz'), { directory: join(folder, 'data') }),
  );

const images = matrix('X', [32, 32, 3, 2], UINT8, numbers(6144));
const labels = matrix('y', [2, 1], UINT8, Uint8Array.of(10, 7));

const foreign = (name: string): Buffer =>
  readFileSync(new URL(`../../../test/evaluation/foreign/${name}`, import.meta.url));

/** Loads a model, which computes what depends on its weights alone, and gives it an image, as an evaluation does. */
const parseModel =
  (imageShape: PixelShape, count: number) =>
  async (path: string): Promise<void> => {
    await startBackend('cpu');
    const one = { count: 1, images: new Uint8Array(sizeOf(imageShape)), labels: Uint8Array.of(0) };
    const classes = Array.from({ length: count }, (_, i) => String(i));
    const dataset = { name: 'images', imageShape, classes, train: one, test: one, sha256: '', official: false };
    const target = await loadTarget(path, { images: dataset });
    try {
      await checkFit(target, dataset);
      tf.tidy(() => void target.classify(tf.zeros([1, ...imageShape])));
    } finally {
      target.dispose();
    }
  };

/** A model of TensorFlow.js whose model.json is damaged. */
function tensorflowModel(kind: 'layers' | 'graph'): FuzzedParser {
  const weights = { 'group1-shard1of1.bin': foreign(`keras-${kind}/group1-shard1of1.bin`) };
  const parse = parseModel([28, 28, 1], 10);
  return {
    seeds: [foreign(`keras-${kind}/model.json`)],
    parse: (bytes) => inFolder({ ...weights, 'model.json': bytes }, parse),
  };
}

/** A checkpoint of a small network as training writes it, and its exports. */
async function smallNetwork() {
  await startBackend('cpu');
  const files: Record<'checkpoint' | 'pytorch' | 'modelJson' | 'weights', Uint8Array>[] = [];
  await withRun(async (folder) => {
    const best = join(folder, 'checkpoints', 'best.safetensors');
    await exportModel(best, { to: 'pytorch', out: join(folder, 'net.safetensors') });
    await exportModel(best, { to: 'layers', out: join(folder, 'net') });
    files.push({
      checkpoint: readFileSync(best),
      pytorch: readFileSync(join(folder, 'net.safetensors')),
      modelJson: readFileSync(join(folder, 'net', 'model.json')),
      weights: readFileSync(join(folder, 'net', 'weights.bin')),
    });
  });
  return files[0];
}

/** Makes a checkpoint of an export. */
const parseExport = (path: string): Promise<unknown> =>
  importModel(path, { out: join(dirname(path), 'imported.safetensors') });

/** Makes the checksum of a checkpoint right, as far as it can be found. */
function rightDigest(damaged: Uint8Array): Uint8Array {
  const bytes = Buffer.from(damaged);
  const { index } = /"sha256":"[0-9a-f]{64}"/.exec(bytes.toString('latin1')) ?? {};
  if (index === undefined) return bytes;
  const offset = index + '"sha256":"'.length;
  bytes.fill('0', offset, offset + 64);
  bytes.write(createHash('sha256').update(bytes).digest('hex'), offset);
  return bytes;
}

const network = await smallNetwork();

export const parsers: Readonly<Record<string, FuzzedParser>> = {
  png: { seeds: seedsOf('png'), parse: parsePicture },
  'png-chunks': { seeds: seedsOf('png'), pack: rightChecksums, parse: parsePicture },
  jpeg: { seeds: seedsOf('jpeg'), parse: parsePicture },
  'idx-images': { seeds: [idxImages], parse: digitsWith('train-images-idx3-ubyte', false) },
  'idx-labels': { seeds: [idxLabels], parse: digitsWith('t10k-labels-idx1-ubyte', false) },
  'idx-packed': { seeds: [gzipSync(idxImages)], parse: digitsWith('train-images-idx3-ubyte', true) },
  cifar: { seeds: [Buffer.concat([record(0), record(9)])], parse: splitParser(cifar10.source) },
  mat: { seeds: Object.values(matlabFiles.files).map(decoded), parse: splitParser(svhn.source) },
  'mat-images': {
    seeds: [images],
    pack: (bytes) => file(compressed(Buffer.from(bytes)), compressed(labels)),
    parse: splitParser(svhn.source),
  },
  'tar-gz': { seeds: [cifarArchive], parse: parseArchive },
  npy: {
    seeds: [npy([2, 2, 3], numbers(12)), npy([10], numbers(10))],
    parse: async (bytes) => readNpyHeader('labels.npy', bytes.subarray(0, NPY_HEADER_BYTES), bytes.length),
  },
  // A network with attention, shape arithmetic and weights of every kind, as two exporters write it.
  onnx: {
    seeds: ['transformer-torchscript-17', 'mobile-dynamo-20'].map((name) => foreign(`onnx/${name}.onnx`)),
    parse: parserOfFile('net.onnx', parseModel([12, 12, 3], 5)),
  },
  'layers-model': tensorflowModel('layers'),
  'graph-model': tensorflowModel('graph'),
  'pytorch-weights': {
    seeds: [foreign('wrn10_1.safetensors')],
    parse: parserOfFile('weights.safetensors', parseModel([32, 32, 3], 10)),
  },
  'exported-pytorch': { seeds: [network.pytorch], parse: parserOfFile('net.safetensors', parseExport) },
  'exported-layers': {
    seeds: [network.modelJson],
    parse: (bytes) =>
      inFolder({ 'net/weights.bin': network.weights, 'net/model.json': bytes }, (folder) =>
        parseExport(join(folder, 'net')),
      ),
  },
  'expected-logits': {
    seeds: [
      encodeSafetensors({
        images: { dtype: 'F32', shape: [2, 3, 4, 4], data: Float32Array.from({ length: 96 }, (_, i) => i / 96) },
        logits: { dtype: 'F32', shape: [2, 2], data: new Float32Array(4) },
      }),
    ],
    parse: parserOfFile('logits.safetensors', (path) =>
      checkExpectedLogits(path, (images) => tf.zeros([images.shape[0], 2])),
    ),
  },
  checkpoint: {
    seeds: [network.checkpoint],
    pack: rightDigest,
    parse: parserOfFile('best.safetensors', parseModel([4, 4, 1], 2)),
  },
  tar: { seeds: [gunzipSync(cifarArchive)], pack: (bytes) => gzipSync(bytes), parse: parseArchive },
  ...textParsers,
};

/** Parsers at fault, by which the fuzzer itself is tested. */
export const faultyParsers: Readonly<Record<string, FuzzedParser>> = {
  endless: {
    seeds: [],
    parse: async () => {
      for (;;);
    },
  },
  greedy: {
    seeds: [],
    parse: async () => Array.from({ length: 40 }, () => Buffer.alloc(2 ** 22, 1)),
  },
  leaving: { seeds: [], parse: async () => process.exit(3) },
  raw: { seeds: [], parse: async () => JSON.parse('{') },
};
