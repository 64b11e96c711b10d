// What the command says of data sets that are there, whole or damaged, and the limit of their sizes.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { encode as encodePng } from 'fast-png';
import { runCommandLine } from '../../src/cli/run.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { loadDataset } from '../../src/data/load.ts';
import { rejection } from '../rejection.ts';
import { temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

describe('equipoise data info', () => {
  const folder = temporaryFolder();
  const mnistFiles = ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'];

  /** What the command prints, and what it ends with. */
  async function info(...args: readonly string[]): Promise<{ readonly printed: string; readonly thrown: unknown }> {
    let printed = '';
    const print = (text: string) => {
      printed += text;
    };
    const thrown = await runCommandLine(['data', 'info', ...args], '0.0.0', { ...silentTerminal(), print }).then(
      () => null,
      (error: unknown) => error,
    );
    return { printed, thrown };
  }

  before(() => {
    for (const name of ['mnist', 'fashion-mnist']) {
      mkdirSync(join(folder, name));
      for (const file of mnistFiles) writeFileSync(join(folder, name, `${file}-ubyte`), 'damaged');
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  it('names the classes of a data set with their numbers of images', async () => {
    const { printed } = await info('synthetic');
    const { classes, train, test } = await loadDataset('synthetic');
    const count = (labels: Uint8Array, k: number) => labels.filter((label) => label === k).length;
    for (const [k, name] of classes.entries()) {
      const row = new RegExp(`^${name} +${count(train.labels, k)} +${count(test.labels, k)}$`, 'm');
      expect(printed).to.match(row);
    }
    const [json] = JSON.parse((await info('synthetic', '--json')).printed);
    expect(json.classes).to.deep.equal(classes);
    expect(json.trainByClass.reduce((sum: number, n: number) => sum + n, 0)).to.equal(train.count);
  });

  it('shows all that is whole and names every data set that is damaged', async () => {
    const { printed, thrown } = await info('--data', folder);
    expect(printed)
      .to.match(/^mnist10k.*: 8000 training and 2000 test images/m)
      .and.to.match(/^synthetic: /m);
    expect(thrown).to.be.instanceOf(InputError);
    expect((thrown as Error).message).to.match(/^mnist: .*mnist\/train-\S+/m);
    expect((thrown as Error).message).to.match(/^fashion-mnist: .*fashion-mnist\/train-\S+/m);
  });

  it('holds data to the limit of sizes that a flag sets', async () => {
    const before = process.env.EQUIPOISE_DATA_LIMIT;
    try {
      const { thrown } = await info('mnist10k', '--size-limit', '1e-4');
      expect((thrown as Error).message).to.match(/expected at most 107 kB\. .*--size-limit GB/);
      expect((await info('mnist10k', '--size-limit', '2')).thrown).to.equal(null);
      const refused = (await info('mnist10k', '--size-limit', '0')).thrown;
      expect(refused).to.be.instanceOf(UsageError);
      expect((refused as Error).message).to.equal('--size-limit expects a number of GB above 0, got 0.');
    } finally {
      if (before === undefined) delete process.env.EQUIPOISE_DATA_LIMIT;
      else process.env.EQUIPOISE_DATA_LIMIT = before;
    }
  });
});

describe('equipoise data prepare', () => {
  const folder = temporaryFolder();
  const photos = join(folder, 'photos');
  const out = join(folder, 'small');

  const run = async (...args: readonly string[]): Promise<string> => {
    let printed = '';
    const print = (text: string) => {
      printed += text;
    };
    await runCommandLine(['data', 'prepare', ...args], '0.0.0', { ...silentTerminal(), print });
    return printed;
  };

  before(() => {
    for (const [place, name] of ['bird', 'cat'].entries()) {
      mkdirSync(join(photos, 'test', name), { recursive: true });
      const data = new Uint8Array(4 * 30 * 20).fill(80 + place);
      writeFileSync(join(photos, 'test', name, '1.png'), encodePng({ width: 30, height: 20, channels: 4, data }));
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  it('makes a folder that --dataset folder takes, and says what to do with it', async () => {
    const printed = await run(photos, '--size', '16x12', '--crop', 'center', '--background', 'white', '--out', out);
    expect(printed).to.include('0 training and 2 test images of 2 classes').and.include(`--data ${out}`);
    expect((await loadDataset('folder', { directory: out })).imageShape).to.deep.equal([12, 16, 3]);
  });

  it('asks for what is missing, and names a flag that is wrong', async () => {
    const refusal = (...args: readonly string[]) => rejection(run(...args));
    for (const args of [[], [photos], [photos, '--size', '16'], [photos, '--out', out]]) {
      expect((await refusal(...args)).message).to.match(/needs a folder of pictures, a size and a folder to make/);
    }
    expect((await refusal(photos, '--size', 'big', '--out', out)).message).to.match(/^--size: expected/);
    expect((await refusal(photos, '--size', '4', '--background', 'sky', '--out', out)).message).to.match(
      /^--background: expected white/,
    );
  });
});
