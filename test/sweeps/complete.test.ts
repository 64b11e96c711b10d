import '@tensorflow/tfjs-backend-cpu';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { completionOf } from '../../src/checkpoints/completion.ts';
import { previousOf } from '../../src/checkpoints/files/atomic-file.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { acquireLock } from '../../src/files/lock.ts';
import { formatRecord } from '../../src/files/lock-record.ts';
import { thisProcess } from '../../src/files/owner.ts';
import { cachedReader } from '../../src/reporting/live/cached-runs.ts';
import { writeReport } from '../../src/reporting/report.ts';
import { listRuns } from '../../src/reporting/runs/run-list.ts';
import { readRuns } from '../../src/reporting/runs/runs.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import { warningOf } from '../../src/sweeps/job.ts';
import { type ChildProcesses, runSweep, type SweepEvent } from '../../src/sweeps/sweep.ts';
import { METRIC_COLUMNS } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { rejection } from '../rejection.ts';
import { outcome } from '../training/tiny.ts';

const evaluation = { attacks: parseAttacks('fgsm') };
const jobs = jobsOf({
  settings: {
    dataset: 'synthetic',
    model: 'mlp',
    width: 0.1,
    trainLimit: 64,
    testLimit: 20,
    batchSize: 16,
    epochs: 2,
    steps: 1,
    backend: 'cpu',
  },
  axes: { seed: [0, 1] },
});
const [job, other] = jobs;
const processes: ChildProcesses = { count: 1, entry: new URL('./child-entry.js', import.meta.url), threads: 1 };

