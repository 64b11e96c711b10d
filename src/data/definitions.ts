import { cifarFormat } from './cifar.ts';
import { CIFAR100_CLASSES } from './cifar100-classes.ts';
import { DIGIT_SHAPE, idxFormat } from './idx.ts';
import { svhnFormat } from './svhn.ts';
import type { Checksum, DatasetDefinition, Download } from './types.ts';

const md5 = (digest: string): Checksum => ({ algorithm: 'md5', digest });
const sha1 = (digest: string): Checksum => ({ algorithm: 'sha1', digest });
const sha256 = (digest: string): Checksum => ({ algorithm: 'sha256', digest });

const single = (url: string, checksum: Checksum): Download => ({ url, checksum, unpack: 'none' });

const DIGITS = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

const MNIST_HOST = 'https://storage.googleapis.com/cvdf-datasets/mnist';
const SVHN_HOST = 'http://ufldl.stanford.edu/housenumbers';
const FASHION_HOST = 'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com';

/** Of the files as they are downloaded. */
const MNIST_PACKED = {
  'train-images-idx3-ubyte.gz': sha256('440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609'),
  'train-labels-idx1-ubyte.gz': sha256('3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'),
  't10k-images-idx3-ubyte.gz': sha256('8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'),
  't10k-labels-idx1-ubyte.gz': sha256('f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'),
};

/** As published by its authors, who give none of the unpacked files. */
const FASHION_CHECKSUMS = {
  'train-images-idx3-ubyte.gz': md5('8d4fb7e6c68d591d4c3dfef9ec88bf0d'),
  'train-labels-idx1-ubyte.gz': md5('25c81989df183df01b3e8a0aad5dffbe'),
  't10k-images-idx3-ubyte.gz': md5('bef4ecab320f06d8554ea6380940ec79'),
  't10k-labels-idx1-ubyte.gz': md5('bb300cfdad3c16e7a12a480ee83cd310'),
};

const SVHN_CHECKSUMS = {
  'train_32x32.mat': sha256('435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8'),
  'test_32x32.mat': sha256('cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b'),
};

/** The data sets that lie in files, by name. */
export const definitions = {
  cifar10: {
    classes: ['airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse', 'ship', 'truck'],
    imageShape: [32, 32, 3],
    format: cifarFormat({
      train: /^data_batch_\d+\.bin$/,
      test: /^test_batch\.bin$/,
      labelBytes: 1,
      expected: 'data_batch_1.bin … data_batch_5.bin and test_batch.bin',
    }),
    checksums: {
      'data_batch_1.bin': sha1('aadd24acce27caa71bf4b10992e9e7b2d74c2540'),
      'data_batch_2.bin': sha1('c0ba65cce70568cd57b4e03e9ac8d2a5367c1795'),
      'data_batch_3.bin': sha1('1dd00a74ab1d17a6e7d73e185b69dbf31242f295'),
      'data_batch_4.bin': sha1('aab85764eb3584312d3c7f65fd2fd016e36a258e'),
      'data_batch_5.bin': sha1('26e2849e66a845b7f1e4614ae70f4889ae604628'),
      'test_batch.bin': sha1('67eb016db431130d61cd03c7ad570b013799c88c'),
    },
    downloads: [
      {
        url: 'https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz',
        checksum: sha256('c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd'),
        unpack: 'tar.gz',
      },
    ],
    folders: ['cifar-10-batches-bin'],
  },
  cifar100: {
    classes: CIFAR100_CLASSES,
    imageShape: [32, 32, 3],
    format: cifarFormat({
      train: /^train\.bin$/,
      test: /^test\.bin$/,
      labelBytes: 2,
      expected: 'train.bin and test.bin',
    }),
    checksums: {
      'train.bin': sha1('e207cd2e05b73b1393c74c7f5e7bea451d63e08e'),
      'test.bin': sha1('8fb6623e830365ff53cf14adec797474f5478006'),
    },
    downloads: [
      {
        url: 'https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz',
        checksum: sha256('58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec'),
        unpack: 'tar.gz',
      },
    ],
    folders: ['cifar-100-binary'],
  },
  svhn: {
    classes: DIGITS,
    imageShape: [32, 32, 3],
    format: svhnFormat,
    checksums: SVHN_CHECKSUMS,
    downloads: Object.entries(SVHN_CHECKSUMS).map(([name, checksum]) => single(`${SVHN_HOST}/${name}`, checksum)),
    folders: [],
  },
  mnist: {
    classes: DIGITS,
    imageShape: DIGIT_SHAPE,
    format: idxFormat,
    checksums: {
      'train-images-idx3-ubyte': sha256('ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db'),
      'train-labels-idx1-ubyte': sha256('65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5'),
      't10k-images-idx3-ubyte': sha256('0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7'),
      't10k-labels-idx1-ubyte': sha256('ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2'),
    },
    downloads: Object.entries(MNIST_PACKED).map(([name, checksum]) => single(`${MNIST_HOST}/${name}`, checksum)),
    folders: ['MNIST/raw'],
  },
  'fashion-mnist': {
    classes: ['T-shirt/top', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'],
    imageShape: DIGIT_SHAPE,
    format: idxFormat,
    checksums: FASHION_CHECKSUMS,
    downloads: Object.entries(FASHION_CHECKSUMS).map(([name, checksum]) => single(`${FASHION_HOST}/${name}`, checksum)),
    folders: ['FashionMNIST/raw'],
  },
  mnist10k: {
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
  },
} as const satisfies Readonly<Record<string, DatasetDefinition>>;
