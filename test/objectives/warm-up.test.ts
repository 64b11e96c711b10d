import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { warmedUp } from '../../src/objectives/warm-up.ts';

describe('the warm-up of the attack', () => {
  const full = { epsilon: 0.1, stepSize: 0.025 };

  it('rises linearly over its share of the training, ε and step size each by their own', () => {
    const epsilons = [1, 2, 3, 4, 10].map((epoch) => warmedUp(full, { epsilon: 0.4 }, epoch / 10));
    expect(epsilons.map(({ epsilon }) => Number(epsilon.toFixed(12)))).to.deep.equal([0.025, 0.05, 0.075, 0.1, 0.1]);
    for (const { stepSize } of epsilons) expect(stepSize).to.equal(0.025);
    expect(warmedUp(full, { epsilon: 1, stepSize: 0.5 }, 0.25)).to.deep.equal({ epsilon: 0.025, stepSize: 0.0125 });
  });

  it('is the attack itself without a warm-up, and after it', () => {
    expect(warmedUp(full, {}, 0.01)).to.deep.equal(full);
    expect(warmedUp(full, { epsilon: 0.2, stepSize: 0.2 }, 0.2)).to.deep.equal(full);
    expect(() => warmedUp(full, { epsilon: 10 }, 0.5)).to.throw(InputError, 'got 10');
  });
});
