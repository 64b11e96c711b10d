// MNIST, Fashion-MNIST, and the digits that come with Equipoise.
import { fileURLToPath } from 'node:url';
import { type Checksum, md5, sha256 } from '../files/checksum.ts';
import { DIGIT_SHAPE, idxFormat } from '../files/idx.ts';
import type { DatasetDefinition, Download, FileSource } from '../types.ts';
import { DIGIT_DEFAULTS, DIGITS } from './defaults.ts';

const MNIST_HOST = 'https://storage.googleapis.com/cvdf-datasets/mnist';
const FASHION_HOST = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com';

/** Checksums of the files as they are downloaded. */
const MNIST_PACKED = {
  'train-images-idx3-ubyte.gz': sha256('440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609'),
  'train-labels-idx1-ubyte.gz': sha256('3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'),
  't10k-images-idx3-ubyte.gz': sha256('8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'),
  't10k-labels-idx1-ubyte.gz': sha256('f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'),
};

/** Checksums that the authors publish, which are of the packed files only. */
const FASHION_CHECKSUMS = {
  'train-images-idx3-ubyte.gz': md5('8d4fb7e6c68d591d4c3dfef9ec88bf0d'),
  'train-labels-idx1-ubyte.gz': md5('25c81989df183df01b3e8a0aad5dffbe'),
  't10k-images-idx3-ubyte.gz': md5('bef4ecab320f06d8554ea6380940ec79'),
  't10k-labels-idx1-ubyte.gz': md5('bb300cfdad3c16e7a12a480ee83cd310'),
};

/** Bytes of the packed files. */
const MNIST_BYTES = {
  'train-images-idx3-ubyte.gz': 9_912_422,
  'train-labels-idx1-ubyte.gz': 28_881,
  't10k-images-idx3-ubyte.gz': 1_648_877,
  't10k-labels-idx1-ubyte.gz': 4_542,
};
const FASHION_BYTES = {
  'train-images-idx3-ubyte.gz': 26_421_880,
  'train-labels-idx1-ubyte.gz': 29_515,
  't10k-images-idx3-ubyte.gz': 4_422_102,
  't10k-labels-idx1-ubyte.gz': 5_148,
};

type PackedName = keyof typeof MNIST_BYTES;

const downloadsFrom = (
  host: string,
  checksums: Readonly<Record<PackedName, Checksum>>,
  bytes: Readonly<Record<PackedName, number>>,
): readonly Download[] =>
  (Object.keys(bytes) as PackedName[]).map((name) => ({
    url: `${host}/${name}`,
    checksum: checksums[name],
    bytes: bytes[name],
    unpack: 'none',
  }));

export const mnist: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: DIGITS,
    imageShape: DIGIT_SHAPE,
    format: idxFormat,
    checksums: {
      'train-images-idx3-ubyte': sha256('ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db'),
      'train-labels-idx1-ubyte': sha256('65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5'),
      't10k-images-idx3-ubyte': sha256('0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7'),
      't10k-labels-idx1-ubyte': sha256('ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'),
    },
    downloads: downloadsFrom(MNIST_HOST, MNIST_PACKED, MNIST_BYTES),
    folders: ['MNIST/raw'],
  },
  defaults: DIGIT_DEFAULTS,
};

export const fashionMnist: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: ['T-shirt/top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'],
    imageShape: DIGIT_SHAPE,
    format: idxFormat,
    checksums: FASHION_CHECKSUMS,
    downloads: downloadsFrom(FASHION_HOST, FASHION_CHECKSUMS, FASHION_BYTES),
    folders: ['FashionMNIST/raw'],
  },
  defaults: DIGIT_DEFAULTS,
};

/** MNIST's 10,000 official test digits, divided anew; they come with the package. */
export const mnist10k: DatasetDefinition<FileSource> = {
  source: {
    kind: 'files',
    classes: DIGITS,
    imageShape: DIGIT_SHAPE,
    format: idxFormat,
    checksums: {
      'train-images-idx3-ubyte': sha256('13466e6c3d95f9b21a5f92f40cb49cb23f08a6d02a7fbc22a9aec3d0c2134026'),
      'train-labels-idx1-ubyte': sha256('5e0e697c492c9b08f4c8d9cb51e1af8b5a23ff3767444fba8b1cadff90036be0'),
      't10k-images-idx3-ubyte': sha256('fe4e1d1279f8389dd46b753475f8124e9d09d5601f782c3cca04b0cb86b41d71'),
      't10k-labels-idx1-ubyte': sha256('e88d142a81f5570a5b967dfb0ba82e966f87bae785b0f1e868f919d11e3f85e7'),
    },
    downloads: [],
    folders: [],
    // dist/src/data/sets/mnist.js lies three folders below the package's own.
    shipped: fileURLToPath(new URL('../../../../data/mnist10k', import.meta.url)),
  },
  defaults: {
    ...DIGIT_DEFAULTS,
    epsilon: { linf: 0.1, l2: 1, l1: 5 },
    steps: 7,
    stepSize: 0.025,
    epochs: 20,
    batchSize: 64,
  },
};
