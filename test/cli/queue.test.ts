// What commands of queues and parts of evaluations take and refuse, as far as no server is needed.
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/run.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { rejection } from '../rejection.ts';
import { contents, temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

/** Runs a command line in this process; what it prints. */
async function run(...args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  await runCommandLine([...args, '--quiet'], '0.0.0', {
    ...silentTerminal(),
    print: (text) => printed.push(text),
  });
  return printed.join('\n');
}

describe('the commands of a queue', () => {
  const folder = temporaryFolder();
  const away = 'redis://127.0.0.1:1';
  before(() => writeFileSync(join(folder, 'file'), ''));
  after(() => rmSync(folder, { recursive: true }));

  for (const [what, args, says] of [
    ['a worker without a queue', ['worker', '--out', folder], 'EQUIPOISE_QUEUE'],
    ['a worker without a folder', ['worker', '--queue', away], '--out'],
    ['a worker whose folder is a file', ['worker', '--queue', away, '--out', join(folder, 'file')], 'is a file'],
    ['an address of another kind', ['worker', '--queue', 'http://server', '--out', folder], 'redis://HOST:PORT'],
    ['no hours', ['worker', '--queue', away, '--out', folder, '--max-hours', '0'], '--max-hours'],
    ['a lock of no time', ['worker', '--queue', away, '--out', folder, '--lock-time', '0.1'], '--lock-time'],
    ['unknown kernels', ['worker', '--queue', away, '--out', folder, '--kernels', 'smd'], 'Did you mean simd?'],
    ['a sweep that follows no queue', ['sweep', '--follow'], '--follow needs --queue'],
    ['a sweep that cancels no queue', ['sweep', '--cancel'], '--cancel needs --queue'],
    ['jobs of a queue', ['sweep', '--queue', away, '--jobs', '2'], 'equipoise worker'],
    ['to follow and to cancel', ['sweep', '--queue', away, '--follow', '--cancel'], 'exclude each other'],
    ['to follow with settings', ['sweep', '--queue', away, '--follow', '--epochs', '2'], 'takes no settings'],
  ] as const) {
    it(`refuse ${what}`, async () => {
      const error = await rejection(run(...args));
      expect(error).to.be.instanceOf(UsageError);
      expect(error.message).to.contain(says);
    });
  }

  it('read the address of the queue before a backend is started', async () => {
    const notes: string[] = [];
    const terminal = { ...silentTerminal(), note: (text: string) => void notes.push(text) };
    const sweep = runCommandLine(['sweep', '--queue', 'http://server', '--dataset', 'synthetic'], '0.0.0', terminal);
    expect((await rejection(sweep)).message).to.contain('redis://HOST:PORT');
    expect(notes).to.deep.equal([]);
  });

  it('say that no server answers, and write nothing', async () => {
    const before = contents(folder);
    for (const args of [
      ['worker', '--queue', away, '--out', join(folder, 'runs')],
      ['sweep', '--queue', away, '--follow'],
      ['sweep', '--queue', away, '--cancel'],
      ['sweep', '--queue', away, '--dataset', 'synthetic', '--backend', 'cpu', '--out', join(folder, 'runs')],
    ]) {
      const error = await rejection(run(...args));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(`No server answers at ${away}`);
    }
    expect(contents(folder)).to.deep.equal(before);
  });
});

describe('an evaluation in parts, by commands', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  it('ends with the record of one command', async () => {
    const [alone, parts] = ['alone', 'parts'].map((name) => join(folder, name));
    const net = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--steps', '1'];
    await run('train', ...net, '--epochs', '1', '--backend', 'cpu', '--out', alone);
    cpSync(alone, parts, { recursive: true });
    const how = ['--attacks', 'pgd-2', '--test-limit', '40', '--batch-size', '8', '--backend', 'cpu'];
    await run('evaluate', alone, ...how);
    const files: string[] = [];
    for (const shard of ['1/2', '2/2']) {
      const made = JSON.parse(await run('evaluate', parts, ...how, '--shard', shard, '--json'));
      files.push(...made.map(({ file }: { readonly file: string }) => file));
    }
    await run('evaluate', parts, ...how, '--merge', files.join(','));
    const record = (run: string) => readFileSync(join(run, 'evaluation.json'), 'utf8');
    expect(record(parts)).to.equal(record(alone));
  });

  it('takes one way to divide it', async () => {
    for (const flags of [
      ['--shard', '1/2', '--merge', 'a.json'],
      ['--shard', '1/2', '--resume'],
      ['--shard', '1/2', '--save-examples', 'folder'],
      ['--shard', '3/2'],
    ]) {
      expect(await rejection(run('evaluate', folder, ...flags))).to.be.instanceOf(UsageError);
    }
  });
});
