import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { encode as encodePng, type ImageData } from 'fast-png';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { fetchDataset } from '../../src/data/fetch.ts';
import { datasetInfo } from '../../src/data/info.ts';
import { datasetLabel, loadDataset } from '../../src/data/load.ts';
import { trainingIndices } from '../../src/data/split.ts';
import type { Dataset, Split } from '../../src/data/types.ts';
import { rejection } from '../rejection.ts';
import { pictureFile } from './fixtures.ts';

const SIZE = 6;
const CLASSES = ['bird', 'cat'];

const grey = (value: number, width = SIZE, height = width): Uint8Array =>
  encodePng({ width, height, channels: 1, data: new Uint8Array(width * height).fill(value) });

const rgb = (colour: readonly number[], size = SIZE): Uint8Array => {
  const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => colour[i % 3]);
  return encodePng({ width: size, height: size, channels: 3, data });
};

const firstPixels = ({ images, count }: Split, { imageShape }: Dataset): number[][] => {
  const size = images.length / count;
  return Array.from({ length: count }, (_, i) => [...images.slice(i * size, i * size + imageShape[2])]);
};

describe('a folder of images', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'equipoise-folder-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const put = async (path: string, bytes: Uint8Array | string): Promise<void> => {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  };
  const putAll = async (files: Readonly<Record<string, Uint8Array | string>>): Promise<void> => {
    for (const [path, bytes] of Object.entries(files)) await put(path, bytes);
  };
  const load = () => loadDataset('folder', { directory });
  /** Two classes of two images for training and one for testing. */
  const putSplits = () =>
    putAll({
      'train/cat/2.png': grey(4),
      'train/cat/1.png': grey(3),
      'train/bird/a.png': grey(1),
      'train/bird/b.png': grey(2),
      'test/bird/c.png': grey(5),
      'test/cat/3.png': grey(6),
    });
  const fails = async (message: RegExp | string): Promise<void> => {
    const error = await rejection(load());
    expect(error).to.be.instanceOf(InputError);
    if (typeof message === 'string') expect(error.message).to.include(message);
    else expect(error.message).to.match(message);
  };

  it('takes classes and splits from the names of folders, images in the order of their names', async () => {
    await putSplits();
    const dataset = await load();
    expect(dataset).to.deep.include({ name: 'folder', classes: CLASSES, imageShape: [SIZE, SIZE, 1] });
    expect(firstPixels(dataset.train, dataset).flat()).to.deep.equal([1, 2, 3, 4]);
    expect([...dataset.train.labels]).to.deep.equal([0, 0, 1, 1]);
    expect(firstPixels(dataset.test, dataset).flat()).to.deep.equal([5, 6]);
    expect([...dataset.test.labels]).to.deep.equal([0, 1]);
    expect(datasetLabel(dataset)).to.equal('folder');
  });

  it('has the sha256 of what sha256sum prints of its files', async () => {
    await putSplits();
    const paths = ['train/bird/a.png', 'train/bird/b.png', 'train/cat/1.png', 'train/cat/2.png'];
    const lines = await Promise.all(
      [...paths, 'test/bird/c.png', 'test/cat/3.png'].map(async (path) => {
        const bytes = await readFile(join(directory, path));
        return `${createHash('sha256').update(bytes).digest('hex')}  ${path}\n`;
      }),
    );
    const { sha256 } = await load();
    expect(sha256).to.equal(createHash('sha256').update(lines.join('')).digest('hex'));
    await put('train/cat/2.png', grey(7));
    expect((await load()).sha256).to.not.equal(sha256);
  });

  it('names no place on disk, so that a copy elsewhere is the same data set', async () => {
    await putSplits();
    const here = await load();
    await rm(directory, { recursive: true });
    directory = await mkdtemp(join(tmpdir(), 'equipoise-folder-copy-'));
    await putSplits();
    expect(await load()).to.deep.equal(here);
  });

  it('divides folders of classes alone by the hash of each name, a fifth of each class for testing', async () => {
    const names = Array.from({ length: 10 }, (_, i) => `${i}.png`);
    for (const [label, name] of CLASSES.entries()) {
      for (const [i, file] of names.entries()) await put(`${name}/${file}`, grey(100 * label + i));
    }
    const hashed = (path: string) => createHash('sha256').update(path).digest('hex');
    const tested = CLASSES.flatMap((name, label) => {
      const lowest = names.map((file) => hashed(`${name}/${file}`)).sort()[1];
      return names.flatMap((file, i) => (hashed(`${name}/${file}`) <= lowest ? [100 * label + i] : []));
    });
    const dataset = await load();
    expect(dataset.train.count).to.equal(16);
    expect(firstPixels(dataset.test, dataset).flat()).to.deep.equal(tested);
    expect([...dataset.test.labels]).to.deep.equal([0, 0, 1, 1]);
    const all = [...firstPixels(dataset.train, dataset), ...firstPixels(dataset.test, dataset)].flat();
    expect(all.sort((a, b) => a - b)).to.deep.equal(
      [...names.keys()].flatMap((i) => [i, 100 + i]).sort((a, b) => a - b),
    );
  });

  it('takes test/CLASS alone to evaluate on, and refuses to train on it', async () => {
    await putSplits();
    const both = await load();
    await rm(join(directory, 'train'), { recursive: true });
    const dataset = await load();
    expect(dataset).to.deep.include({ classes: CLASSES, imageShape: [SIZE, SIZE, 1], test: both.test });
    expect(dataset.train.count).to.equal(0);
    expect(() => trainingIndices(dataset)).to.throw(InputError, 'The data set folder has test images only');
    await put('val/cat/1.png', grey(1));
    await fails(`${join(directory, 'val')} lies beside test, and would not be used`);
  });

  it('leaves hidden files and papers beside the classes alone', async () => {
    await putSplits();
    await putAll({ 'README.txt': 'birds', '.DS_Store': '', 'train/cat/.DS_Store': '' });
    expect((await load()).train.count).to.equal(4);
  });

  it('follows links to folders', async () => {
    await putSplits();
    const linked = await mkdtemp(join(tmpdir(), 'equipoise-folder-links-'));
    await symlink(join(directory, 'train'), join(linked, 'train'), 'junction');
    await mkdir(join(linked, 'test'));
    for (const name of CLASSES) await symlink(join(directory, 'test', name), join(linked, 'test', name), 'junction');
    try {
      expect(await loadDataset('folder', { directory: linked })).to.deep.equal(await load());
    } finally {
      await rm(linked, { recursive: true });
    }
  });

  it('repeats grey in three channels where other images are in colour', async () => {
    await putSplits();
    await put('train/cat/1.png', rgb([10, 20, 30]));
    const dataset = await load();
    expect(dataset.imageShape).to.deep.equal([SIZE, SIZE, 3]);
    expect(firstPixels(dataset.train, dataset)).to.deep.equal([
      [1, 1, 1],
      [2, 2, 2],
      [10, 20, 30],
      [4, 4, 4],
    ]);
  });

  describe('reads', () => {
    /** A folder whose first training image is this file. */
    const first = async (name: string, bytes: Uint8Array, width = SIZE, height = width): Promise<Dataset> => {
      await putAll({
        [`train/bird/${name}`]: bytes,
        'train/cat/1.png': grey(3, width, height),
        'test/bird/c.png': grey(5, width, height),
        'test/cat/3.png': grey(6, width, height),
      });
      return load();
    };
    const png = (image: Partial<ImageData>): Uint8Array =>
      encodePng({ width: SIZE, height: SIZE, data: new Uint8Array(SIZE * SIZE), ...image });
    const pixels = (values: readonly number[]) =>
      Uint8Array.from({ length: SIZE * SIZE * values.length }, (_, i) => values[i % values.length]);

    it('colour, red first', async () => {
      const dataset = await first('a.png', rgb([9, 8, 7]));
      expect(firstPixels(dataset.train, dataset)[0]).to.deep.equal([9, 8, 7]);
    });

    it('an alpha channel that is opaque, which it leaves out', async () => {
      const colour = await first('a.png', png({ channels: 4, data: pixels([9, 8, 7, 255]) }));
      expect(firstPixels(colour.train, colour)[0]).to.deep.equal([9, 8, 7]);
      const shade = await first('a.png', png({ channels: 2, data: pixels([9, 255]) }));
      expect(firstPixels(shade.train, shade)[0]).to.deep.equal([9]);
    });

    it('palettes as colours', async () => {
      const palette = [
        [1, 2, 3],
        [40, 50, 60],
      ];
      const dataset = await first('a.png', png({ channels: 1, palette, data: pixels([1]) }));
      expect(firstPixels(dataset.train, dataset)[0]).to.deep.equal([40, 50, 60]);
    });

    it('grey of one bit as black and white', async () => {
      // Each row of 6 pixels is one byte.
      const data = new Uint8Array(SIZE).fill(0b10100000);
      const dataset = await first('a.png', png({ channels: 1, depth: 1, data }));
      expect([...dataset.train.images.slice(0, SIZE)]).to.deep.equal([255, 0, 255, 0, 0, 0]);
    });

    it('JPEG, by the first bytes whatever the name', async () => {
      for (const name of ['a.jpg', 'a.JPEG', 'a.png']) {
        const dataset = await first(name, pictureFile('jpeg 4:4:4'), 26, 19);
        expect(dataset.imageShape).to.deep.equal([19, 26, 3]);
        expect(firstPixels(dataset.train, dataset)[1]).to.deep.equal([3, 3, 3]);
        await rm(join(directory, 'train/bird', name));
      }
    });

    it('JPEG of one component as grey', async () => {
      const dataset = await first('a.jpg', pictureFile('jpeg grey'), 26, 19);
      expect(dataset.imageShape).to.deep.equal([19, 26, 1]);
    });

    it('pictures turned upright by their EXIF data, whose size then counts', async () => {
      const dataset = await first('a.jpg', pictureFile('jpeg orientation 6 <'), 19, 26);
      expect(dataset.imageShape).to.deep.equal([26, 19, 3]);
    });
  });

  describe('refuses', () => {
    beforeEach(putSplits);
    const picture = (path: string) => join(directory, path);

    it('images of different sizes, naming the first that differs', async () => {
      await put('test/bird/c.png', grey(1, 5));
      await fails(`${picture('test/bird/c.png')} has 5×5 pixels, and train/bird/a.png has 6×6`);
    });

    it('a truncated or changed PNG', async () => {
      const bytes = await readFile(picture('train/cat/1.png'));
      await truncate(picture('train/cat/1.png'), bytes.length - 20);
      await fails(`${picture('train/cat/1.png')} cannot be decoded`);
      bytes[45] ^= 1;
      await put('train/cat/1.png', bytes);
      await fails(`${picture('train/cat/1.png')} cannot be decoded`);
      await put('train/cat/1.png', '');
      await fails(`${picture('train/cat/1.png')} is empty`);
    });

    it('a JPEG truncated anywhere', async () => {
      const whole = pictureFile('jpeg 4:4:4');
      for (const length of [2, 20, 300, whole.length - 10, whole.length - 1]) {
        await put('train/cat/1.png', whole.slice(0, length));
        await fails(`${picture('train/cat/1.png')} cannot be decoded`);
      }
    });

    it('transparency and 16 bits', async () => {
      const data = new Uint8Array(SIZE * SIZE * 2).fill(254);
      await put('train/cat/1.png', encodePng({ width: SIZE, height: SIZE, channels: 2, data }));
      await fails(`${picture('train/cat/1.png')} has transparent pixels`);
      const deep = new Uint16Array(SIZE * SIZE);
      await put('train/cat/1.png', encodePng({ width: SIZE, height: SIZE, channels: 1, depth: 16, data: deep }));
      await fails(`${picture('train/cat/1.png')} has 16 bits`);
    });

    it('files that are no images, by name or by content', async () => {
      await put('train/cat/1.png', 'no image');
      await fails(`${picture('train/cat/1.png')} is neither PNG nor JPEG`);
      await rm(picture('train/cat/1.png'));
      await put('train/cat/labels.csv', 'a,b');
      await fails(`${picture('train/cat/labels.csv')} is no .png`);
    });

    it('folders within a class, and images outside of one', async () => {
      await put('train/cat/more/1.png', grey(1));
      await fails(`${picture('train/cat/more')} is no .png`);
      await rm(picture('train/cat/more'), { recursive: true });
      await put('train/7.png', grey(1));
      await fails(`${picture('train/7.png')} is in no folder of a class`);
    });

    it('a class without images, or in one split only', async () => {
      await rm(picture('train/cat'), { recursive: true });
      await mkdir(picture('train/cat'));
      await fails(`${picture('train/cat')} holds no images`);
      await rm(picture('train/cat'), { recursive: true });
      await put('train/dog/1.png', grey(1));
      await fails(`${picture('train')} has a class dog, and ${picture('test')} has none`);
      await put('test/dog/1.png', grey(1));
      await fails(`${picture('test')} has a class cat, and ${picture('train')} has none`);
    });

    it('fewer than two classes', async () => {
      await rm(picture('train/cat'), { recursive: true });
      await fails(`${picture('train')} holds 1 folders of classes (bird); expected 2 to 256`);
    });

    it('a split without the other, and folders beside them', async () => {
      await put('val/cat/1.png', grey(1));
      await fails(`${picture('val')} lies beside train and test`);
      await rm(picture('test'), { recursive: true });
      await fails(`${directory} has a folder train and none named test`);
    });

    it('a class of one image where there is one folder a class', async () => {
      await rm(directory, { recursive: true });
      await putAll({ 'bird/a.png': grey(1), 'bird/b.png': grey(1), 'cat/c.png': grey(1) });
      await fails(`${picture('cat')} holds one image`);
    });

    it('what is no file: links to nothing and in circles, pipes, folders, names that are too long', async () => {
      await symlink('nowhere.png', picture('train/cat/dangling.png'));
      await symlink('loop.png', picture('train/cat/loop.png'));
      await symlink(`${'x'.repeat(300)}.png`, picture('train/cat/long.png'));
      await mkdir(picture('train/cat/folder.png'));
      execFileSync('mkfifo', [picture('train/cat/pipe.png')]);
      await fails(/has 5 problems:/);
      await fails(`${picture('train/cat/dangling.png')} is a link to nothing; repair it or remove it.`);
      await fails(`${picture('train/cat/loop.png')} cannot be read: its links lead round in a circle`);
      await fails(`${picture('train/cat/long.png')} cannot be read: its name is too long for this system`);
      await fails(`${picture('train/cat/folder.png')} is no .png`);
      await fails(`${picture('train/cat/pipe.png')} is a pipe (FIFO); expected an image`);
    });

    it('names that are not UTF-8, of images and of classes', async function () {
      if (process.platform !== 'linux') this.skip();
      const wrong = (path: string) => Buffer.concat([Buffer.from(picture(path)), Buffer.of(0xe9)]);
      await writeFile(Buffer.concat([wrong('train/cat/caf'), Buffer.from('.png')]), grey(1));
      await fails(`${picture('train/cat/caf')}\u00e9.png has a name that is not UTF-8; rename it.`);
      await mkdir(wrong('test/caf'));
      await fails(/has 2 problems:.*test.caf\u00e9 has a name/s);
    });

    it('files without permission to read them', async function () {
      if (process.platform === 'win32' || process.getuid?.() === 0) this.skip();
      await chmod(picture('train/cat/1.png'), 0);
      await fails(`${picture('train/cat/1.png')} cannot be read: permission is denied.`);
    });

    it('all bad files at once: their number, the first ten, and why', async () => {
      for (let i = 10; i < 25; i++) await put(`train/cat/${i}.png`, grey(1).slice(0, 40));
      await put('train/bird/z.png', grey(1, 5));
      await put('test/bird/notes.txt', 'notes');
      const { message } = await rejection(load());
      const [first, ...lines] = message.split('\n');
      expect(first).to.equal(`${directory} has 17 problems:`);
      expect(lines).to.have.length(11);
      expect(lines[0]).to.equal(
        `  ${picture('test/bird/notes.txt')} is no .png, .jpg or .jpeg file; remove it or convert it.`,
      );
      expect(lines[1]).to.match(/train.cat.10\.png cannot be decoded \(.*\): it is truncated or damaged\.$/);
      expect(lines[10]).to.equal('  … and 7 more.');
    });

    it('the sizes that fewer images have', async () => {
      await put('train/bird/a.png', grey(1, 5));
      await put('test/cat/3.png', grey(1, 4));
      await fails(`${picture('train/bird/a.png')} has 5×5 pixels, and train/bird/b.png has 6×6`);
      await fails(`${picture('test/cat/3.png')} has 4×4 pixels`);
    });

    it('more pixels than the limit, after the first image', async () => {
      process.env.EQUIPOISE_DATA_LIMIT = String(100 / 2 ** 30);
      try {
        await fails(/has 6 images, one of them of 6×6 pixels, which take more than 100 B of memory/);
        process.env.EQUIPOISE_DATA_LIMIT = 'much';
        await fails('EQUIPOISE_DATA_LIMIT takes a number of GB above 0, such as 2, got much.');
      } finally {
        delete process.env.EQUIPOISE_DATA_LIMIT;
      }
      expect((await load()).train.count).to.equal(4);
    });

    it('to guess which folder', async () => {
      expect((await rejection(loadDataset('folder'))).message).to.include('name it with --data DIR');
      expect((await rejection(loadDataset('folder', { directory: picture('nowhere') }))).message).to.include('nowhere');
    });
  });

  it('is described, and not downloaded', async () => {
    await putSplits();
    expect(await datasetInfo('folder', { directory })).to.deep.include({
      directory,
      classes: CLASSES,
      train: 4,
      test: 2,
    });
    expect(await rejection(fetchDataset('folder'))).to.be.instanceOf(UsageError);
  });
});
