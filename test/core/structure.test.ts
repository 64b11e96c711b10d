import { expect } from 'chai';
import fc from 'fast-check';
import { InputError } from '../../src/core/errors.ts';
import {
  denseStructure,
  gatherValues,
  indexMap,
  maskStructure,
  type Structure,
  scatterValues,
  sizeOf,
  structure,
} from '../../src/core/structure.ts';

const shape = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });
const masked: fc.Arbitrary<Structure> = shape.chain((extents) =>
  fc
    .array(fc.boolean(), { minLength: sizeOf(extents), maxLength: sizeOf(extents) })
    .map((mask) => maskStructure(extents, mask.map(Number))),
);

describe('structures', () => {
  it('refuse positions that are not strictly ascending or lie outside the shape', () => {
    expect(() => structure([2, 2], Int32Array.of(1, 1))).to.throw(InputError, 'got 1 after 1');
    expect(() => structure([2, 2], Int32Array.of(2, 1))).to.throw(InputError, 'ascending');
    expect(() => structure([2, 2], Int32Array.of(4))).to.throw(InputError, 'below 4');
    expect(() => structure([2, 2], Int32Array.of(-1))).to.throw(InputError);
  });

  it('give back the values that were scattered', () => {
    fc.assert(
      fc.property(masked, (sparse) => {
        const values = Float32Array.from(sparse.positions, (position) => position + 0.5);
        const dense = scatterValues(sparse, values);
        expect(gatherValues(sparse, dense)).to.deep.equal(values);
        expect(dense.filter((value) => value !== 0)).to.have.length(values.length);
      }),
    );
  });

  it('with every weight active hold every position', () => {
    fc.assert(
      fc.property(shape, (extents) => {
        const ones = scatterValues(denseStructure(extents), new Float32Array(sizeOf(extents)).fill(1));
        expect(ones.every((value) => value === 1)).to.equal(true);
      }),
    );
  });

  it('map each nonzero of one structure to its index in another, -1 where it is new', () => {
    fc.assert(
      fc.property(masked, fc.infiniteStream(fc.boolean()), (from, coins) => {
        const to = maskStructure(
          from.shape,
          Array.from({ length: sizeOf(from.shape) }, () => Number(coins.next().value)),
        );
        const map = indexMap(from, to);
        expect([...map]).to.deep.equal([...to.positions].map((position) => from.positions.indexOf(position)));
      }),
    );
  });
});
