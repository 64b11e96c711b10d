// Packing of checkpoints: positions as gaps, and kernels in half precision.
import { expect } from 'chai';
import fc from 'fast-check';
import { floatsOf, halvesOf, LARGEST_HALF } from '../../src/checkpoints/safetensors/floats.ts';
import { gapsOf, pack, positionsOf, unpack } from '../../src/checkpoints/safetensors/packing.ts';
import type { StoredTensor } from '../../src/checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../src/core/errors.ts';

const floats = (...values: number[]): StoredTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});
const halfOf = (value: number): number =>
  floatsOf({ dtype: 'F16', shape: [1], data: halvesOf(Float32Array.of(value)) })[0];

describe('gaps', () => {
  it('are the zeros before each nonzero, a byte each below 255', () => {
    expect([...gapsOf(Int32Array.of(0, 1, 5, 260))]).to.deep.equal([0, 0, 3, 254]);
    expect([...gapsOf(Int32Array.of(255, 511 + 255))]).to.deep.equal([255, 0, 255, 255, 0]);
  });

  it('give the positions back, whatever these are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat({ max: 2 ** 20 }), { maxLength: 50 }), (chosen) => {
        const positions = Int32Array.from(chosen).sort();
        expect(positionsOf(gapsOf(positions))).to.deep.equal(positions);
      }),
    );
    const all = Int32Array.from({ length: 1000 }, (_, i) => i);
    expect(positionsOf(gapsOf(all))).to.deep.equal(all);
  });
});

describe('half precision', () => {
  it('keeps every number that it has, to the bit', () => {
    const finite = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).filter((bits) => (bits & 0x7c00) !== 0x7c00);
    const values = floatsOf({ dtype: 'F16', shape: [finite.length], data: finite });
    expect(halvesOf(values)).to.deep.equal(finite);
  });

  it('rounds to the nearest, and half-way to even', () => {
    expect(halfOf(1 + 2 ** -11)).to.equal(1);
    expect(halfOf(1 + 3 * 2 ** -11)).to.equal(1 + 2 ** -9);
    expect(halfOf(2 - 2 ** -12)).to.equal(2);
    expect(halfOf(2 ** -25)).to.equal(0);
    expect(halfOf(3 * 2 ** -25)).to.equal(2 ** -23);
    expect(halfOf(2 ** -14 - 2 ** -26)).to.equal(2 ** -14);
    expect(Object.is(halfOf(-0), -0)).to.equal(true);
    fc.assert(
      fc.property(fc.float({ min: -LARGEST_HALF, max: LARGEST_HALF, noNaN: true }), (value) => {
        const step = Math.max(2 ** (Math.floor(Math.log2(Math.abs(value))) - 10), 2 ** -24);
        expect(Math.abs(halfOf(value) - value)).to.be.at.most(step / 2);
      }),
    );
  });
});

describe('packed tensors', () => {
  const tensors = {
    'params/conv1.kernel': floats(0.1, -2, 3),
    'params/conv1.kernel.positions': { dtype: 'I32', shape: [3], data: Int32Array.of(4, 500, 501) },
    'params/conv1.bias': floats(0.1),
    'state/bn1.variance': floats(1e9),
  } as const;

  it('are the same again, at fewer bytes for positions', () => {
    const packed = pack(tensors, { half: false });
    expect(packed).not.to.have.property('params/conv1.kernel.positions');
    expect(packed['params/conv1.kernel.gaps'].data).to.deep.equal(Uint8Array.of(4, 255, 240, 0));
    expect(unpack(packed)).to.deep.equal(tensors);
  });

  it('have kernels alone in half precision, if any', () => {
    const packed = pack(tensors, { half: true });
    expect(Object.entries(packed).map(([name, { dtype }]) => [name, dtype])).to.deep.equal([
      ['params/conv1.kernel', 'F16'],
      ['params/conv1.kernel.gaps', 'U8'],
      ['params/conv1.bias', 'F32'],
      ['state/bn1.variance', 'F32'],
    ]);
    expect(unpack(packed)).to.deep.equal({ ...tensors, 'params/conv1.kernel': floats(halfOf(0.1), -2, 3) });
  });

  it('refuse a weight that half precision has no room for', () => {
    for (const value of [65505, -1e9, Number.NaN]) {
      expect(() => pack({ 'params/fc.kernel': floats(1, value) }, { half: true }))
        .to.throw(InputError)
        .with.property('message')
        .that.matches(/^Expected weights of at most 65504 for half precision, got .* in params\/fc\.kernel/);
    }
  });
});
