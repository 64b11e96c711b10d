import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect } from 'chai';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { dataDirectory } from '../../src/data/files/directory.ts';
import { checkTestSplit, datasetLabel, loadDataset } from '../../src/data/load.ts';
import type { Split } from '../../src/data/types.ts';
import { rejection } from '../rejection.ts';

const cifar = fileURLToPath(new URL('../../../test/data/cifar10', import.meta.url));
const digits = fileURLToPath(new URL('../../../data/mnist10k', import.meta.url));
const RECORD = 3073;

describe('loading data sets', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'equipoise-data-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const put = async (path: string, bytes: Uint8Array): Promise<void> => {
    await mkdir(join(directory, path, '..'), { recursive: true });
    await writeFile(join(directory, path), bytes);
  };

  describe('cifar10', () => {
    it('reads every record of the official layout, red, green and blue planes becoming pixels', async () => {
      const { train, test, classes, imageShape } = await loadDataset('cifar10', { directory: cifar });
      expect(classes[6]).to.equal('frog');
      expect(imageShape).to.deep.equal([32, 32, 3]);
      expect([train.count, test.count]).to.deep.equal([60, 20]);
      const check = (split: Split, image: number, bytes: Uint8Array, record: number) => {
        const start = record * RECORD;
        expect(split.labels[image]).to.equal(bytes[start]);
        for (const [y, x] of [
          [0, 0],
          [3, 17],
          [31, 31],
        ]) {
          const pixel = image * 3072 + (y * 32 + x) * 3;
          const planes = [0, 1024, 2048].map((plane) => bytes[start + 1 + plane + y * 32 + x]);
          expect([...split.images.subarray(pixel, pixel + 3)]).to.deep.equal(planes);
        }
      };
      check(train, 39, await readFile(join(cifar, 'data_batch_1.bin')), 39);
      check(train, 40, await readFile(join(cifar, 'data_batch_2.bin')), 0);
      check(test, 7, await readFile(join(cifar, 'test_batch.bin')), 7);
    });

    it('finds its files in DIR/cifar10, in the folder of the official archive, or in DIR itself', async () => {
      const { sha256 } = await loadDataset('cifar10', { directory: cifar });
      for (const folder of ['cifar10', 'cifar-10-batches-bin', '.']) {
        for (const name of ['data_batch_1.bin', 'data_batch_2.bin', 'test_batch.bin']) {
          await put(join(folder, name), await readFile(join(cifar, name)));
        }
        expect((await loadDataset('cifar10', { directory })).sha256).to.equal(sha256);
        if (folder !== '.') await rm(join(directory, folder), { recursive: true });
      }
    });

    it('orders data_batch_10 after data_batch_9 and takes packed files too', async () => {
      const bytes = await readFile(join(cifar, 'data_batch_1.bin'));
      await put('data_batch_10.bin.gz', gzipSync(bytes.subarray(0, RECORD)));
      await put('data_batch_9.bin', bytes.subarray(RECORD, 2 * RECORD));
      await put('test_batch.bin', bytes.subarray(0, RECORD));
      const { train } = await loadDataset('cifar10', { directory });
      expect([...train.labels]).to.deep.equal([bytes[RECORD], bytes[0]]);
    });

    it('is called unofficial unless every file has its published checksum', async () => {
      const dataset = await loadDataset('cifar10', { directory: cifar });
      expect(dataset.official).to.equal(false);
      expect(datasetLabel(dataset)).to.equal('cifar10 (unofficial)');
      expect(dataset.sha256).to.match(/^[0-9a-f]{64}$/);
    });

    it('says which file is truncated and where', async () => {
      for (const name of ['data_batch_1.bin', 'test_batch.bin']) {
        await copyFile(join(cifar, name), join(directory, name));
      }
      const bytes = await readFile(join(cifar, 'data_batch_1.bin'));
      await put('data_batch_2.bin', bytes.subarray(0, 2 * RECORD + 100));
      const error = await rejection(loadDataset('cifar10', { directory }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.include(join(directory, 'data_batch_2.bin'));
      expect(error.message).to.include('ends at byte 6246, inside record 2, which starts at byte 6146');
    });

    it('refuses an empty file', async () => {
      for (const name of ['data_batch_1.bin', 'test_batch.bin']) await put(name, new Uint8Array());
      expect((await rejection(loadDataset('cifar10', { directory }))).message).to.include('ends at byte 0');
    });

    it('says where a label is wrong', async () => {
      const bytes = Buffer.from(await readFile(join(cifar, 'data_batch_1.bin')));
      bytes[3 * RECORD] = 10;
      await put('data_batch_1.bin', bytes);
      await put('test_batch.bin', bytes.subarray(0, RECORD));
      const error = await rejection(loadDataset('cifar10', { directory }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/data_batch_1\.bin has label 10 at byte 9219; expected 0 to 9/);
    });

    it('refuses folders and pipes of the names of its files, and links in a circle', async () => {
      await put('test_batch.bin', await readFile(join(cifar, 'test_batch.bin')));
      const name = join(directory, 'data_batch_1.bin');
      for (const [make, says] of [
        [() => mkdir(name), 'cannot be read: it is a folder, not a file'],
        [() => execFileSync('mkfifo', [name]), 'is a pipe (FIFO); expected a file'],
        [() => symlink(name, name), 'cannot be read: its links lead round in a circle'],
        [() => symlink('nowhere', name), 'cannot be read: it does not exist'],
      ] as const) {
        await make();
        const error = await rejection(loadDataset('cifar10', { directory }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.include(`${name} ${says}`);
        await rm(name, { recursive: true });
      }
    });

    it('refuses a packed file that unpacks to more than the limit, and a larger file', async () => {
      const bytes = await readFile(join(cifar, 'data_batch_1.bin'));
      await put('data_batch_1.bin.gz', gzipSync(Buffer.alloc(2_000_000)));
      await put('test_batch.bin', bytes);
      const refusal = async (limit: number) => {
        process.env.EQUIPOISE_DATA_LIMIT = String(limit / 2 ** 30);
        const error = await rejection(loadDataset('cifar10', { directory })).finally(() => {
          delete process.env.EQUIPOISE_DATA_LIMIT;
        });
        expect(error).to.be.instanceOf(InputError);
        return error.message;
      };
      expect(await refusal(12_000_000)).to.match(
        /data_batch_1\.bin\.gz unpacks to more than 1\.5 MB\. .*EQUIPOISE_DATA_LIMIT/,
      );
      await rm(join(directory, 'data_batch_1.bin.gz'));
      await put('data_batch_1.bin', bytes);
      expect(await refusal(61_000)).to.match(/data_batch_1\.bin has 123 kB; expected at most 61 kB/);
      expect((await loadDataset('cifar10', { directory })).train.count).to.equal(40);
    });

    it('says that a folder cannot be read, rather than that the files are missing', async () => {
      await symlink('circle', join(directory, 'circle'));
      const error = await rejection(loadDataset('cifar10', { directory: join(directory, 'circle') }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.include('circle').and.include('its links lead round in a circle (ELOOP)');
    });

    it('says how to get the files when there are none', async () => {
      const error = await rejection(loadDataset('cifar10', { directory }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.include(join(directory, 'cifar10')).and.include('equipoise data fetch cifar10');
    });
  });

  it('reads the fine labels of cifar100', async () => {
    const record = (coarse: number, fine: number) => Buffer.concat([Buffer.of(coarse, fine), Buffer.alloc(3072, fine)]);
    await put('train.bin', Buffer.concat([record(19, 99), record(0, 3)]));
    await put('test.bin', record(5, 42));
    const { train, test, classes } = await loadDataset('cifar100', { directory });
    expect([...train.labels, ...test.labels]).to.deep.equal([99, 3, 42]);
    expect(train.images[3072]).to.equal(3);
    expect(classes).to.have.length(100);
    expect(classes[99]).to.equal('worm');
  });

  describe('mnist', () => {
    const names = [
      'train-images-idx3-ubyte',
      'train-labels-idx1-ubyte',
      't10k-images-idx3-ubyte',
      't10k-labels-idx1-ubyte',
    ];
    const copyDigits = () =>
      Promise.all(names.map((name) => copyFile(join(digits, `${name}.gz`), join(directory, `${name}.gz`))));

    it('ships mnist10k: 8,000 and 2,000 official digits, wherever it is asked for', async () => {
      const dataset = await loadDataset('mnist10k', { directory });
      expect([dataset.train.count, dataset.test.count]).to.deep.equal([8000, 2000]);
      expect(dataset.official).to.equal(true);
      expect(datasetLabel(dataset)).to.equal('mnist10k');
      expect(dataset.train.images).to.have.length(8000 * 28 * 28);
      const brightness = dataset.train.images.reduce((sum, byte) => sum + byte, 0) / dataset.train.images.length / 255;
      expect(brightness).to.be.closeTo(0.13, 0.01);
    });

    it('reads packed and unpacked idx files, with the same checksum, and knows that they are not the official ones', async () => {
      await copyDigits();
      const packed = await loadDataset('mnist', { directory });
      for (const name of names) await put(name, gunzipSync(await readFile(join(digits, `${name}.gz`))));
      await Promise.all(names.map((name) => rm(join(directory, `${name}.gz`))));
      const unpacked = await loadDataset('mnist', { directory });
      expect(unpacked.sha256).to.equal(packed.sha256);
      expect(unpacked.train.labels).to.deep.equal(packed.train.labels);
      expect(datasetLabel(packed)).to.equal('mnist (unofficial)');
    });

    const damages: Record<string, [string, (bytes: Buffer) => Uint8Array, RegExp]> = {
      'a wrong magic number': [names[0], (bytes) => bytes.fill(9, 3, 4), /starts with 0x00000809 at byte 0/],
      'a truncated image file': [
        names[2],
        (bytes) => bytes.subarray(0, 5000),
        /ends at byte 5000; .* up to byte 1568016/,
      ],
      'a file shorter than its header': [
        names[1],
        (bytes) => bytes.subarray(0, 5),
        /ends at byte 5, within its header/,
      ],
      'a wrong label': [names[3], (bytes) => bytes.fill(12, 108, 109), /has label 12 at byte 108/],
      'images of another size': [
        names[2],
        () => Buffer.concat([Buffer.from('00000803000007d00000000200000002', 'hex'), Buffer.alloc(8000)]),
        /has images of 2×2 from byte 8; expected 28×28/,
      ],
      'images that number 0': [
        names[2],
        () => Buffer.from('00000803000000000000001c0000001c', 'hex'),
        /0 images, .* 2000 labels/,
      ],
      'labels that do not belong to the images': [
        names[3],
        () => Buffer.concat([Buffer.from('0000080100000001', 'hex'), Buffer.alloc(1)]),
        /2000 images, .* has 1 labels/,
      ],
    };
    for (const [what, [name, damage, message]] of Object.entries(damages)) {
      it(`names the file and the byte of ${what}`, async () => {
        await copyDigits();
        await rm(join(directory, `${name}.gz`));
        await put(name, damage(gunzipSync(await readFile(join(digits, `${name}.gz`)))));
        const error = await rejection(loadDataset('mnist', { directory }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message).and.include(join(directory, name));
      });
    }

    it('refuses files without images', async () => {
      await copyDigits();
      await Promise.all(names.slice(2).map((name) => rm(join(directory, `${name}.gz`))));
      await put(names[2], Buffer.from('00000803000000000000001c0000001c', 'hex'));
      await put(names[3], Buffer.from('0000080100000000', 'hex'));
      expect((await rejection(loadDataset('mnist', { directory }))).message).to.include('has no images (byte 4)');
    });

    it('names a packed file that is cut', async () => {
      await copyDigits();
      await put(`${names[0]}.gz`, (await readFile(join(digits, `${names[0]}.gz`))).subarray(0, 1000));
      const error = await rejection(loadDataset('mnist', { directory }));
      expect(error.message).to.include(`${names[0]}.gz (1000 bytes) does not unpack`);
    });

    it('is not to be tested on after training on mnist10k', () => {
      expect(() => checkTestSplit('mnist10k', 'mnist')).to.throw(InputError, 'has seen the test images of mnist');
      expect(() => checkTestSplit('mnist10k', 'mnist10k')).not.to.throw();
      expect(() => checkTestSplit('mnist', 'mnist')).not.to.throw();
    });
  });

  it('lists the data sets there are when asked for another', async () => {
    const error = await rejection(loadDataset('imagenet' as string));
    expect(error).to.be.instanceOf(UsageError);
    expect(error.message).to.include('cifar10, cifar100, svhn, mnist');
  });

  it('looks in the folder given, else in EQUIPOISE_DATA, else in the user’s cache', () => {
    expect(dataDirectory(directory, { EQUIPOISE_DATA: '/elsewhere' })).to.equal(directory);
    expect(dataDirectory(undefined, { EQUIPOISE_DATA: directory })).to.equal(directory);
    expect(dataDirectory(undefined, {})).to.match(/equipoise.data$/);
  });
});
