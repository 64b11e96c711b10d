import { expect } from 'chai';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import type { MethodName } from '../../src/sparsity/methods.ts';
import { configHash, describe as describeConfig, parseConfig } from '../../src/training/config.ts';

const problemOf = (input: unknown): string => {
  try {
    parseConfig(input);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(input)} was accepted`);
};

describe('a training configuration', () => {
  const customary = [
    ['cifar10', { norm: 'linf', epsilon: 8 / 255, steps: 10, stepSize: 2 / 255 }],
    ['cifar100', { norm: 'l2', epsilon: 0.5, steps: 10, stepSize: 0.125 }],
    ['svhn', { norm: 'l1', epsilon: 12, steps: 10, stepSize: 3 }],
    ['mnist', { norm: 'linf', epsilon: 0.3, steps: 40, stepSize: 0.01 }],
    ['mnist10k', { norm: 'linf', epsilon: 0.1, steps: 7, stepSize: 0.025 }],
    ['folder', { norm: 'linf', epsilon: 4 / 255, steps: 10, stepSize: 1 / 255 }],
  ] as const;
  for (const [dataset, attack] of customary) {
    it(`takes the customary ${attack.norm} attack of ${dataset}`, () => {
      expect(parseConfig({ dataset, norm: attack.norm })).to.deep.include(attack);
    });
  }

  it('gives an attack of another radius steps of 2.5 epsilon / steps', () => {
    expect(parseConfig({ dataset: 'cifar10', epsilon: 0.1, steps: 5 }).stepSize).to.equal(0.05);
  });

  it('resolves to itself', () => {
    const optional = <T>(values: readonly T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
    fc.assert(
      fc.property(
        fc.record({
          dataset: optional(['cifar10', 'mnist10k', 'synthetic']),
          sparsity: optional([0, 0.5, 0.99]),
          optimizer: optional(['sgd', 'agent', 'svrg', 'alpha-svrg']),
          objective: optional(['natural', 'at']),
          schedule: optional(['cosine', 'step', 'multi-step', 'constant']),
          epochs: optional([1, 2, 100]),
        }),
        (input) => {
          const config = parseConfig(input);
          expect(parseConfig(JSON.parse(JSON.stringify(config)))).to.deep.equal(config);
        },
      ),
    );
  });

  it('has no settings that do not apply', () => {
    const config = parseConfig({ dataset: 'cifar10', objective: 'natural' });
    for (const key of ['agentGamma', 'agentPrepass', 'dropFraction', 'distribution', 'steps', 'milestones']) {
      expect(config).not.to.have.property(key);
    }
  });

  it('takes the mask updates of its method', () => {
    const updates = (method: MethodName) => {
      const { updateInterval, updateEnd, dropFraction } = parseConfig({ method, sparsity: 0.9 });
      return [updateInterval, updateEnd, dropFraction];
    };
    expect(updates('rigl')).to.deep.equal([100, 0.75, 0.3]);
    expect(updates('set-itop')).to.deep.equal([1500, 1, 0.5]);
    expect(updates('gradual')).to.deep.equal([100, 0.75, undefined]);
    expect(updates('bsr-net')).to.deep.equal([undefined, undefined, undefined]);
  });

  it('is dense at sparsity 0 whatever the method', () => {
    expect(parseConfig({ sparsity: 0, method: 'rigl', dropFraction: 0.3 })).to.deep.equal(parseConfig({}));
  });

  const mistakes: readonly (readonly [string, unknown, RegExp])[] = [
    ['an unknown setting', { sparsty: 0.9 }, /no setting sparsty\. Did you mean sparsity\?/],
    ['a sparsity in per cent', { sparsity: 95 }, /sparsity must be below 1; 95 came.*did you mean 0\.95/],
    ['sparsity 1', { sparsity: 1 }, /sparsity must be below 1; 1 came/],
    ['epsilon in levels', { epsilon: 8 }, /epsilon 8 came.*Did you mean 8\/255/],
    ['a negative epsilon', { epsilon: -1 }, /epsilon must be above 0; -1 came/],
    ['an unknown method', { method: 'rigle' }, /one of dense, static, set, rigl.*; rigle came\. Did you mean rigl\?/],
    ['an unknown backend', { backend: 'cuda' }, /backend must be one of .*engine.*cuda came/],
    ['AGENT settings with plain SGD', { agentGamma: 0.1 }, /agentGamma 0\.1 applies to the optimizer agent only/],
    ['AGENT settings with svrg', { optimizer: 'svrg', agentAlpha: 0.3 }, /agentAlpha 0\.3 applies to .*agent only/],
    [
      'attack steps of a published pre-pass',
      { optimizer: 'agent', agentAttackSteps: 1 },
      /the pre-passes matched and subsampled/,
    ],
    ['a sparsity of a dense net', { method: 'dense', sparsity: 0.9 }, /sparsity 0\.9 needs a sparse method/],
    ['a sparse method without a sparsity', { method: 'set' }, /method set needs a sparsity/],
    [
      'an interval of a method that rewires after every step',
      { method: 'bsr-net', sparsity: 0.9, updateInterval: 5 },
      /updateInterval 5 applies/,
    ],
    [
      'a method that needs given weights',
      { method: 'one-shot', sparsity: 0.9 },
      /method must be one of .*; "?one-shot"? came/,
    ],
    ['a schedule of c without c', { optimizer: 'svrg', agentPrepass: 'published-bsr' }, /Use agentPrepass published/],
    [
      'a share of a whole pre-pass',
      { optimizer: 'agent', agentPrepassShare: 0.5 },
      /applies to the pre-pass subsampled only/,
    ],
    ['a warm-up beyond the end', { epochs: 5, attackWarmup: 6 }, /attackWarmup 6 is longer than the 5 epochs/],
    ['drop settings of a static mask', { method: 'static', sparsity: 0.9, dropFraction: 0.3 }, /dropFraction 0\.3/],
    [
      'attack steps of natural training',
      { objective: 'natural', steps: 3 },
      /steps 3 applies to adversarial objectives only/,
    ],
    ['milestones of a cosine', { milestones: [1, 2] }, /milestones \[1,2\] applies to the schedule multi-step only/],
    ['milestones out of order', { schedule: 'multi-step', milestones: [5, 2] }, /milestones must ascend/],
    ['a norm without customary radius', { dataset: 'folder', norm: 'l1' }, /epsilon must be given for dataset folder/],
    ['Nesterov without momentum', { momentum: 0, nesterov: true }, /nesterov true needs a momentum/],
    ['a word for a number', { epochs: 'ten' }, /epochs must be a number; ten came/],
    ['half a seed', { seed: 0.5 }, /seed must be a whole number; 0\.5 came/],
    ['a later version', { version: 2 }, /configurations of version 1; 2 came/],
    ['no record', 'cifar10', /record of settings; cifar10 came/],
  ];
  for (const [what, input, message] of mistakes) {
    it(`refuses ${what}, naming it`, () => {
      expect(problemOf(input)).to.match(message);
    });
  }

  it('names every mistake at once', () => {
    expect(problemOf({ epochs: 0, lr: -1 }).split('\n')).to.have.length(2);
  });

  it('has a name that follows from its settings alone', () => {
    const hash = configHash(parseConfig({ seed: 1, dataset: 'cifar10' }));
    expect(hash).to.match(/^[0-9a-f]{16}$/);
    expect(configHash(parseConfig({ dataset: 'cifar10', seed: 1, epochs: 100 }))).to.equal(hash);
    expect(configHash(parseConfig({ dataset: 'cifar10', seed: 2 }))).not.to.equal(hash);
  });

  it('is described in one line', () => {
    const config = parseConfig({ dataset: 'cifar10', model: 'vgg16', width: 0.25, sparsity: 0.95, optimizer: 'agent' });
    expect(describeConfig(config)).to.equal(
      'vgg16 ×0.25 on cifar10, rigl 95 % (erk), agent (published), at linf 8/255 PGD-10, 100 epochs, seed 0',
    );
  });
});