describe('a run that is not complete', () => {
  let base = '';
  let whole = '';
  let expected: unknown;
  let count = 0;
  before(async () => {
    await tf.setBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-complete-'));
    whole = join(base, 'whole');
    await runSweep(jobs, { out: whole, evaluation });
    expected = await resultOf(whole);
  });
  after(() => rm(base, { recursive: true }));

  const resultOf = async (out: string) => ({
    ...(await outcome(join(out, job.name))),
    evaluation: await readFile(join(out, job.name, 'evaluation.json'), 'utf8'),
  });
  /** A copy of the sweep, and the files of its first run. */
  async function copied() {
    const out = join(base, `sweep-${count++}`);
    await cp(whole, out, { recursive: true });
    return { out, files: runFolder(join(out, job.name)) };
  }
  /** The sweep as a crash leaves it between the row of the last epoch and its checkpoint. */
  async function behind() {
    const { out, files } = await copied();
    await cp(previousOf(files.last), files.last);
    return { out, files };
  }
  async function warningsOf(out: string, options: { processes?: ChildProcesses } = {}) {
    const warnings: string[] = [];
    const onEvent = (event: SweepEvent) => {
      const warning = event.kind === 'job-event' ? warningOf(event.event) : null;
      if (warning !== null) warnings.push(warning);
    };
    const result = await runSweep(jobs, { out, evaluation, onEvent, ...options });
    return { warnings, result };
  }

  it('is one whose last checkpoint is behind, whatever its metrics say; a sweep trains on', async () => {
    const { out, files } = await behind();
    expect(await completionOf(files.last)).to.include({ complete: false, epoch: 1, epochs: 2 });
    const { result, warnings } = await warningsOf(out);
    expect(result.done).to.deep.equal([job]);
    expect(result.before).to.deep.equal([other]);
    expect(warnings).to.deep.equal([]);
    expect(await completionOf(files.last)).to.include({ complete: true, epoch: 2, epochs: 2 });
    expect(await resultOf(out)).to.deep.equal(expected);
  });

  it('is finished though half a row, or rows of epochs to come, are in its metrics', async () => {
    for (const tail of [
      '2,8,0.5,0.',
      '2,8\n',
      [2, 3].map((epoch) => `${epoch}${',0'.repeat(METRIC_COLUMNS.length - 1)}\n`).join(''),
    ]) {
      const { out, files } = await behind();
      const lines = (await readFile(files.metrics, 'utf8')).split('\n');
      await writeFile(files.metrics, `${lines[0]}\n${lines[1]}\n${tail}`);
      await runSweep(jobs, { out, evaluation });
      expect(await resultOf(out), JSON.stringify(tail)).to.deep.equal(expected);
    }
  });

  it('is one whose last checkpoint is damaged: it says so, and trains again what is missing, from a process of its own', async () => {
    const { out, files } = await copied();
    const bytes = await readFile(files.last);
    bytes[bytes.length - 10] ^= 4;
    await writeFile(files.last, bytes);
    const { result, warnings } = await warningsOf(out, { processes });
    expect(result.done).to.deep.equal([job]);
    expect(warnings.length).to.equal(1);
    expect(warnings[0]).to.match(/last\.safetensors is damaged.*is used instead/);
    expect(await resultOf(out)).to.deep.equal(expected);
  });

  it('tells that a damaged best checkpoint is passed over, every time, from a process of its own', async () => {
    const { out, files } = await copied();
    await cp(files.best, previousOf(files.best));
    await writeFile(files.best, 'damaged');
    await rm(files.evaluation);
    for (let i = 0; i < 2; i++) {
      const { warnings } = await warningsOf(out, { processes });
      expect(warnings).not.to.deep.equal([]);
      for (const warning of warnings) expect(warning).to.match(/best\.safetensors.*is used instead/);
    }
  });
  it('fails alone if no checkpoint of it is whole', async () => {
    const { out, files } = await copied();
    for (const file of [files.last, previousOf(files.last)]) await writeFile(file, 'damaged');
    const { result } = await warningsOf(out);
    expect(result.before).to.deep.equal([other]);
    expect(result.failed.map(({ job: failed }) => failed)).to.deep.equal([job]);
    expect(result.failed[0].message).to.match(/last\.safetensors/);
  });

  it('gets its end told if it was killed right before that', async () => {
    const { out, files } = await copied();
    const events = (await readFile(files.events, 'utf8')).trimEnd().split('\n');
    await writeFile(files.events, `${events.slice(0, -1).join('\n')}\n`);
    const { result } = await warningsOf(out);
    expect(result.done).to.deep.equal([job]);
    expect(await resultOf(out)).to.deep.equal(expected);
  });

  it('fails while another process uses its folder, without advice that a sweep does not take', async () => {
    const { out, files } = await copied();
    await rm(files.evaluation);
    const lock = await acquireLock(files.lock, { heartbeatMs: 10 });
    try {
      const { result } = await warningsOf(out);
      expect(result.failed.map(({ job: failed }) => failed)).to.deep.equal([job]);
      expect(result.failed[0].message)
        .to.match(/is in use by process/)
        .and.not.contain('--out');
    } finally {
      await lock.release();
    }
  });

  it('is named when it is evaluated', async () => {
    const { files } = await behind();
    const warnings: string[] = [];
    await evaluate(files.path, { attacks: evaluation.attacks, warn: (message) => warnings.push(message) });
    expect(warnings.length).to.equal(1);
    expect(warnings[0]).to.match(/is not complete: its last checkpoint records epoch 1 of 2\./);
  });

  it('is named by a report, whose means leave it out, as its metrics leave out the epochs that happen again', async () => {
    const { out } = await behind();
    const warnings: string[] = [];
    const { results, cells, runs } = await writeReport(out, {
      gallery: false,
      warn: (message) => warnings.push(message),
    });
    expect(warnings).to.deep.equal([
      `Means and comparisons leave out ${job.name}: its training is unfinished: stopped after 1 of 2 epochs.`,
    ]);
    expect([...new Set(cells.flatMap(({ rows }) => rows.map(({ run }) => run)))]).to.deep.equal([other.name]);
    expect(new Map(results.map(({ run, complete }) => [run, complete]))).to.deep.equal(
      new Map([
        [job.name, 'false'],
        [other.name, 'true'],
      ]),
    );
    expect(runs.map(({ name, metrics }) => [name, metrics.length])).to.have.deep.members([
      [job.name, 1],
      [other.name, 2],
    ]);
    const [{ evaluations, outdated }] = await readRuns(join(out, job.name));
    expect(evaluations.map(({ target }) => target.checkpoint)).to.deep.equal(['best']);
    expect(outdated).to.deep.equal(['last']);
  });

  it('is gone on with in evaluation too: what a killed process kept of it goes when the results are there', async () => {
    const { out, files } = await copied();
    const kept = join(files.path, 'evaluation.last.interrupted.json');
    await writeFile(kept, '{');
    const { result } = await warningsOf(out);
    expect(result.done).to.deep.equal([job]);
    expect(await resultOf(out)).to.deep.equal(expected);
  });

  it('is none that was killed right after its last result, whose lock goes; one that a process holds stays', async () => {
    const { out, files } = await copied();
    const { pid } = spawnSync(process.execPath, ['--version']);
    await mkdir(files.lock);
    await writeFile(join(files.lock, 'owner-x'), formatRecord({ ...thisProcess(), pid, token: 'x', beat: 0 }));
    const held = await acquireLock(runFolder(join(out, other.name)).lock, { heartbeatMs: 10 });
    try {
      const { result } = await warningsOf(out);
      expect(result.before).to.deep.equal(jobs);
      expect(existsSync(files.lock)).to.equal(false);
      await held.guard();
    } finally {
      await held.release();
    }
  });
});

