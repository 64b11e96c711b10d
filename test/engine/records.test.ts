// The records of the kernels' arguments, which the build writes. mistaken-calls.ts has what the compiler must refuse.

import { expect } from 'chai';
import { KERNELS, RECORD_FIELDS } from '../../src/engine/records/records.ts';
import { Heap } from '../../src/engine/runtime/heap.ts';
import { Pool } from '../../src/engine/runtime/pool.ts';
import { loadKernels } from '../../src/engine/runtime/wasm.ts';

describe('engine records', () => {
  it('are there for every kernel, and for nothing else', async () => {
    const exported = WebAssembly.Module.exports(await loadKernels('simd'));
    const kernels = exported.flatMap(({ name, kind }) => (kind === 'function' ? [name] : []));
    expect(kernels).to.have.members(KERNELS);
  });

  it('begin with the fields that a class inherits', () => {
    const inherited = ['sums', 'z', 'zTask', 'mean', 'nb', 'images'];
    expect(RECORD_FIELDS.convolve.names.slice(0, 8)).to.deep.equal([...inherited, 'x', 'xTask']);
    expect(RECORD_FIELDS.sumChannels.names[0]).to.equal('x');
  });

  it('hold floats where the kernel has an f32, however the call is written', async () => {
    const heap = new Heap();
    const pool = await Pool.start({ heap, module: await loadKernels('simd'), threads: 1 });
    const [x, y] = [heap.allocate(16), heap.allocate(16)];
    heap.float32(x, 4).set([-1, 0.3, 0.6, 2]);
    const clip = { operation: 10, x, y, length: 4, chunk: 4, low: 0.25, high: 0.5 };
    const clipped = [0.25, Math.fround(0.3), 0.5, 0.5];
    pool.run(1, 'unary', clip);
    expect([...heap.float32(y, 4)]).to.deep.equal(clipped);
    heap.float32(y, 4).fill(0);
    const fields = RECORD_FIELDS.unary.names.map((name) => clip[name as keyof typeof clip]);
    pool.runFields(1, [{ kernel: 'unary', fields }], (field) => field);
    expect([...heap.float32(y, 4)]).to.deep.equal(clipped);
    await pool.stopped();
  });
});
