import { once } from 'node:events';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseConfig } from '../../src/training/config/config.ts';
import { equipoise, startEquipoise } from './equipoise.ts';
import { contents, temporaryFolder } from './folder.ts';

const tiny = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--backend', 'cpu'];

describe('equipoise train', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  it('prints the configuration that flags and a file lead to, and writes nothing', () => {
    const file = join(folder, 'run.yaml');
    writeFileSync(file, 'dataset: cifar10\nepsilon: 4/255\nmethod: rigl\nsparsity: 0.9\nepochs: 7\n');
    const args = ['train', '--config', file, '--epochs', '9', '--step-size', '1/255', '--no-dense-first-conv'];
    const { code, stdout, stderr } = equipoise([...args, '--print-config'], folder);
    expect([code, stderr]).to.deep.equal([0, '']);
    const settings = { dataset: 'cifar10', method: 'rigl', sparsity: 0.9, epochs: 9, denseFirstConv: false } as const;
    expect(JSON.parse(stdout)).to.deep.equal(parseConfig({ ...settings, epsilon: 4 / 255, stepSize: 1 / 255 }));
    expect(readdirSync(folder)).to.deep.equal(['run.yaml']);
  });

  it('takes its own flags from the file too, and prints commands that a shell takes', () => {
    const file = join(folder, 'all.yaml');
    writeFileSync(
      file,
      `dataset: synthetic\nmodel: mlp\nwidth: 0.1\ntrain-limit: 64\nepochs: 1\nout: 'a run; of mine'\n`,
    );
    const { code, stdout, stderr } = equipoise(['train', '--config', file, '--backend', 'cpu', '--quiet'], folder);
    expect(code, stderr).to.equal(0);
    expect(stdout).to.contain("next: equipoise evaluate 'a run; of mine'");
    expect(Object.keys(contents(join(folder, 'a run; of mine')))).to.include('config.json');
    rmSync(join(folder, 'a run; of mine'), { recursive: true });
    rmSync(file);
  });

  it('takes the configuration of a run as a file for another', () => {
    const json = join(folder, 'run.json');
    const first = equipoise(['train', '--sparsity', '0.5', '--print-config'], folder).stdout;
    writeFileSync(json, first);
    expect(equipoise(['train', '--config', json, '--print-config'], folder).stdout).to.equal(first);
  });

  it('trains into a folder named by the configuration, which the same command does not overwrite but resumes', () => {
    const command = ['train', ...tiny, '--epochs', '1', '--sparsity', '0.5'];
    const first = equipoise([...command, '--json'], folder);
    expect(first.code, first.stderr).to.equal(0);
    const summary = JSON.parse(first.stdout);
    expect(summary).to.include({ status: 'done', epoch: 1 });
    expect(summary.out).to.match(/^runs\/synthetic-mlp-rigl-0\.5-at-sgd-seed0-[0-9a-f]{8}$/);
    expect(first.stderr).to.match(/^epoch 1\/1 \| loss \d/m);
    expect(first.stderr).not.to.contain('Hi, looks like');
    expect(Object.keys(contents(join(folder, summary.out)))).to.include.members([
      'config.json',
      'metrics.csv',
      'events.jsonl',
      'checkpoints/best.safetensors',
      'checkpoints/last.safetensors',
    ]);

    const again = equipoise(command, folder);
    expect([again.code, /--resume/.test(again.stderr)]).to.deep.equal([2, true]);
    const resumed = equipoise([...command, '--resume', '--json', '--quiet'], folder);
    expect([resumed.code, resumed.stderr]).to.deep.equal([0, '']);
    expect(JSON.parse(resumed.stdout)).to.deep.equal(summary);
  });

  it('saves on Ctrl-C, says how to go on, ends by the signal, and goes on to the same weights', async () => {
    const command = ['train', ...tiny, '--epochs', '10', '--sparsity', '0.5', '--optimizer', 'agent'];
    const running = startEquipoise([...command, '--out', 'stopped'], folder);
    let said = '';
    running.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (said.includes('epoch 1/10') === false && (said + text).includes('epoch 1/10')) running.kill('SIGINT');
      said += text;
    });
    const [, signal] = await once(running, 'close');
    expect(signal, said).to.equal('SIGINT');
    expect(said).to.match(
      /Saved after \d+ epochs?, at step \d+\. Go on with:\n {2}equipoise train --resume stopped\n$/,
    );
    expect(said).not.to.match(/\n {4}at /);

    expect(equipoise(['train', '--resume', 'stopped', '--quiet'], folder).code).to.equal(0);
    expect(equipoise([...command, '--out', 'undisturbed', '--quiet'], folder).code).to.equal(0);
    const last = (run: string) => readFileSync(join(folder, run, 'checkpoints/last.safetensors'));
    expect(last('stopped').equals(last('undisturbed'))).to.equal(true);
  });

  it('goes on with other settings beside training, and with no others', () => {
    const command = ['train', ...tiny, '--epochs', '1', '--out', 'beside', '--quiet'];
    expect(equipoise(command, folder).code).to.equal(0);
    const { code, stderr } = equipoise(['train', '--resume', 'beside', '--checkpoint-every', '60', '--quiet'], folder);
    expect([code, stderr]).to.deep.equal([0, '']);
    expect(JSON.parse(readFileSync(join(folder, 'beside', 'config.json'), 'utf8')).checkpointEvery).to.equal(60);
    const refused = equipoise(['train', '--resume', 'beside', '--checkpoint-every', '60', '--lr', '1'], folder);
    expect(refused.stderr).to.match(/keeps its configuration and its folder, so --resume takes no settings, got --lr/);
  });

  it('says what masks did in an epoch, and that nothing was held out where it was not', () => {
    const few = [...tiny.map((word) => (word === '64' ? '9' : word)), '--epochs', '1', '--batch-size', '3'];
    const { stdout, stderr } = equipoise(
      ['train', ...few, '--sparsity', '0.5', '--method', 'gradual', '--update-interval', '1', '--out', 'few'],
      folder,
    );
    expect(stderr).to.match(/^warning: No images are held out of 9/m);
    expect(stderr).to.match(/^epoch 1\/1 \| loss \S+ \| training [^|]* \| masks −\d+ weights \| \d/m);
    expect(stderr).not.to.match(/validation|best so far/);
    expect(stdout).to.match(/^trained 1 epoch, 3 steps\nno images held out: best is the last epoch\nnext: /);
    const rewired = equipoise(
      ['train', ...tiny, '--epochs', '1', '--sparsity', '0.5', '--update-interval', '1'],
      folder,
    );
    expect(rewired.stderr).to.match(/ \| masks −(\d+) \+\1 weights \| /);
  });
});
