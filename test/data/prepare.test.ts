// Pictures that are brought to one size: their pixels against Pillow's (scripts/resize_fixtures.py), and what becomes of
// folders, sound and faulty.
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { encode as encodePng } from 'fast-png';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { loadDataset } from '../../src/data/load.ts';
import { decodePng } from '../../src/data/pictures/png.ts';
import { type PrepareOptions, parseColour, parseSize, prepareFolder } from '../../src/data/prepare.ts';
import { rejection } from '../rejection.ts';
import { decoded, pictureFile } from './fixtures.ts';

interface Case extends Required<Pick<PrepareOptions, 'size' | 'crop' | 'resample'>> {
  readonly name: string;
  readonly file: string;
  readonly background: PrepareOptions['background'] | null;
  readonly channels: number;
  readonly pixels: string;
}

const { cases } = JSON.parse(readFileSync(new URL('../../../test/data/resized.json', import.meta.url), 'utf8')) as {
  readonly cases: readonly Case[];
};

const grey = (value: number, width = 6, height = width): Uint8Array =>
  encodePng({ width, height, channels: 1, data: new Uint8Array(width * height).fill(value) });

describe('preparing a folder of pictures', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-prepare-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const putAll = async (files: Readonly<Record<string, Uint8Array | string>>): Promise<void> => {
    for (const [path, bytes] of Object.entries(files)) {
      await mkdir(dirname(join(folder, 'photos', path)), { recursive: true });
      await writeFile(join(folder, 'photos', path), bytes);
    }
  };
  const prepare = (options: Partial<PrepareOptions> = {}, out = join(folder, 'out')) =>
    prepareFolder(join(folder, 'photos'), out, { size: [4, 4], ...options });
  /** The message of a refusal, after which nothing is left. */
  const refusal = async (options: Partial<PrepareOptions> = {}): Promise<string> => {
    const error = await rejection(prepare(options));
    expect(error).to.be.instanceOf(InputError);
    expect(await readdir(folder)).to.deep.equal(['photos']);
    return error.message;
  };

  for (const { name, file, background, channels, pixels, ...options } of cases) {
    it(`gives the pixels of Pillow: ${name}`, async () => {
      const type = decoded(file)[0] === 0xff ? 'jpg' : 'png';
      await putAll({ [`test/a/1.${type}`]: decoded(file), 'test/b/2.png': grey(1) });
      await prepare({ ...options, background: background ?? undefined });
      const made = join(folder, 'out/test/a/1.png');
      const picture = decodePng({ name: made, bytes: await readFile(made) });
      expect([picture.width, picture.height, picture.channels]).to.deep.equal([...options.size, channels]);
      expect(picture.pixels).to.deep.equal(decoded(pixels));
    });
  }

  it('divides folders of classes as a data set of them is divided', async () => {
    const images = Object.fromEntries(
      ['bird', 'cat'].flatMap((name, label) =>
        Array.from({ length: 10 }, (_, i) => [`${name}/${i}.png`, grey(100 * label + i, 4)] as const),
      ),
    );
    await putAll(images);
    const made = await prepare();
    expect(made).to.include({ train: 16, test: 4, enlarged: 0, directory: join(folder, 'out') });
    const [before, after] = [
      await loadDataset('folder', { directory: join(folder, 'photos') }),
      await loadDataset('folder', { directory: join(folder, 'out') }),
    ];
    for (const split of ['train', 'test'] as const) {
      expect([...after[split].images].sort()).to.deep.equal([...before[split].images].sort());
      expect(after[split].labels).to.deep.equal(before[split].labels);
    }
  });

  it('keeps a folder that is for testing only, and counts what was enlarged', async () => {
    await putAll({ 'test/a/x.png': grey(1, 9), 'test/b/y.png': grey(2, 3), 'test/b/z.png': grey(3, 8, 2) });
    expect(await prepare()).to.include({ train: 0, test: 3, enlarged: 2 });
    expect((await loadDataset('folder', { directory: join(folder, 'out') })).test.count).to.equal(3);
  });

  it('names every file that cannot be used, and leaves nothing', async () => {
    await putAll({
      'test/a/broken.png': 'no picture',
      'test/a/clear.png': encodePng({ width: 2, height: 2, channels: 2, data: new Uint8Array(8) }),
      'test/a/notes.txt': 'notes',
      'test/b/same.png': grey(1),
      'test/b/same.jpg': pictureFile('jpeg 4:4:4'),
    });
    const message = await refusal();
    expect(message).to.match(/photos has 4 problems/);
    for (const part of [
      'broken.png is neither',
      'clear.png has transparent pixels',
      'notes.txt is no',
      'would both become',
    ]) {
      expect(message).to.include(part);
    }
  });

  it('leaves a folder that exists as it is', async () => {
    await putAll({ 'test/a/x.png': grey(1), 'test/b/y.png': grey(2) });
    await mkdir(join(folder, 'out'));
    expect((await rejection(prepare())).message).to.match(/out exists already; expected/);
    expect(await readdir(join(folder, 'out'))).to.deep.equal([]);
  });

  it('leaves nothing when it is stopped', async () => {
    await putAll({ 'test/a/x.png': grey(1), 'test/b/y.png': grey(2) });
    const stop = new AbortController();
    const stopped = prepare({ signal: stop.signal, onProgress: () => stop.abort() });
    expect((await rejection(stopped)).name).to.equal('AbortError');
    expect(await readdir(folder)).to.deep.equal(['photos']);
  });

  it('refuses an output within the pictures, and options out of range', async () => {
    await putAll({ 'test/a/x.png': grey(1), 'test/b/y.png': grey(2) });
    expect(await rejection(prepare({}, join(folder, 'photos', 'small')))).to.be.instanceOf(UsageError);
    expect(await refusal({ size: [0, 4] })).to.match(/^size: expected/);
    expect(await refusal({ crop: 'left' as never })).to.match(/^crop: expected center or none, got left/);
    expect(await refusal({ resample: 'lanczos' as never })).to.match(/^resample: expected bilinear or bicubic/);
    expect(await refusal({ background: [0, 256, 0] })).to.match(/^background: expected/);
  });

  it('reads sizes and colours of the command line', () => {
    expect(parseSize('64')).to.deep.equal([64, 64]);
    expect(parseSize('64x48')).to.deep.equal([64, 48]);
    expect(parseColour('white')).to.deep.equal([255, 255, 255]);
    expect(parseColour('#FF8000')).to.deep.equal([255, 128, 0]);
    for (const text of ['', 'x', '6.4', '-1']) expect(() => parseSize(text)).to.throw(UsageError, '--size');
    for (const text of ['', 'toString', '#12', 'ff80001']) {
      expect(() => parseColour(text)).to.throw(UsageError, '--background');
    }
  });
});
