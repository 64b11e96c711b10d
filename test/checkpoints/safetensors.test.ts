import { expect } from 'chai';
import fc from 'fast-check';
import {
  type DType,
  decodeSafetensors,
  encodeSafetensors,
  type StoredTensor,
} from '../../src/checkpoints/safetensors/safetensors.ts';
import { InputError } from '../../src/core/errors.ts';
import { sizeOf } from '../../src/core/structure.ts';

const arrays = {
  F64: (n: number) => Float64Array.from({ length: n }, (_, i) => i / 3),
  F32: (n: number) => Float32Array.from({ length: n }, (_, i) => -i / 3),
  I64: (n: number) => BigInt64Array.from({ length: n }, (_, i) => -(2n ** 60n) + BigInt(i)),
  U64: (n: number) => BigUint64Array.from({ length: n }, (_, i) => 2n ** 63n + BigInt(i)),
  I32: (n: number) => Int32Array.from({ length: n }, (_, i) => -i),
  U32: (n: number) => Uint32Array.from({ length: n }, (_, i) => 2 ** 32 - 1 - i),
  I16: (n: number) => Int16Array.from({ length: n }, (_, i) => -i),
  U16: (n: number) => Uint16Array.from({ length: n }, (_, i) => 65535 - i),
  F16: (n: number) => Uint16Array.from({ length: n }, (_, i) => i),
  BF16: (n: number) => Uint16Array.from({ length: n }, (_, i) => i),
  I8: (n: number) => Int8Array.from({ length: n }, (_, i) => -i),
  U8: (n: number) => Uint8Array.from({ length: n }, (_, i) => 255 - i),
  BOOL: (n: number) => Uint8Array.from({ length: n }, (_, i) => i % 2),
} satisfies { [K in DType]: (n: number) => StoredTensor['data'] };

const storedTensor = fc
  .record({
    dtype: fc.constantFrom(...(Object.keys(arrays) as DType[])),
    shape: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
  })
  .map(({ dtype, shape }) => ({ dtype, shape, data: arrays[dtype](sizeOf(shape)) }) as StoredTensor);

const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__metadata__');

const float = (...values: number[]): StoredTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});

/** A file with this header and these data. */
function file(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

describe('safetensors', () => {
  it('stores a tensor of any name, __proto__ included', () => {
    const tensors = Object.fromEntries([['__proto__', float(1, 2)]]);
    const decoded = decodeSafetensors(encodeSafetensors(tensors)).tensors;
    expect(Object.entries(decoded)).to.deep.equal([['__proto__', float(1, 2)]]);
  });

  it('gives back every tensor and all metadata that it stored', () => {
    fc.assert(
      fc.property(fc.dictionary(name, storedTensor), fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        const decoded = decodeSafetensors(encodeSafetensors(tensors, metadata));
        expect(decoded.metadata).to.deep.equal({ ...metadata });
        expect(decoded.tensors).to.deep.equal({ ...tensors });
      }),
    );
  });

  it('writes the same bytes whatever the order of the names', () => {
    const tensors = { b: float(1), a: float(2, 3), z: { dtype: 'F64', shape: [], data: Float64Array.of(4) } } as const;
    const shuffled = Object.fromEntries(Object.entries(tensors).reverse());
    expect(encodeSafetensors(shuffled, { y: '1', x: '2' })).to.deep.equal(
      encodeSafetensors(tensors, { x: '2', y: '1' }),
    );
  });

  it('is laid out as the format says: length, JSON padded to 8 bytes, data without holes', () => {
    const bytes = encodeSafetensors({ x: float(1.5), flag: { dtype: 'U8', shape: [1], data: Uint8Array.of(7) } });
    const view = new DataView(bytes.buffer);
    const length = Number(view.getBigUint64(0, true));
    expect(length % 8).to.equal(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).to.deep.equal({
      x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
      flag: { dtype: 'U8', shape: [1], data_offsets: [4, 5] },
    });
    expect(view.getFloat32(8 + length, true)).to.equal(1.5);
    expect(bytes[8 + length + 4]).to.equal(7);
    expect(bytes.length).to.equal(8 + length + 5);
  });

  it('reads bytes that lie anywhere in a larger buffer', () => {
    const bytes = encodeSafetensors({ x: float(1, 2, 3) });
    const shifted = Buffer.concat([Buffer.of(0, 0, 0), bytes]).subarray(3);
    expect(decodeSafetensors(shifted).tensors.x.data).to.deep.equal(Float32Array.of(1, 2, 3));
  });

  it('notices a file cut anywhere, naming the byte where it ends', () => {
    const whole = encodeSafetensors({ x: float(1, 2, 3), y: float(4) }, { note: 'x' });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeSafetensors(whole.subarray(0, length), 'cut.safetensors')).to.throw(
        InputError,
        new RegExp(
          `^cut.safetensors is truncated: .*the file ends at byte ${length}\\.$|it ends at byte ${length}\\.$`,
        ),
      );
    }
  });

  const damaged: Record<string, [Uint8Array, RegExp]> = {
    'bytes after the last tensor': [
      Buffer.concat([encodeSafetensors({ x: float(1) }), Buffer.of(0)]),
      /the file at byte/,
    ],
    'a length that no header has': [new Uint8Array(64).fill(0xff), /not a safetensors file: bytes 0 to 7/],
    'a header that is not JSON': [file('{"x": nonsense}'), /not JSON from byte 8/],
    'a header that is no object': [file('[1]'), /no JSON object from byte 8/],
    'an unknown dtype': [file({ x: { dtype: 'F8', shape: [0], data_offsets: [0, 0] } }), /tensor x of dtype "F8"/],
    'a negative extent': [
      file({ x: { dtype: 'U8', shape: [-1], data_offsets: [0, 0] } }),
      /tensor x with shape \[-1\]/,
    ],
    'offsets that do not fit the shape': [
      file({ x: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }, new Uint8Array(4)),
      /tensor x \(F32 \[2\]\) 4 bytes of data; that shape takes 8/,
    ],
    'tensors that overlap': [
      file(
        { x: { dtype: 'U8', shape: [2], data_offsets: [0, 2] }, y: { dtype: 'U8', shape: [2], data_offsets: [1, 3] } },
        new Uint8Array(3),
      ),
      /tensor y starts at byte/,
    ],
    'metadata that are no strings': [file({ __metadata__: { epoch: 1 } }), /map of strings/],
  };
  for (const [what, [bytes, message]] of Object.entries(damaged)) {
    it(`refuses ${what}`, () => {
      expect(() => decodeSafetensors(bytes)).to.throw(InputError, message);
    });
  }

  it('refuses to write data that do not fill their shape', () => {
    const tensor: StoredTensor = { dtype: 'F32', shape: [2, 2], data: new Float32Array(3) };
    expect(() => encodeSafetensors({ x: tensor })).to.throw(InputError, 'must have 4 values, got 3');
  });
});
