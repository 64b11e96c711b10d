import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import {
  cosine,
  defaultPeak,
  linear,
  multiStep,
  oneCycle,
  type ScheduleName,
  schedules,
  step,
} from '../../src/optimizers/schedules.ts';

describe('learning-rate schedules', () => {
  const overEpochs = (schedule: (progress: number) => number, epochs: number) =>
    Array.from({ length: epochs }, (_, epoch) => Number(schedule(epoch / epochs).toPrecision(6)));

  it('step drops after each share of the training', () => {
    expect(overEpochs(step(), 6)).to.deep.equal([1, 1, 0.1, 0.1, 0.01, 0.01]);
    expect(overEpochs(step({ every: 0.1, factor: 0.5 }), 10)).to.deep.equal(
      Array.from({ length: 10 }, (_, i) => Number((0.5 ** i).toPrecision(6))),
    );
  });

  it('multi-step drops at the milestones', () => {
    expect(overEpochs(multiStep(), 8)).to.deep.equal([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01]);
    expect(overEpochs(multiStep({ milestones: [0.25], factor: 0.2 }), 4)).to.deep.equal([1, 0.2, 0.2, 0.2]);
    expect(() => multiStep({ milestones: [100, 150] })).to.throw(InputError, 'got 100');
  });

  it('cosine falls from 1 to 0', () => {
    expect(cosine()(0)).to.equal(1);
    expect(cosine()(0.25)).to.be.closeTo((1 + Math.SQRT1_2) / 2, 1e-12);
    expect(cosine()(0.5)).to.be.closeTo(0.5, 1e-12);
    expect(cosine()(1)).to.equal(0);
  });

  it('linear rises from 0 to its peak and falls to 0', () => {
    expect(overEpochs(linear(), 8)).to.deep.equal([0, 0.25, 0.5, 0.75, 1, 0.75, 0.5, 0.25]);
    expect(overEpochs(linear({ peak: 0.2 }), 10)).to.deep.equal([
      0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125,
    ]);
    expect(linear()(1)).to.equal(0);
  });

  // The formula of OneCycleLR with max_lr 1, total_steps 11 and pct_start 4 / 11, at its steps 0 … 10.
  it('one-cycle follows the formula of OneCycleLR, its steps taken as shares of the training', () => {
    const expected = [0.04, 0.28, 0.76, 1].concat(
      Array.from({ length: 7 }, (_, i) => 4e-6 + ((1 - 4e-6) * (1 + Math.cos((Math.PI * (i + 1)) / 7))) / 2),
    );
    const schedule = oneCycle({ peak: 0.3 });
    const ours = expected.map((_, i) => schedule(i / 10));
    for (const [i, value] of ours.entries()) expect(value).to.be.closeTo(expected[i], 1e-12);
    expect(schedule(1)).to.be.closeTo(4e-6, 1e-18);
    expect(schedules['one-cycle']()(0.3)).to.equal(1);
  });

  for (const peak of [0, 1, -0.1, Number.NaN]) {
    it(`no peak at ${peak}`, () => {
      expect(() => linear({ peak })).to.throw(InputError, `got ${peak}`);
      expect(() => oneCycle({ peak })).to.throw(InputError, `got ${peak}`);
    });
  }

  for (const [name, build] of Object.entries(schedules)) {
    it(`${name} reaches 1, never rises after it and never falls below 0`, () => {
      const values = Array.from({ length: 101 }, (_, i) => build()(i / 100));
      const top = values.indexOf(1);
      expect(top / 100).to.equal(defaultPeak(name as ScheduleName) ?? 0);
      for (let i = 1; i <= top; i++) expect(values[i]).to.be.within(values[i - 1], 1);
      for (let i = top + 1; i < values.length; i++) expect(values[i]).to.be.within(0, values[i - 1]);
    });
  }
});
