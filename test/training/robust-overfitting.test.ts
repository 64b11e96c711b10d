import { expect } from 'chai';
import fc from 'fast-check';
import { describeRobustOverfitting, robustOverfitting } from '../../src/training/run/robust-overfitting.ts';

type Rows = Parameters<typeof robustOverfitting>[0];

const rowsOf = (training: readonly (number | null)[], heldOut: readonly (number | null)[]): Rows =>
  heldOut.map((value, i) => ({
    epoch: i + 1,
    train_robust_accuracy: training[i],
    validation_robust_accuracy: value,
  }));

const ramp = (from: number, to: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / Math.max(1, count - 1));

/** Rows like figure 1 of Rice et al. 2020: held-out accuracy jumps where the learning rate decays, and then falls. */
const overfitted = rowsOf(
  [...ramp(0.2, 0.48, 10), ...ramp(0.58, 0.9, 10)],
  [...ramp(0.2, 0.44, 10), ...ramp(0.52, 0.45, 10)],
);

describe('the alarm for robust overfitting', () => {
  it('is raised where held-out robust accuracy falls while that on training images rises', () => {
    const found = robustOverfitting(overfitted);
    expect(found).to.include({ bestEpoch: 12, lastEpoch: 20 });
    expect(found?.best).to.be.closeTo(0.5122, 1e-4);
    expect(found?.last).to.be.closeTo(0.4578, 1e-4);
    expect(found && describeRobustOverfitting(found)).to.match(
      /was 51\.2 % around epoch 12 and is 45\.8 % at epoch 20, while on training images it went from 61\.6 % to 86\.4 %/,
    );
  });

  it('is not raised where both rise, where held-out accuracy only levels off, or within a few epochs of the best', () => {
    expect(robustOverfitting(rowsOf(ramp(0.2, 0.9, 20), ramp(0.2, 0.5, 20)))).to.equal(null);
    const level = [...ramp(0.2, 0.5, 10), ...ramp(0.5, 0.49, 10)];
    expect(robustOverfitting(rowsOf(ramp(0.2, 0.9, 20), level))).to.equal(null);
    expect(robustOverfitting(overfitted.slice(0, 12))).to.equal(null);
  });

  it('is not raised where training accuracy falls too, as when training collapses', () => {
    const collapse = [...ramp(0.2, 0.5, 10), ...ramp(0.3, 0.01, 10)];
    expect(robustOverfitting(rowsOf(collapse, collapse))).to.equal(null);
  });

  it('needs six epochs that were measured, and leaves out those that were not', () => {
    expect(robustOverfitting([])).to.equal(null);
    expect(robustOverfitting(rowsOf([0.5, 0.6, 0.7, 0.8, 0.9], [0.5, 0.4, 0.3, 0.2, 0.1]))).to.equal(null);
    const gaps = overfitted.flatMap((row) => [
      row,
      { ...row, epoch: (row.epoch ?? 0) + 0.5, validation_robust_accuracy: null },
    ]);
    expect(robustOverfitting(gaps)).to.deep.equal(robustOverfitting(overfitted));
    const unvalidated = rowsOf(ramp(0.2, 0.9, 20), Array<null>(20).fill(null));
    expect(robustOverfitting(unvalidated)).to.equal(null);
  });

  it('is rarely raised by noise on a level curve', () => {
    const noisy = fc.array(
      fc.tuple(fc.double({ min: -0.04, max: 0.04, noNaN: true }), fc.double({ min: -0.04, max: 0.04, noNaN: true })),
      {
        minLength: 10,
        maxLength: 30,
      },
    );
    const runs = fc.sample(noisy, { numRuns: 1000, seed: 1 });
    const raised = runs.filter((noise) =>
      robustOverfitting(
        rowsOf(
          noise.map(([a]) => 0.5 + a),
          noise.map(([, b]) => 0.4 + b),
        ),
      ),
    );
    expect(raised.length).to.be.at.most(20);
  });
});
