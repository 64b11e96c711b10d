import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { runCommandLine } from '../../src/cli/run.ts';
import { UsageError } from '../../src/core/errors.ts';
import { synthetic } from '../../src/data/sets/synthetic.ts';
import { configHash, parseConfig } from '../../src/training/config/config.ts';
import { sha256OfFile } from '../../src/training/run/fingerprint.ts';
import { parseMetrics } from '../../src/training/run/metrics.ts';
import { temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

const docs = fileURLToPath(new URL('../../../docs', import.meta.url));
const runLines = fileURLToPath(new URL('./command-lines.js', import.meta.url));

/** What a command prints. */
async function printed(...args: string[]): Promise<string> {
  let text = '';
  const terminal = silentTerminal();
  await runCommandLine(args, '0.0.0', {
    ...terminal,
    print: (line) => {
      text += line;
    },
  });
  return text;
}

const configOf = async (...args: string[]) => JSON.parse(await printed('train', ...args, '--print-config'));

const messageOf = async (...args: string[]): Promise<string> => {
  const thrown = await printed(...args).then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).to.be.instanceOf(UsageError);
  return (thrown as UsageError).message;
};

describe('methods on the command line', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));
  const run = (name: string, file: string) => join(folder, 'runs', name, file);
  const config = (name: string) => JSON.parse(readFileSync(run(name, 'config.json'), 'utf8'));
  const lastRow = (name: string) => parseMetrics(readFileSync(run(name, 'metrics.csv'), 'utf8'), name).at(-1);

  before(() => {
    const { test } = synthetic();
    writeFileSync(
      join(folder, 'extra.safetensors'),
      encodeSafetensors({
        images: { dtype: 'U8', shape: [test.count, 8, 8, 1], data: test.images.slice() },
        labels: { dtype: 'U8', shape: [test.count], data: test.labels.slice() },
      }),
    );
  });

  it('train as the page on training says', async () => {
    const page = readFileSync(join(docs, 'training.md'), 'utf8');
    const [, block] = /^## Trained weights.*?^```sh\n(.*?)^```$/ms.exec(page) ?? ['', ''];
    const small = ['--train-limit', '96', '--batch-size', '24', '--width', '0.1', '--backend', 'cpu'];
    const lines = block
      .trim()
      .split('\n')
      .map((line) => [...line.split(' ').slice(1), ...small, ...(line.includes('--epochs') ? [] : ['--epochs', '1'])]);
    expect(lines).to.have.length(10);
    lines.push([
      'sweep',
      '--from',
      'runs/dense',
      '--sparsity',
      '0.5,0.9',
      '--epochs',
      '1',
      '--jobs',
      '2',
      '--no-evaluate',
      ...small.filter((flag) => flag !== '--width' && flag !== '0.1'),
    ]);
    const { status, stderr } = spawnSync(process.execPath, [runLines, JSON.stringify(lines)], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(status, stderr).to.equal(0);

    const from = await sha256OfFile(run('dense', 'checkpoints/best.safetensors'));
    for (const name of ['pruned', 'global', 'gradual']) {
      expect(config(name)).to.include({ from, dataset: 'synthetic', model: 'mlp', sparsity: 0.9 });
      expect(JSON.parse(readFileSync(run(name, 'inputs.json'), 'utf8'))).to.deep.equal({
        from: run('dense', 'checkpoints/best.safetensors'),
      });
      expect(lastRow(name)?.sparsity).to.be.closeTo(0.9, 0.001);
    }
    expect(config('layers').layerSparsities).to.deep.equal({ 'fc1.kernel': 0.95, 'fc3.kernel': 0.5 });
    expect(config('linear')).to.include({ dropSchedule: 'linear', updateInterval: 5 });
    expect(config('bsr')).to.include({ weightNoise: 1e-5, firstStageDensity: 0.3 });
    expect(config('rigl')).to.include({ objective: 'natural', nesterov: true, updateInterval: 4, epochs: 2 });
    expect(config('rigl')).not.to.have.property('recipe');
    expect(config('rigl')).to.include({ maskUpdate: 'after-step', weightDecayScope: 'all' });
    expect(existsSync(run('cached', 'snapshot-gradients.bin'))).to.equal(false);
    expect(config('rst')).to.include({ extraShare: 0.25, beta: 6 });
    const sweep = (name: string) => readdirSync(join(folder, 'runs/sweep')).filter((run) => run.includes(name));
    expect([sweep('one-shot-0.5').length, sweep('one-shot-0.9').length]).to.deep.equal([1, 1]);
    // 18 images of the data set in a batch of 24.
    expect(lastRow('rst')?.step).to.equal(Math.ceil(96 / 18));
  });

  it('take the flags of a sweep from its file, and those of the command line before them', async () => {
    const file = join(folder, 'sweep.yaml');
    const grid = 'dataset: synthetic\nmodel: mlp\nepochs: 1\nsparsity: [0, 0.9]\nseeds: 0..1\n';
    writeFileSync(file, `${grid}jobs: 2\nout: elsewhere\nattacks: pgd-5x2\nevaluation-epsilon: [0.1, 1/10]\n`);
    expect(JSON.parse(await printed('sweep', '--config', file, '--print-config'))).to.have.length(4);
    writeFileSync(file, `${grid}jobs: 0\n`);
    expect(await messageOf('sweep', '--config', file)).to.match(
      /jobs in .*sweep\.yaml takes a whole number from 1 to 1024, got 0/,
    );
    writeFileSync(file, `${grid}attacks: pdg-5\n`);
    expect(await messageOf('sweep', '--config', file)).to.match(/There is no attack pdg-5/);
    writeFileSync(file, `${grid}attacks: [fgsm, pdg-5]\n`);
    expect(await messageOf('sweep', '--config', file)).to.match(/There is no attack pdg-5/);
    writeFileSync(file, `${grid}attacks: [fgsm, pgd-5]\n`);
    expect(JSON.parse(await printed('sweep', '--config', file, '--print-config'))).to.have.length(4);
    expect(await messageOf('train', '--config', file)).to.match(
      /sparsity in .*sweep\.yaml takes one value, got 0,0\.9\. .*equipoise sweep/,
    );
    writeFileSync(file, `${grid}threads: many\n`);
    expect(await messageOf('sweep', '--config', file)).to.match(/threads in .*sweep\.yaml must be a number/);
  });

  it('are refused where a file gives one of them twice, or a list where it takes one value', async () => {
    const file = join(folder, 'twice.yaml');
    for (const [text, command, says] of [
      ['batchSize: 8\nbatch-size: 16\n', 'train', /gives batchSize and batch-size, which are the same setting/],
      ['seed: 1\nseeds: 0..2\n', 'sweep', /gives seed and seeds, which are the same setting/],
      ['out: [a]\n', 'sweep', /out in .*twice\.yaml takes one value, got a list of 1\./],
    ] as const) {
      writeFileSync(file, text);
      expect(await messageOf(command, '--config', file, '--print-config')).to.match(says);
    }
  });

  it('are refused as a range of a single run, with the command that takes it', async () => {
    expect(await messageOf('train', '--seed', '0..2')).to.match(
      /--seed takes one value, got 0\.\.2\. .*equipoise sweep/,
    );
    expect(await messageOf('train', '--lr', '1e400')).to.match(/got 1e400, which is not finite\. Write/);
    expect(await messageOf('train', '--hlep')).to.match(/Did you mean --help\?/);
  });

  it('start from a recipe that flags and a file override', async () => {
    const file = join(folder, 'recipe.yaml');
    writeFileSync(file, 'recipe: bsr-net\nsparsity: 0.95\nepochs: 40\n');
    const given = { recipe: 'bsr-net', sparsity: 0.95, epochs: 20, method: 'rigl' } as const;
    expect(await configOf('--config', file, '--epochs', '20', '--method', 'rigl')).to.deep.equal(parseConfig(given));
    const jobs = JSON.parse(
      await printed('sweep', '--recipe', 'rigl,itop', '--sparsity', '0.9', '--seeds', '0,1', '--print-config'),
    );
    expect(jobs.map(({ id }: { id: string }) => id)).to.have.members(
      (['rigl', 'itop'] as const).flatMap((recipe) =>
        [0, 1].map((seed) => configHash(parseConfig({ recipe, sparsity: 0.9, seed }))),
      ),
    );
  });

  it('take sparsities by layer from a file too', async () => {
    const file = join(folder, 'layers.yaml');
    writeFileSync(file, 'sparsity: 0.9\nlayerSparsities:\n  fc.kernel: 1/2\n');
    expect(await configOf('--config', file)).to.deep.include({
      distribution: 'per-layer',
      layerSparsities: { 'fc.kernel': 0.5 },
    });
  });

  it('are refused in the words of whoever asked: flags by a dash, settings of a file by their names', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'agentGamma: 0.2\n');
    expect(await messageOf('train', '--config', file)).to.equal(
      `agentGamma (${file}) 0.2 applies only to the optimizer agent, got --optimizer sgd. Leave agentGamma (${file}) out, or change --optimizer.`,
    );
    expect(await messageOf('train', '--config', file, '--agent-gamma', '0.3')).to.match(/^--agent-gamma 0\.3 applies/);
    expect(await messageOf('train', '--batch-size', '0')).to.equal('--batch-size must be above 0, got 0.');
    expect(await messageOf('sweep', '--batch-size', '0,1')).to.equal('--batch-size must be above 0, got 0.');
    expect(await messageOf('sweep', '--seeds', '0.5')).to.equal('--seeds must be a whole number, got 0.5.');
    expect(await messageOf('train', '--layer-sparsities', 'fc.kernel')).to.match(/as a=0\.5,b=0\.9, got fc\.kernel/);
    expect(await messageOf('train', '--layer-sparsities', 'a=1/2,a=0.1')).to.match(/names a twice/);
    expect(await messageOf('train', '--layer-sparsities', 'a=95')).to.match(
      /^--layer-sparsities a must be below 1, got 95.*did you mean 0\.95/,
    );
    expect(await messageOf('train', '--method', 'one-shot', '--sparsity', '0.9')).to.match(/give a .* with --from\.$/);
    expect(await messageOf('train', '--cache-memory', '-1', '--backend', 'cpu')).to.match(
      /--cache-memory is a number of mega/,
    );
    expect(await messageOf('train', '--method', 'rigl', '--sparsity', '0.9', '--distribution', 'global')).to.match(
      /^--distribution global .* applies to the methods one-shot and gradual; --method rigl draws its masks without/,
    );
  });

  it('are refused on resuming a run under other ones, each by its flag and its place in a file', async () => {
    const out = join(folder, 'resumed');
    const base = ['train', '--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--sparsity', '0.9'];
    const small = [...base, '--epochs', '1', '--train-limit', '32', '--backend', 'cpu', '--quiet', '--out', out];
    const again = (...more: string[]) => messageOf(...small, '--resume', ...more);
    await printed(...small);
    expect(await again('--mask-update', 'instead-of-step', '--update-interval', '2')).to.equal(
      `${out} holds a run of another configuration: --update-interval was 100, now 2; --mask-update was after-step, now instead-of-step. Resume it without these changes, or choose another folder.`,
    );
    // What only one of the methods has follows from them.
    expect(await again('--method', 'static')).to.match(
      /configuration: --method was rigl, now static\. Resume it without/,
    );
    const file = join(folder, 'changed.yaml');
    writeFileSync(file, 'batchSize: 16\n');
    expect(await again('--config', file)).to.match(
      /: batchSize \(.*changed\.yaml\) was \d+, now 16\. Resume it without this/,
    );
  });
});
