import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import {
  countWeights,
  mapTree,
  type Params,
  sparsityOf,
  structureOf,
  trainables,
  withTrainables,
} from '../../src/core/params.ts';
import { structure } from '../../src/core/structure.ts';
import { useBackend } from '../backend.ts';

describe('parameter trees', () => {
  before(() => useBackend('cpu'));

  const params = (): Params => ({
    'conv.kernel': { structure: structure([1, 1, 2, 3], Int32Array.of(1, 4)), values: tf.tensor1d([5, 6]) },
    'dense.kernel': tf.ones([3, 2]),
    'dense.bias': tf.ones([2]),
  });

  it('count the nonzeros of kernels only, dense ones included', () => {
    tf.tidy(() => {
      expect(countWeights(params())).to.deep.equal({ nonzeros: 8, size: 12 });
      expect(sparsityOf(params())).to.be.closeTo(1 / 3, 1e-12);
    });
  });

  it('take other trainable tensors and keep their structures', () => {
    tf.tidy(() => {
      const before = params();
      const doubled = withTrainables(
        before,
        mapTree((tensor) => tf.mul(tensor, 2), trainables(before)),
      );
      expect([...trainables(doubled)['conv.kernel'].dataSync()]).to.deep.equal([10, 12]);
      expect(structureOf(doubled['conv.kernel'])).to.equal(structureOf(before['conv.kernel']));
      expect(doubled['dense.kernel']).to.be.instanceOf(tf.Tensor);
    });
  });

  it('map several trees together by name', () => {
    expect(
      mapTree(
        (a: number, b: number, c: string) => `${a + b}${c}`,
        { x: 1, y: 2 },
        { y: 20, x: 10 },
        { x: 'p', y: 'q' },
      ),
    ).to.deep.equal({ x: '11p', y: '22q' });
  });
});
