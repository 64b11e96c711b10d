import { expect } from 'chai';
import { didYouMean } from '../../src/core/did-you-mean.ts';

describe('a guess at what was meant', () => {
  const names = ['train', 'evaluate', 'model', 'method', 'sparsity', 'batch-size'];
  for (const [word, name] of [
    ['trian', 'train'],
    ['modle', 'model'],
    ['sparsty', 'sparsity'],
    ['batchsize', 'batch-size'],
    ['eval', 'evaluate'],
  ]) {
    it(`takes ${word} for ${name}`, () => expect(didYouMean(word, names)).to.equal(name));
  }

  it('has none for a word that is like nothing, or longer than any name', () => {
    expect(didYouMean('zebra', names)).to.equal(undefined);
    expect(didYouMean('train'.repeat(100_000), names)).to.equal(undefined);
  });
});
