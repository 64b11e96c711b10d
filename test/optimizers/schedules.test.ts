import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { cosine, multiStep, schedules, step } from '../../src/optimizers/schedules.ts';

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
    expect(() => multiStep({ milestones: [100, 150] })).to.throw(InputError, '100 came');
  });

  it('cosine falls from 1 to 0', () => {
    expect(cosine()(0)).to.equal(1);
    expect(cosine()(0.25)).to.be.closeTo((1 + Math.SQRT1_2) / 2, 1e-12);
    expect(cosine()(0.5)).to.be.closeTo(0.5, 1e-12);
    expect(cosine()(1)).to.equal(0);
  });

  for (const [name, build] of Object.entries(schedules)) {
    it(`${name} starts at 1, never rises and never falls below 0`, () => {
      const values = Array.from({ length: 101 }, (_, i) => build()(i / 100));
      expect(values[0]).to.equal(1);
      for (let i = 1; i < values.length; i++) expect(values[i]).to.be.within(0, values[i - 1]);
    });
  }
});
