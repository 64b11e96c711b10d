// Which of several radii a robust accuracy is quoted at.
import { expect } from 'chai';
import { inNorm, quoted } from '../../src/evaluation/threat.ts';

describe('the radius that is quoted', () => {
  const threats = [...inNorm('linf', [0, 0.05, 0.1]), ...inNorm('l2', [0.1, 0.5])];

  it('is that of training, in its norm', () => {
    expect(quoted(threats, { norm: 'linf', epsilon: 0.1 })).to.deep.equal({ norm: 'linf', epsilon: 0.1 });
    expect(quoted(threats, { norm: 'l2', epsilon: 0.1 })).to.deep.equal({ norm: 'l2', epsilon: 0.1 });
  });

  it('is the first above 0 where training was against none of them', () => {
    expect(quoted(threats, { norm: 'linf', epsilon: 0.3 })).to.deep.equal({ norm: 'linf', epsilon: 0.05 });
    expect(quoted(threats, {})).to.deep.equal({ norm: 'linf', epsilon: 0.05 });
    expect(quoted(inNorm('linf', [0]), {})).to.equal(undefined);
  });
});
