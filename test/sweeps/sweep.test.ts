import '@tensorflow/tfjs-backend-cpu';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { jobsOf } from '../../src/sweeps/grid.ts';
import type { JobEvent } from '../../src/sweeps/job.ts';
import { runSweep, type SweepEvent } from '../../src/sweeps/sweep.ts';
import { smallest as settings } from './smallest.ts';

const evaluation = { attacks: parseAttacks('fgsm') };

async function withFolder(use: (out: string) => Promise<void>): Promise<void> {
  const out = await mkdtemp(join(tmpdir(), 'equipoise-sweep-'));
  try {
    await use(out);
  } finally {
    await rm(out, { recursive: true });
  }
}

describe('a sweep', () => {
  before(() => tf.setBackend('cpu'));

  const jobs = jobsOf({ settings, axes: { sparsity: [0, 0.5] } });

  it('makes the missing runs with their evaluations, and a repeated one makes none', () =>
    withFolder(async (out) => {
      const events: string[] = [];
      const first = await runSweep(jobs.slice(0, 1), { out, evaluation });
      expect(first.done).to.deep.equal(jobs.slice(0, 1));
      const second = await runSweep(jobs, { out, evaluation, onEvent: ({ kind }) => events.push(kind) });
      expect(second.before).to.deep.equal(jobs.slice(0, 1));
      expect(second.done).to.deep.equal(jobs.slice(1));
      expect([events[0], events[1], events.at(-1)]).to.deep.equal(['start', 'job-start', 'job-end']);
      expect((await readdir(out)).sort()).to.deep.equal(jobs.map(({ name }) => name).sort());
      for (const { name } of jobs) {
        const evaluations = await readEvaluations(join(out, name, 'evaluation.json'));
        expect(evaluations.map(({ target }) => target.checkpoint)).to.deep.equal(['best', 'last']);
        expect(evaluations[0].clean.n).to.equal(20);
      }
      const third = await runSweep(jobs, { out, evaluation });
      expect(third.before).to.deep.equal(jobs);
      expect(third.done).to.deep.equal([]);
    }));

  it('hands on every step of an evaluation, also from a process of its own, and what it found', () =>
    withFolder(async (out) => {
      const entry = new URL('./child-entry.js', import.meta.url);
      const more = { attacks: parseAttacks('pgd-3') };
      for (const processes of [undefined, { count: 1, entry, threads: 1 }]) {
        const folder = join(out, processes ? 'apart' : 'here');
        const told: JobEvent[] = [];
        const onEvent = (event: SweepEvent) => void (event.kind === 'job-event' && told.push(event.event));
        const { done } = await runSweep(jobs.slice(0, 1), { out: folder, evaluation: more, processes, onEvent });
        expect(done).to.have.length(1);
        const steps = told.flatMap((event) => (event.kind === 'evaluate-step' ? [event.step] : []));
        const best = steps.filter(({ checkpoint }) => checkpoint === 'best');
        expect(best.length).to.be.at.least(2);
        for (const [i, step] of best.entries()) {
          expect(step.attack).to.equal('pgd-3-ce');
          expect(step.done).to.be.within(i === 0 ? 0 : best[i - 1].done, step.total);
        }
        const [{ target, clean, attacks }] = await readEvaluations(join(folder, jobs[0].name, 'evaluation.json'));
        const union = attacks.find(({ attack }) => attack === 'union');
        const found = told.flatMap((event) => (event.kind === 'evaluated' ? event.results : []));
        const { checkpoint } = target;
        expect(found[0]).to.deep.equal({ checkpoint, clean: clean.value, robust: union?.robust.value });
      }
    }));

  it('evaluates a run that was trained against several norms in all of them, and once', () =>
    withFolder(async (out) => {
      const several = jobsOf({ settings: { ...settings, norms: { linf: 0.1, l2: 1 } }, axes: {} });
      const told: JobEvent[] = [];
      const onEvent = (event: SweepEvent) => void (event.kind === 'job-event' && told.push(event.event));
      expect((await runSweep(several, { out, evaluation, onEvent })).done).to.deep.equal(several);
      const [{ acrossNorms = [] }] = await readEvaluations(join(out, several[0].name, 'evaluation.json'));
      expect(acrossNorms[0].threats.map(({ norm }) => norm)).to.deep.equal(['linf', 'l2']);
      const [found] = told.flatMap((event) => (event.kind === 'evaluated' ? event.results : []));
      expect(found.robust).to.equal(acrossNorms[0].robust.value);
      expect((await runSweep(several, { out, evaluation })).before).to.deep.equal(several);
    }));

  it('evaluates the checkpoints and norms that it is told, and once; others are evaluated beside them', () =>
    withFolder(async (out) => {
      const some = { ...evaluation, checkpoints: ['last'], norms: { linf: 0.05, l2: 0.3 } } as const;
      const [job] = jobs;
      const made = () => readEvaluations(join(out, job.name, 'evaluation.json'));
      expect((await runSweep([job], { out, evaluation: some })).done).to.deep.equal([job]);
      expect((await runSweep([job], { out, evaluation: some })).before).to.deep.equal([job]);
      expect((await made()).map(({ target }) => target.checkpoint)).to.deep.equal(['last']);
      // Each norm was attacked, but these two were not counted together with a third one.
      const three = { ...some, norms: { ...some.norms, l1: 0.6 } };
      for (const other of [three, { ...some, checkpoints: undefined }]) {
        expect((await runSweep([job], { out, evaluation: other })).done).to.deep.equal([job]);
        expect((await runSweep([job], { out, evaluation: other })).before).to.deep.equal([job]);
      }
      const [last, best] = await made();
      expect([last, best].map(({ target }) => target.checkpoint)).to.deep.equal(['last', 'best']);
      expect(best.acrossNorms?.map(({ threats }) => threats.length)).to.deep.equal([2]);
      expect(last.acrossNorms?.map(({ threats }) => threats.length)).to.deep.equal([2, 3]);
    }));

  it('only evaluates what is trained when other attacks are asked for', () =>
    withFolder(async (out) => {
      const [job] = jobs;
      await runSweep([job], { out, evaluation: null });
      const checkpoint = join(out, job.name, 'checkpoints', 'last.safetensors');
      const { mtimeMs } = await stat(checkpoint);
      const { done } = await runSweep([job], { out, evaluation });
      expect(done).to.deep.equal([job]);
      expect((await stat(checkpoint)).mtimeMs).to.equal(mtimeMs);
      const more = { attacks: parseAttacks('fgsm,pgd-2') };
      expect((await runSweep([job], { out, evaluation: more })).done).to.deep.equal([job]);
      expect((await runSweep([job], { out, evaluation: more })).before).to.deep.equal([job]);
    }));

  it('goes on with the others when a run fails, and says why it did', () =>
    withFolder(async (out) => {
      const broken = jobsOf({ settings: { ...settings, dataset: 'cifar10' }, axes: {} });
      const { failed, done } = await runSweep([...broken, jobs[0]], {
        out,
        evaluation: null,
        dataDirectory: join(out, 'nothing'),
      });
      expect(done).to.deep.equal([jobs[0]]);
      expect(failed.length).to.equal(1);
      expect(failed[0].message).to.contain('cifar10');
    }));

  it('stopped in a run goes on from there', () =>
    withFolder(async (out) => {
      const long = jobsOf({ settings: { ...settings, epochs: 2 }, axes: { seed: [0, 1] } });
      const abort = new AbortController();
      const stopAtFirstStep = (event: SweepEvent) => {
        if (event.kind === 'job-event' && event.event.kind === 'train' && event.event.event.kind === 'step')
          abort.abort();
      };
      const stopped = await runSweep(long, { out, evaluation, signal: abort.signal, onEvent: stopAtFirstStep });
      expect(stopped.left).to.deep.equal(long);
      const { done } = await runSweep(long, { out, evaluation });
      expect(done).to.deep.equal(long);
      await withFolder(async (undisturbed) => {
        await runSweep(long.slice(0, 1), { out: undisturbed, evaluation });
        const file = join(long[0].name, 'checkpoints', 'last.safetensors');
        expect((await readFile(join(out, file))).equals(await readFile(join(undisturbed, file)))).to.equal(true);
      });
    }));

  it('in processes of their own gives the same files', () =>
    withFolder(async (out) => {
      const entry = new URL('./child-entry.js', import.meta.url);
      const events = new Set<string>();
      const apart = await runSweep(jobs, {
        out: join(out, 'apart'),
        evaluation,
        processes: { count: 2, entry, threads: 2 },
        onEvent: (event) => events.add(event.kind),
      });
      expect(apart.failed).to.deep.equal([]);
      expect(apart.done.length).to.equal(2);
      expect([...events]).to.include('job-event');
      await runSweep(jobs, { out: join(out, 'here'), evaluation });
      for (const { name } of jobs) {
        for (const file of ['checkpoints/best.safetensors', 'evaluation.json', 'config.json']) {
          const [a, b] = await Promise.all(['apart', 'here'].map((where) => readFile(join(out, where, name, file))));
          expect(a.equals(b), `${name}/${file}`).to.equal(true);
        }
      }
    }));

  it('reports a process that dies', () =>
    withFolder(async (out) => {
      const entry = new URL('./no-such-entry.js', import.meta.url);
      const { failed } = await runSweep(jobs.slice(0, 1), { out, evaluation, processes: { count: 1, entry } });
      expect(failed[0].message).to.contain('ended early');
    }));

  it('refuses a number of processes below one', async () => {
    let error: unknown;
    const entry = new URL('./child-entry.js', import.meta.url);
    await runSweep(jobs, { out: 'nowhere', evaluation, processes: { count: 0, entry } }).catch((e) => {
      error = e;
    });
    expect(error).to.be.instanceOf(InputError);
  });
});