describe('a run whose folder mixes the files of two', () => {
  let base = '';
  let whole = '';
  before(async () => {
    await tf.setBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-mixed-'));
    whole = join(base, 'whole');
    await runSweep(jobs, { out: whole, evaluation });
  });
  after(() => rm(base, { recursive: true }));

  /** A copy of the sweep in which the first run has a file or folder of the second. */
  async function mixed(...names: readonly string[]) {
    const out = await mkdtemp(join(base, 'mixed-'));
    await cp(whole, out, { recursive: true });
    for (const name of names) {
      await rm(join(out, job.name, name), { recursive: true });
      await cp(join(out, other.name, name), join(out, job.name, name), { recursive: true });
    }
    return out;
  }
  async function reported(out: string) {
    const warnings: string[] = [];
    const { results } = await writeReport(out, { gallery: false, warn: (message) => warnings.push(message) });
    return { warnings, shown: new Set(results.map(({ run, checkpoint }) => `${run} ${checkpoint}`)) };
  }

  it('is refused by a sweep, a report and a list where checkpoints and configuration differ', async () => {
    for (const name of ['checkpoints', 'checkpoints/last.safetensors', 'config.json']) {
      const out = await mixed(name);
      const problem = /last\.safetensors is a checkpoint of another configuration than .*config\.json/;
      expect((await rejection(writeReport(out, { gallery: false }))).message, name).to.match(problem);
      const { runs, unread } = await listRuns(out);
      expect(runs.map((run) => run.name)).to.deep.equal([other.name]);
      expect(unread.map(({ run, reason }) => [run, problem.test(reason)])).to.deep.equal([[job.name, true]]);
      // The rule that says whether a run is complete asks its checkpoint alone.
      if (name === 'config.json') continue;
      const { failed, before: found } = await runSweep(jobs, { out, evaluation });
      expect(found).to.deep.equal([other]);
      expect(failed.map((failure) => failure.job)).to.deep.equal([job]);
      expect(failed[0].message).to.match(/of another configuration/);
    }
  });

  it('has no results of other weights in a report or a list, which name them; a sweep evaluates again', async () => {
    const out = await mixed('evaluation.json');
    const { warnings, shown } = await reported(out);
    expect(warnings).to.deep.equal(
      ['best', 'last'].map(
        (name) =>
          `Means and comparisons leave out ${job.name}: its results of ${name} are of other weights than that checkpoint holds now; evaluate it again.`,
      ),
    );
    expect([...shown].sort()).to.deep.equal([`${other.name} best`, `${other.name} last`]);
    const { runs } = await listRuns(out);
    expect(runs.map(({ name, outdated }) => [name, outdated])).to.have.deep.members([
      [job.name, ['best', 'last']],
      [other.name, []],
    ]);
    await runSweep(jobs, { out, evaluation });
    expect((await reported(out)).warnings).to.deep.equal([]);
  });

  it('is seen as such by a reader that kept what it read before', async () => {
    const out = await mixed();
    const read = cachedReader();
    const folder = join(out, job.name);
    expect((await read(folder)).outdated).to.deep.equal([]);
    await cp(runFolder(join(out, other.name)).best, runFolder(folder).best);
    expect((await read(folder)).outdated).to.deep.equal(['best']);
  });

  it('keeps results of a checkpoint that is missing or damaged, which contradicts nothing', async () => {
    const out = await mixed();
    const { best } = runFolder(join(out, job.name));
    for (const damage of [() => rm(best), () => writeFile(best, 'damaged')]) {
      await damage();
      await rm(previousOf(best), { force: true });
      expect((await reported(out)).shown).to.include(`${job.name} best`);
    }
  });

  it('is named where its metrics lack epochs', async () => {
    const out = await mixed();
    const { metrics } = runFolder(join(out, job.name));
    const text = await readFile(metrics, 'utf8');
    for (const [damage, rows] of [
      [() => writeFile(metrics, text.slice(0, text.indexOf('\n', text.indexOf('\n') + 1) + 1)), 1],
      [() => writeFile(metrics, text.slice(0, 100)), 0],
      [() => rm(metrics), 0],
    ] as const) {
      await damage();
      expect((await reported(out)).warnings.join()).to.match(
        new RegExp(
          `metrics\\.csv has the rows of ${rows} of 2 epochs; charts, costs and epochs to accuracy lack the others`,
        ),
      );
    }
  });

  it('is named where half a copy lacks its configuration', async () => {
    const out = await mixed();
    await rm(runFolder(join(out, job.name)).config);
    const reason = 'it has checkpoints and no config.json, as half a copy of a run may';
    expect((await reported(out)).warnings).to.deep.equal([`Means and comparisons leave out ${job.name}: ${reason}.`]);
    expect((await listRuns(out)).unread).to.deep.equal([{ run: job.name, reason: `${reason}.` }]);
  });
});
