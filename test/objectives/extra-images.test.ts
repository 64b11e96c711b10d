import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import { seedKey } from '../../src/core/key.ts';
import { extraBatches, splitBatch } from '../../src/objectives/extra-images.ts';
import { objectives } from '../../src/objectives/objectives.ts';

describe('extra images', () => {
  it('fill half of each batch under rst, and none under other objectives', () => {
    for (const [name, build] of Object.entries(objectives)) {
      expect(build().extraShare, name).to.equal(name === 'rst' ? 0.5 : 0);
    }
    expect(splitBatch(128, objectives.rst().extraShare)).to.deep.equal({ labelled: 64, extra: 64 });
    expect(splitBatch(5, 0.5)).to.deep.equal({ labelled: 3, extra: 2 });
    expect(splitBatch(5, 0)).to.deep.equal({ labelled: 5, extra: 0 });
  });

  it('come once each before any comes again, in an order of the key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(6), fc.nat(8), fc.nat(), (images, batches, size, seed) => {
        const drawn = extraBatches(images, batches, size, seedKey(seed));
        expect(drawn.map(({ length }) => length)).to.deep.equal(new Array(batches).fill(size));
        const all = drawn.flatMap((batch) => [...batch]);
        for (let start = 0; start < all.length; start += images) {
          const pass = all.slice(start, start + images);
          expect(new Set(pass).size).to.equal(pass.length);
          for (const number of pass) expect(number).to.be.within(0, images - 1);
        }
        expect(extraBatches(images, batches, size, seedKey(seed))).to.deep.equal(drawn);
      }),
    );
    expect(extraBatches(40, 1, 40, seedKey(1))).not.to.deep.equal(extraBatches(40, 1, 40, seedKey(2)));
    expect(() => extraBatches(0, 1, 4, seedKey(0))).to.throw(InputError, 'no extra images');
  });
});
