import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { structure } from '../../src/core/structure.ts';
import { emptyEntries, emptyEntriesOf, withoutEntries } from '../../src/optimizers/empty-channels.ts';
import { useBackend } from '../backend.ts';

describe('empty channels', () => {
  before(() => useBackend('cpu'));

  // Channels are the last axis: position 0 and 3 are of channel 0, 1 and 4 of channel 1, 5 of channel 2.
  const kernel = structure([2, 3], Int32Array.of(0, 1, 3, 4, 5));

  it('are those whose stored weights are all 0, or nearly', () => {
    expect([...emptyEntries(kernel, [0, 0.5, 1e-12, 0, 0])]).to.deep.equal([0, 2, 4]);
    expect([...emptyEntries(kernel, [0, 0, 1e-3, 0, -1])]).to.deep.equal([1, 3]);
    expect([...emptyEntries(kernel, [1, 1, 0, 0, 1])]).to.deep.equal([]);
  });

  it('are looked for in kernels alone, dense ones too', async () => {
    const params = {
      'a.kernel': { structure: kernel, values: tf.tensor1d([0, 1, 0, 0, 0]) },
      'a.bias': tf.tensor1d([0, 0, 0]),
      'b.kernel': tf.tensor2d([0, 1, 0, 1], [2, 2]),
      'c.kernel': tf.tensor2d([1, 1], [1, 2]),
    };
    const found = await emptyEntriesOf(params);
    expect(Object.keys(found)).to.deep.equal(['a.kernel', 'b.kernel']);
    expect([...found['a.kernel']]).to.deep.equal([0, 2, 4]);
    expect([...found['b.kernel']]).to.deep.equal([0, 2]);
    const maps = withoutEntries({ 'a.kernel': Int32Array.of(2, 1, -1, 4) }, found, params);
    expect([...maps['a.kernel']]).to.deep.equal([-1, 1, -1, -1]);
    expect([...maps['b.kernel']]).to.deep.equal([-1, 1, -1, 3]);
  });
});
