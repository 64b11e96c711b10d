// The list of runs over real runs of a small sweep, at several widths of the screen.
import '@tensorflow/tfjs-backend-cpu';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { runCommandLine } from '../../src/cli/run.ts';
import { UsageError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { acquireLock } from '../../src/files/lock.ts';
import { listRuns } from '../../src/reporting/runs/run-list.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import { runSweep } from '../../src/sweeps/sweep.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { smallest } from '../sweeps/smallest.ts';
import { temporaryFolder } from './folder.ts';
import { silentTerminal } from './terminal.ts';

describe('equipoise runs', () => {
  const folder = temporaryFolder();
  const sweep = join(folder, 'runs/sweep');

  /** What the command prints and notes. */
  async function shown(
    args: readonly string[],
    columns = 120,
  ): Promise<{ readonly printed: string; readonly notes: string }> {
    const [printed, notes]: string[][] = [[], []];
    await runCommandLine(['runs', ...args], '0.0.0', {
      ...silentTerminal(),
      columns,
      print: (text) => void printed.push(text),
      warn: (text) => void notes.push(text),
    });
    return { printed: printed.join('\n'), notes: notes.join('\n') };
  }
  const listed = async (...args: readonly string[]): Promise<{ name: string; results: Record<string, number> }[]> =>
    JSON.parse((await shown([...args, '--json'])).printed);

  before(async () => {
    await tf.setBackend('cpu');
    const jobs = jobsOf({ settings: smallest, axes: { sparsity: [0, 0.5], seed: [0, 1] } });
    const { done } = await runSweep(jobs, { out: sweep, evaluation: { attacks: parseAttacks('fgsm') } });
    expect(done).to.have.length(4);
    mkdirSync(join(folder, 'runs/broken'), { recursive: true });
    writeFileSync(join(folder, 'runs/broken/config.json'), '{"sparsity": 2}');
  });
  after(() => rmSync(folder, { recursive: true }));

  it('lists runs in sweeps too, with the settings in which they differ, and says which cannot be read', async () => {
    const { printed, notes } = await shown([join(folder, 'runs')]);
    const [header, , ...rows] = printed.split('\n');
    expect(header.split(/ {2,}/)).to.deep.equal(['run', 'sparsity', 'method', 'seed', 'state', 'clean', 'robust']);
    expect(
      rows.filter((row) => / complete +\d\S* % +\d\S* %$/.test(row)),
      printed,
    ).to.have.length(4);
    expect(printed).to.match(/\n4 of 4 runs; robust is under union linf \d/);
    expect(notes).to.match(/^broken cannot be read: .*config\.json/);
  });

  it('says which runs a process works on', async () => {
    const [{ name }] = await listed(sweep);
    const lock = await acquireLock(runFolder(join(sweep, name)).lock);
    try {
      const { printed } = await shown([sweep]);
      expect(printed.match(/ being evaluated /g), printed).to.have.length(1);
      expect(printed.match(/ complete /g), printed).to.have.length(3);
    } finally {
      await lock.release();
    }
  });

  it('filters by settings, named as in a configuration or as flags', async () => {
    const names = async (where: string) => (await listed(sweep, '--where', where)).map(({ name }) => name);
    expect(await names('sparsity=0.5')).to.have.length(2);
    expect(await names('sparsity=0.5,seed=1')).to.have.length(1);
    expect(await names('trainLimit=20')).to.have.length(4);
    expect(await names('train-limit=21')).to.deep.equal([]);
    expect((await shown([sweep, '--where', 'seed=9'])).printed).to.equal('None of 4 runs matches.');
  });

  it('sorts by robust accuracy, the highest first', async () => {
    const robust = (await listed(sweep, '--sort', 'robust')).map(
      ({ results }) => Object.entries(results).find(([name]) => name.startsWith('best union'))?.[1] ?? -1,
    );
    expect(robust).to.deep.equal(robust.toSorted((a, b) => b - a));
  });

  it('shows the accuracy that is left in all norms where a run was evaluated in several', async () => {
    const out = join(folder, 'norms');
    const norms = { linf: 0.05, l2: 0.3 };
    const evaluation = { attacks: parseAttacks('fgsm'), norms, checkpoints: ['last'] as const };
    const [job] = jobsOf({ settings: smallest, axes: { seed: [0] } });
    await runSweep([job], { out, evaluation });
    const [{ results }] = await listed(out);
    const across = results['last all norms linf 0.05 + l2 0.3'];
    expect(across).to.be.at.most(Math.min(results['last union linf 0.05'], results['last union l2 0.3']));
    expect((await listRuns(out)).runs[0].quoted).to.deep.equal({
      clean: results['last clean'],
      robust: across,
      under: 'all norms linf 0.05 + l2 0.3',
    });
    expect(
      Object.keys(results).filter((name) => name.startsWith('best ') && name !== 'best validation accuracy'),
    ).to.deep.equal([]);
  });

  for (const columns of [80, 40]) {
    it(`shows every run in ${columns} columns`, async () => {
      const { printed } = await shown([sweep], columns);
      for (const { name } of await listed(sweep)) expect(printed).to.contain(name);
      for (const line of printed.split('\n')) expect(line.length, line).to.be.at.most(Math.max(columns, 60));
    });
  }

  it('shows the settings and the results in which two runs differ, and nothing else', async () => {
    const [dense, sparse] = ['0', '0.5'].map((sparsity) => `sparsity=${sparsity},seed=0`);
    const [a] = await listed(sweep, '--where', dense);
    const [b] = await listed(sweep, '--where', sparse);
    const pair = [join(sweep, a.name), join(sweep, b.name)];
    const { settings, results } = JSON.parse((await shown(['--diff', ...pair, '--json'])).printed);
    const byName = Object.fromEntries(settings.map(([name, ...values]: string[]) => [name, values]));
    expect(byName).to.include.keys('sparsity', 'method').and.not.to.include.keys('seed', 'epochs', 'version');
    expect(byName.sparsity).to.deep.equal(['0', '0.5']);
    expect(byName.method).to.deep.equal(['dense', 'rigl']);
    for (const [name, x, y] of results) {
      expect(x, name).not.to.equal('');
      expect(y, name).not.to.equal('');
    }
    expect(results.map(([name]: string[]) => name)).to.include('seconds');
    const { printed } = await shown(['--diff', ...pair]);
    expect(printed)
      .to.match(/^sparsity +0 +0\.5$/m)
      .and.to.match(/^result +A +B$/m);
    const same = await shown(['--diff', pair[0], pair[0]]);
    expect(same.printed).to.match(/All settings are equal\.\n\nAll results are equal\.$/);
  });

  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--diff', sweep], /--diff expects the folders of two runs/],
    [['--diff', sweep, sweep], /holds 4/],
    [[sweep, sweep], /To compare, add --diff/],
    [[sweep, '--where', 'sparisty=0'], /Did you mean sparsity\?/],
    [[sweep, '--where', 'sparsity'], /such as sparsity=0\.9, got sparsity/],
    [[sweep, '--sort', 'speed'], /--sort expects one of name, clean, robust, got speed/],
  ];
  for (const [args, says] of wrong) {
    it(`refuses ${args.map((word) => word.replace(sweep, 'SWEEP')).join(' ')}`, async () => {
      const thrown = await shown(args).then(
        () => null,
        (error: unknown) => error,
      );
      expect(thrown).to.be.instanceOf(UsageError);
      expect((thrown as Error).message).to.match(says);
    });
  }
});
