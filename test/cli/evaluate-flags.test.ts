// Which flags of `evaluate` have no effect where nothing is attacked, so that they are refused.
import { expect } from 'chai';
import { ATTACKING, type EvaluateFlags, refuseFlags } from '../../src/cli/flags/evaluate-flags.ts';
import { UsageError } from '../../src/core/errors.ts';

describe('the flags of evaluate without an attack', () => {
  it('are refused where they are about attacks, several norms among them', () => {
    expect(ATTACKING).to.have.members([
      'attacks',
      'protocol',
      'eot',
      'norm',
      'epsilon',
      'norms',
      'steps',
      'step-size',
      'restarts',
      'expect-clean',
      'seed',
      'resume',
      'shard',
      'merge',
      'save-examples',
    ]);
    expect(() => refuseFlags({ norms: { linf: 0.1 } } as unknown as EvaluateFlags, ATTACKING, 'saved examples'))
      .to.throw(UsageError)
      .with.property('message', '--norms does not apply to saved examples. Leave it out.');
  });
});
