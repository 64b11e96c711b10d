import { copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { addDataset } from '../../src/data/add.ts';
import { idxFormat } from '../../src/data/files/idx.ts';
import { restore, withDatasetLock } from '../../src/data/files/publish.ts';
import { extractTarGz } from '../../src/data/files/tar.ts';
import { datasetInfo } from '../../src/data/info.ts';
import { datasetNames, fileSourceOf } from '../../src/data/sets/datasets.ts';
import { InUseError } from '../../src/files/lock.ts';
import { machineOf, thisProcess } from '../../src/files/owner.ts';
import { rejection } from '../rejection.ts';
import { tarGz } from './tar-gz.ts';

const cifar = fileURLToPath(new URL('../../../test/data/cifar10', import.meta.url));
const digits = fileURLToPath(new URL('../../../data/mnist10k', import.meta.url));
const NAMES = ['data_batch_1.bin', 'data_batch_2.bin', 'test_batch.bin'];

describe('adding and describing data sets', () => {
  let directory: string;
  let source: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'equipoise-add-'));
    source = await mkdtemp(join(tmpdir(), 'equipoise-source-'));
  });
  afterEach(async () => {
    await rm(directory, { recursive: true });
    await rm(source, { recursive: true });
  });

  const packed = async (): Promise<Buffer> =>
    tarGz(
      Object.fromEntries(
        await Promise.all(NAMES.map(async (name) => [`a/${name}`, await readFile(join(cifar, name))])),
      ),
    );

  it('copies a folder of files and records that they are unofficial', async () => {
    const info = await addDataset(cifar, { directory });
    expect(info).to.deep.include({ name: 'cifar10', label: 'cifar10 (unofficial)', train: 60, test: 20 });
    expect(await readdir(join(directory, 'cifar10'))).to.have.members(NAMES);
    expect(await readdir(directory)).to.deep.equal(['cifar10']);
    expect(await datasetInfo('cifar10', { directory })).to.deep.equal(info);
  });

  it('takes an archive, with the same result', async () => {
    const archive = join(source, 'cifar.tar.gz');
    await writeFile(archive, await packed());
    expect((await addDataset(archive, { directory })).sha256).to.equal((await addDataset(cifar, { directory })).sha256);
  });

  it('leaves what was there untouched when the new files are damaged', async () => {
    const before = await addDataset(cifar, { directory });
    for (const name of NAMES) await copyFile(join(cifar, name), join(source, name));
    await truncate(join(source, 'data_batch_2.bin'), 5000);
    const error = await rejection(addDataset(source, { directory }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.include(`${join(source, 'data_batch_2.bin')} ends at byte 5000`);
    expect(await readdir(directory)).to.deep.equal(['cifar10']);
    expect(await datasetInfo('cifar10', { directory })).to.deep.equal(before);
  });

  it('stops when its signal says so, and leaves what was there untouched', async () => {
    const before = await addDataset(cifar, { directory });
    const archive = join(source, 'cifar.tar.gz');
    await writeFile(archive, await packed());
    for (const path of [cifar, archive]) {
      const error = await rejection(addDataset(path, { directory, signal: AbortSignal.abort() }));
      expect(error.name).to.equal('AbortError');
      expect(await readdir(directory)).to.deep.equal(['cifar10']);
      expect(await datasetInfo('cifar10', { directory })).to.deep.equal(before);
    }
  });

  it('brings back what a killed process had moved out of the way, and clears what it left', async () => {
    const before = await addDataset(cifar, { directory });
    const [place, replaced] = [join(directory, 'cifar10'), join(directory, '.cifar10.replaced')];
    await rename(place, replaced);
    await mkdir(join(directory, `.add.${machineOf(thisProcess())}-999999999-0123abcd.temporary`));
    for (const name of NAMES) await copyFile(join(cifar, name), join(source, name));
    await truncate(join(source, 'data_batch_2.bin'), 5000);
    await rejection(addDataset(source, { directory }));
    expect(await readdir(directory)).to.deep.equal(['.cifar10.replaced']);
    await withDatasetLock(directory, 'cifar10', {}, () => restore(place));
    expect(await readdir(directory)).to.deep.equal(['cifar10']);
    expect(await datasetInfo('cifar10', { directory })).to.deep.equal(before);
    await rename(place, replaced);
    await addDataset(cifar, { directory });
    expect(await readdir(directory)).to.deep.equal(['cifar10']);
  });

  it('has one writer: a data set that another process changes is left alone', async () => {
    await withDatasetLock(directory, 'cifar10', { heartbeatMs: 10 }, async () => {
      const error = await rejection(addDataset(cifar, { directory }));
      expect(error).to.be.instanceOf(InUseError);
      expect(error.message).to.match(/cifar10 in .* is in use by process/);
    });
    expect(await readdir(directory)).to.deep.equal([]);
  });

  it('asks which data set it is where the names do not tell', async () => {
    const digitSets = datasetNames.filter((name) => {
      const files = fileSourceOf(name);
      return files?.format === idxFormat && files.shipped === undefined;
    });
    expect(digitSets).to.include.members(['mnist', 'fashion-mnist']);
    const error = await rejection(addDataset(digits, { directory }));
    expect(error.message).to.include(`could be of ${digitSets.join(' or ')}; say which with --name`);
    expect((await addDataset(digits, { directory, name: 'mnist' })).label).to.equal('mnist (unofficial)');
  });

  it('says what it found when files are missing', async () => {
    await copyFile(join(cifar, 'data_batch_1.bin'), join(source, 'data_batch_1.bin'));
    const error = await rejection(addDataset(source, { directory }));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.include('holds data_batch_1.bin; expected the complete files');
    expect((await rejection(addDataset(join(source, 'nowhere'), { directory }))).message).to.include('does not exist');
    const file = join(source, 'data_batch_1.bin');
    expect((await rejection(addDataset(file, { directory }))).message).to.include('neither a folder nor a .tar.gz');
    expect((await rejection(addDataset(cifar, { directory, name: 'mnist10k' }))).message).to.include('cannot be added');
  });

  it('explains what the system refuses', async () => {
    const file = join(source, 'file');
    await writeFile(file, '');
    for (const [path, options, says] of [
      [cifar, { directory: file }, /file cannot be used: .*in the way|part of the path is a file/],
      [cifar, { directory: join(file, 'below') }, /a part of the path is a file, not a folder \(ENOTDIR\)/],
      [cifar, { directory: join(directory, 'x'.repeat(300)) }, /its name is too long for this system \(ENAMETOOLONG\)/],
      [join(source, 'x'.repeat(300)), { directory }, /its name is too long for this system/],
      [join(file, 'below'), { directory }, /a part of the path is a file, not a folder/],
    ] as const) {
      const error = await rejection(addDataset(path, options));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(says);
    }
  });

  it('knows nothing of a data set that is not there, and all of what is shipped or generated', async () => {
    expect(await datasetInfo('cifar10', { directory })).to.equal(null);
    expect(await datasetInfo('mnist10k', { directory })).to.include({ label: 'mnist10k', train: 8000, test: 2000 });
    expect(await datasetInfo('synthetic', { directory })).to.include({ directory: null, train: 256 });
  });

  describe('archives', () => {
    it('give back their files whatever their sizes, and only the wanted ones', async () => {
      const files = Object.fromEntries(
        [0, 1, 511, 512, 513, 5000].map((size) => [`d/f${size}`, Buffer.alloc(size, size)]),
      );
      await writeFile(join(source, 'x.tar.gz'), tarGz(files));
      const written = await extractTarGz(join(source, 'x.tar.gz'), directory, (name) => name !== 'f1');
      expect(written).to.deep.equal(['f0', 'f511', 'f512', 'f513', 'f5000']);
      for (const name of written) expect(await readFile(join(directory, name))).to.deep.equal(files[`d/${name}`]);
      expect(await readdir(directory)).to.have.length(5);
    });

    it('cannot write outside the folder', async () => {
      await writeFile(join(source, 'x.tar.gz'), tarGz({ '../../evil': Buffer.from('!') }));
      expect(await extractTarGz(join(source, 'x.tar.gz'), directory, () => true)).to.deep.equal(['evil']);
      expect(await readdir(directory)).to.deep.equal(['evil']);
    });

    it('that unpack to too much are refused before it is written', async () => {
      const archive = join(source, 'cifar.tar.gz');
      const files = Object.fromEntries(NAMES.map((name) => [`a/${name}`, Buffer.alloc(1_000_000)]));
      await writeFile(archive, tarGz(files));
      const refusal = async (bytes: number) => {
        process.env.EQUIPOISE_DATA_LIMIT = String(bytes / 2 ** 30);
        const error = await rejection(addDataset(archive, { directory })).finally(() => {
          delete process.env.EQUIPOISE_DATA_LIMIT;
        });
        expect(error).to.be.instanceOf(InputError);
        expect(await readdir(directory)).to.deep.equal([]);
        return error.message;
      };
      expect(await refusal(7_000_000)).to.include(
        'cifar.tar.gz holds data_batch_1.bin of 1 MB; expected at most 875 kB',
      );
      await writeFile(archive, tarGz({ unwanted: Buffer.alloc(9_000_000), ...files }));
      expect(await refusal(8_500_000)).to.include('cifar.tar.gz unpacks to more than 8.5 MB');
    });

    it('that are cut or damaged are refused', async () => {
      const archive = join(source, 'cifar.tar.gz');
      const bytes = await packed();
      await writeFile(archive, bytes.subarray(0, bytes.length / 2));
      const cut = await rejection(addDataset(archive, { directory }));
      expect(cut).to.be.instanceOf(InputError);
      expect(cut.message).to.match(/does not unpack after byte \d+ .*truncated or damaged/);
      await writeFile(archive, 'no archive');
      expect(await rejection(addDataset(archive, { directory }))).to.be.instanceOf(InputError);
      expect(await readdir(directory)).to.deep.equal([]);
    });
  });
});
