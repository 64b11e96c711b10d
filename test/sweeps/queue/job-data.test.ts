import { expect } from 'chai';
import { InputError } from '../../../src/core/errors.ts';
import { parseAttacks } from '../../../src/evaluation/attacks/named-attacks.ts';
import { type Job, jobsOf } from '../../../src/sweeps/grid.ts';
import { idOf, LAST_PRIORITY, priorityOf, queuedJob, readQueuedJob } from '../../../src/sweeps/queue/job-data.ts';
import type { TrainOptions } from '../../../src/training/config/config.ts';

const provenance = { version: '1', backend: 'cpu', kernels: null, fingerprint: 'f', data: 'd' };
const jobOf = (settings: TrainOptions): Job => jobsOf({ settings: { dataset: 'synthetic', ...settings }, axes: {} })[0];
const { config } = jobOf({});

describe('a job of a queue', () => {
  it('has an id that the queue takes', () => {
    expect(idOf(queuedJob(config, null, provenance))).to.match(/^run-[0-9a-f]{32}$/);
  });

  it('has another id for another configuration, evaluation or none, and the same for other machines', () => {
    const evaluation = { attacks: parseAttacks('pgd-20') };
    const ids = [
      idOf(queuedJob(config, evaluation, provenance)),
      idOf(queuedJob(config, { attacks: parseAttacks('pgd-21') }, provenance)),
      idOf(queuedJob(config, { ...evaluation, epsilons: [0.1] }, provenance)),
      idOf(queuedJob(config, { ...evaluation, norms: { linf: 0.1, l2: 0.5 } }, provenance)),
      idOf(queuedJob(config, { ...evaluation, checkpoints: ['last'] }, provenance)),
      idOf(queuedJob(config, null, provenance)),
      idOf(queuedJob(jobOf({ seed: 1 }).config, evaluation, provenance)),
    ];
    expect(new Set(ids).size).to.equal(ids.length);
    expect(idOf(queuedJob(config, evaluation, { ...provenance, version: '2' }))).to.equal(ids[0]);
    expect(idOf(queuedJob(jobOf({ checkpointEvery: 7 }).config, evaluation, provenance))).to.equal(ids[0]);
  });

  it('names the attacks that it takes by default, and survives being written as JSON', () => {
    const job = queuedJob(config, { epsilons: undefined }, provenance);
    expect(job.evaluation?.attacks?.length).to.equal(2);
    const again = readQueuedJob(JSON.parse(JSON.stringify(job)));
    expect(again).to.deep.equal(job);
    expect(idOf(again)).to.equal(idOf(job));
  });

  it('holds no path', () => {
    expect(JSON.stringify(queuedJob(config, { attacks: parseAttacks('fgsm') }, provenance))).not.to.match(/out|"\//);
  });

  for (const [what, data] of [
    ['nothing', undefined],
    ['no configuration', { evaluation: null, provenance }],
    ['an unknown setting', { config: { ...config, colour: 1 }, evaluation: null, provenance }],
    ['no provenance', { config, evaluation: null }],
    ['an attack of no kind', { config, evaluation: { attacks: [{ kind: 'magic' }] }, provenance }],
    ['a path', { config, evaluation: null, provenance, out: '/etc' }],
  ] as const) {
    it(`is refused with ${what}`, () => {
      expect(() => readQueuedJob(data)).to.throw(InputError);
    });
  }

  it('comes before those of later seeds', () => {
    const priorities = [0, 1, 2].map((seed) => priorityOf(jobOf({ seed })));
    expect(priorities).to.deep.equal([1, 2, 3]);
    expect(priorityOf(jobOf({ seed: 2 ** 40 }))).to.be.below(LAST_PRIORITY);
  });
});
