import { expect } from 'chai';
import fc from 'fast-check';
import { seedKey } from '../../src/core/key.ts';
import { prepasses, subsampleBatches } from '../../src/optimizers/prepasses.ts';
import { golden } from '../golden.ts';

const { tensors } = golden('agent-sgd');

describe('pre-passes', () => {
  const step = (epoch: number) => ({ c: 0.2, estimate: { value: 1 }, alpha: 0.3, epoch });

  it('blend the estimate into c, but for published-bsr, whose c is a schedule', () => {
    for (const [name, { coefficient, estimates }] of Object.entries(prepasses)) {
      expect(estimates, name).to.equal(name !== 'published-bsr');
      if (estimates) {
        expect(coefficient(step(5)), name).to.be.closeTo(0.44, 1e-12);
        expect(coefficient({ ...step(5), estimate: { value: null, reason: '' } }), name).to.equal(0.2);
      }
    }
    for (const [epoch, c] of Array.from(tensors['bsr.c'].data as ArrayLike<number>).entries()) {
      expect(prepasses['published-bsr'].coefficient(step(epoch))).to.be.closeTo(c, 1e-6);
    }
  });

  it('keep gradients only of examples that the steps see again, all of them', () => {
    for (const { gradients, examples, subsamples } of Object.values(prepasses)) {
      if (gradients === 'kept') expect([examples, subsamples]).to.deep.equal(['epoch', false]);
    }
  });

  it('draw a share of the batches by the key, at least two', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0.01, max: 1, noNaN: true }), (count, share) => {
        const batches = [...subsampleBatches(count, share, seedKey(1))];
        expect(batches).to.have.length(Math.min(count, Math.max(2, Math.round(share * count))));
        expect(new Set(batches).size).to.equal(batches.length);
        for (const batch of batches) expect(batch).to.be.within(0, count - 1);
      }),
    );
    const draw = (seed: number) => [...subsampleBatches(100, 0.2, seedKey(seed))];
    expect(draw(1)).to.deep.equal(draw(1));
    expect(draw(1)).not.to.deep.equal(draw(2));
  });
});
