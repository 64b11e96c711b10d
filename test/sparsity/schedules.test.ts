import { expect } from 'chai';
import { dropFractions, updatesAt, updateTime } from '../../src/sparsity/schedules.ts';
import { golden } from '../golden.ts';

interface Goldens {
  readonly drop_fraction_schedule: {
    readonly initial: number;
    readonly steps: readonly number[];
    readonly rigl_cosine: Readonly<Record<'begin_0_end_200' | 'begin_50_end_200', readonly number[]>>;
    readonly itop_cosine: {
      readonly eta_min: number;
      readonly steps: readonly number[];
      readonly values: readonly number[];
    };
  };
}
const { initial, steps, rigl_cosine, itop_cosine } = (golden('sparsity').json as Goldens).drop_fraction_schedule;

const cosine = (step: number, end: number, final: number) =>
  dropFractions.cosine(initial, updateTime({ interval: 1, begin: 0, end: 1 }, { step, totalSteps: end }), final);

describe('drop fraction', () => {
  it('falls as the cosine of google-research/rigl', () => {
    for (const [i, step] of steps.entries()) {
      expect(cosine(step, 200, 0)).to.be.closeTo(rigl_cosine.begin_0_end_200[i], 1e-6);
      // There the step is not shifted by `begin`, so the schedule of begin 50, end 200 is that of begin 0, end 150.
      expect(cosine(step, 150, 0)).to.be.closeTo(rigl_cosine.begin_50_end_200[i], 1e-6);
    }
  });

  it('falls to a floor as the cosine of ITOP', () => {
    for (const [i, step] of itop_cosine.steps.entries()) {
      expect(cosine(step, 200, itop_cosine.eta_min)).to.be.closeTo(itop_cosine.values[i], 1e-6);
    }
  });

  it('runs from begin to end', () => {
    const schedule = { interval: 10, begin: 50, end: 0.75 };
    expect(updateTime(schedule, { step: 20, totalSteps: 200 })).to.equal(0);
    expect(updateTime(schedule, { step: 100, totalSteps: 200 })).to.equal(0.5);
    expect(updateTime(schedule, { step: 180, totalSteps: 200 })).to.equal(1);
    expect(dropFractions.linear(0.3, 0.5)).to.be.closeTo(0.15, 1e-15);
    expect(dropFractions.constant(0.3, 0.5)).to.equal(0.3);
  });
});

describe('updatesAt', () => {
  it('is every interval from begin until before the end', () => {
    const at = Array.from({ length: 201 }, (_, step) => step).filter((step) =>
      updatesAt({ interval: 25, begin: 50, end: 0.75 }, { step, totalSteps: 200 }),
    );
    expect(at).to.deep.equal([50, 75, 100, 125]);
    expect(updatesAt({ interval: 1, begin: 0, end: 1 }, { step: 0, totalSteps: 10 })).to.equal(false);
  });
});
