import { expect } from 'chai';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import { type Grid, jobsOf, parseShard, shardOf } from '../../src/sweeps/grid.ts';
import { configHash, parseConfig } from '../../src/training/config/config.ts';

const quickstart: Grid = {
  settings: { dataset: 'mnist10k', epochs: 3 },
  axes: { sparsity: [0, 0.9, 0.99], optimizer: ['sgd', 'agent'], seed: [0, 1] },
  controls: [{ objective: 'natural' }],
};

describe('a grid', () => {
  it('is every combination, the dense net at sparsity 0, and the controls, over all seeds', () => {
    const jobs = jobsOf(quickstart);
    expect(jobs.length).to.equal(2 * (3 * 2 + 1));
    expect(jobs.slice(0, 7).map(({ name }) => name.replace(/-[0-9a-f]{8}$/, ''))).to.deep.equal([
      'natural-dense-sgd-seed0',
      'at-dense-sgd-seed0',
      'at-dense-agent-seed0',
      'at-rigl-0.9-sgd-seed0',
      'at-rigl-0.9-agent-seed0',
      'at-rigl-0.99-sgd-seed0',
      'at-rigl-0.99-agent-seed0',
    ]);
    for (const { id, config } of jobs) expect(id).to.equal(configHash(parseConfig(config)));
  });

  it('names every job once, also where several methods meet in the dense net', () => {
    const jobs = jobsOf({ axes: { method: ['set', 'rigl'], sparsity: [0, 0.9] } });
    expect(jobs.map(({ config }) => [config.method, config.sparsity])).to.deep.equal([
      ['dense', 0],
      ['set', 0.9],
      ['rigl', 0.9],
    ]);
    expect(new Set(jobs.map(({ name }) => name)).size).to.equal(3);
  });

  it('of more runs than anybody makes is refused before they are made', () => {
    const seed = Array.from({ length: 9_999 }, (_, i) => i);
    expect(() => jobsOf({ axes: { seed, epochs: seed.map((i) => i + 1) } })).to.throw(
      UsageError,
      'The sweep has 99,980,001 runs; expected at most 100,000',
    );
  });

  it('leaves a shared setting out of the runs it does not apply to', () => {
    const jobs = jobsOf({
      settings: { agentPrepass: 'matched', dropFraction: 0.5, sparsity: 0.9 },
      axes: { optimizer: ['sgd', 'agent'], method: ['static', 'set'] },
    });
    expect(jobs.map(({ config }) => [config.agentPrepass, config.dropFraction])).to.deep.equal([
      [undefined, undefined],
      [undefined, 0.5],
      ['matched', undefined],
      ['matched', 0.5],
    ]);
  });

  it('refuses an axis without values, and values out of range', () => {
    expect(() => jobsOf({ axes: { seed: [] } })).to.throw(UsageError, /seed has no values/);
    expect(() => jobsOf({ axes: { sparsity: [95] } })).to.throw(UsageError, /did you mean 0.95/);
  });
});

describe('a shard', () => {
  it('is read from i/n', () => expect(parseShard('2/4')).to.deep.equal({ index: 2, count: 4 }));

  for (const text of ['0/4', '5/4', '1/0', '1', 'a/b', '1/4/2', '-1/4']) {
    it(`is not '${text}'`, () => expect(() => parseShard(text)).to.throw(UsageError, /such as 1\/4/));
  }

  it('together with the others holds every job exactly once', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), (count) => {
        const jobs = jobsOf(quickstart);
        const shards = Array.from({ length: count }, (_, i) => shardOf(jobs, { index: i + 1, count }));
        const ids = (list: readonly { id: string }[]) => list.map(({ id }) => id).sort();
        expect(ids(shards.flat())).to.deep.equal(ids(jobs));
        const sizes = shards.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).to.be.at.most(1);
      }),
    ));
});
