// What the command says of data sets that are there, whole or damaged, and the limit of their sizes.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/run.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { loadDataset } from '../../src/data/load.ts';
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
      expect((thrown as Error).message).to.match(/expected at most 0\.11 MB\. .*--size-limit GB/);
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
