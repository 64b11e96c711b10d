import { expect } from 'chai';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import { type MethodName, methods } from '../../src/sparsity/methods.ts';
import { seesOtherExamples } from '../../src/training/config/conditions.ts';
import {
  configHash,
  describe as describeConfig,
  parseConfig,
  readConfig,
  settingRows,
  type TrainOptions,
} from '../../src/training/config/config.ts';
import { methodOptions } from '../../src/training/config/method-options.ts';

const problemOf = (input: unknown): string => {
  try {
    readConfig(input);
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

  it('takes every option of a method from its row, and to its sparsifier', () => {
    const others = {
      dropFraction: 0.4,
      dropSchedule: 'linear',
      updateBegin: 0.25,
      updateInterval: 7,
      updateEnd: 0.5,
      weightNoise: 1e-3,
    } as const;
    for (const [name, { sparse, defaults, givenWeights }] of Object.entries(methods)) {
      if (!sparse) continue;
      const from = givenWeights === 'needed' ? 'ab'.repeat(32) : undefined;
      const given: TrainOptions = { method: name as MethodName, sparsity: 0.9, from };
      expect({ ...defaults, ...methodOptions(parseConfig(given), 1000) }, name).to.deep.equal({ ...defaults });
      for (const [setting, { methodOption }] of settingRows) {
        if (methodOption === undefined) continue;
        const value = others[setting as keyof typeof others];
        if (methodOption in (defaults ?? {})) {
          const inSteps = setting === 'updateBegin' ? 250 : value;
          expect(methodOptions(parseConfig({ ...given, [setting]: value }), 1000)[methodOption], name).to.equal(
            inSteps,
          );
        } else {
          expect(problemOf({ ...given, [setting]: value })).to.match(new RegExp(`^${setting} \\S+ applies only to`));
        }
      }
    }
  });

  it('takes the steps and the step size of a training attack from its row', () => {
    const attack = (options: TrainOptions) => {
      const { trainingAttack, steps, stepSize, stepsSchedule } = parseConfig({ dataset: 'cifar10', ...options });
      return { trainingAttack, steps, stepSize, stepsSchedule };
    };
    const none = { steps: undefined, stepSize: undefined, stepsSchedule: undefined };
    expect(attack({})).to.deep.equal({ ...none, trainingAttack: 'pgd', steps: 10, stepSize: 2 / 255 });
    expect(attack({ trainingAttack: 'rs-fgsm' })).to.deep.equal({
      ...none,
      trainingAttack: 'rs-fgsm',
      stepSize: 1.25 * (8 / 255),
    });
    expect(attack({ trainingAttack: 'n-fgsm' })).to.deep.equal({
      ...none,
      trainingAttack: 'n-fgsm',
      stepSize: 8 / 255,
    });
    expect(attack({ stepsSchedule: '0@0,2@0.5' })).to.deep.equal({
      ...none,
      trainingAttack: 'pgd',
      stepsSchedule: '0@0,2@0.5',
    });
    expect(attack({ objective: 'natural' })).to.deep.equal({ ...none, trainingAttack: undefined });
  });

  it('has a guard against collapse below three attack steps, unless it is given', () => {
    const guard = (options: TrainOptions) => parseConfig({ dataset: 'cifar10', ...options }).guard;
    expect([1, 2, 3, 10].map((steps) => guard({ steps }))).to.deep.equal([true, true, false, false]);
    expect(guard({ trainingAttack: 'rs-fgsm' })).to.equal(true);
    expect(guard({ trainingAttack: 'n-fgsm', guard: false })).to.equal(false);
    expect(guard({ steps: 10, guard: true })).to.equal(true);
    expect(guard({ stepsSchedule: '0@0,1@0.3' })).to.equal(true);
    expect(guard({ stepsSchedule: '0@0,3@0.3' })).to.equal(false);
    expect(guard({ objective: 'natural' })).to.equal(undefined);
  });

  it('lets a matched pre-pass attack as training does, whatever the training attack', () => {
    const steps = (options: TrainOptions) =>
      parseConfig({ optimizer: 'agent', agentPrepass: 'matched', ...options }).agentAttackSteps;
    expect(steps({ trainingAttack: 'n-fgsm' })).to.equal(1);
    expect(steps({ steps: 3 })).to.equal(3);
    expect(steps({ stepsSchedule: '0@0,2@0.5' })).to.equal(undefined);
  });

  it('resolves to itself', () => {
    const optional = <const T extends readonly unknown[]>(values: T) =>
      fc.option(fc.constantFrom<T[number]>(...values), { nil: undefined });
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

  it('takes the pre-pass of the authors, and a matched one where all of a biased correction would be taken', () => {
    const prepassOf = (optimizer: TrainOptions['optimizer'], objective: TrainOptions['objective']) =>
      parseConfig({ optimizer, objective }).agentPrepass;
    for (const optimizer of ['agent', 'svrg', 'alpha-svrg'] as const) {
      expect(prepassOf(optimizer, 'natural')).to.equal('published');
      for (const objective of ['at', 'trades'] as const) {
        expect(prepassOf(optimizer, objective)).to.equal(optimizer === 'agent' ? 'published' : 'matched');
      }
    }
    expect(parseConfig({ optimizer: 'svrg', steps: 3 })).to.include({ agentPrepass: 'matched', agentAttackSteps: 3 });
    expect(parseConfig({ optimizer: 'svrg', agentPrepass: 'published' }).agentPrepass).to.equal('published');
  });

  it('knows where a pre-pass sees other examples than the steps', () => {
    const cases: readonly (readonly [TrainOptions, boolean])[] = [
      [{ optimizer: 'sgd' }, false],
      [{ optimizer: 'agent' }, true],
      [{ optimizer: 'agent', agentPrepass: 'published-bsr' }, true],
      [{ optimizer: 'agent', objective: 'natural', augment: 'none' }, false],
      [{ optimizer: 'agent', objective: 'natural', augment: 'shift' }, true],
      [{ optimizer: 'agent', agentPrepass: 'matched', agentAttackSteps: 1 }, false],
      [{ optimizer: 'agent', agentPrepass: 'subsampled' }, false],
      [{ optimizer: 'agent', agentPrepass: 'subsampled', agentAttackSteps: 1 }, true],
    ];
    for (const [options, other] of cases) {
      expect(seesOtherExamples(parseConfig(options)), JSON.stringify(options)).to.equal(other);
    }
  });

  it('has milestones before the end, but for the one of a single epoch', () => {
    for (const epochs of [1, 2, 3, 4, 5, 100]) {
      const { milestones } = parseConfig({ schedule: 'multi-step', epochs });
      expect(milestones?.every((epoch) => epoch < epochs || epochs === 1)).to.equal(true);
      expect(parseConfig({ schedule: 'multi-step', epochs, milestones }).milestones).to.deep.equal(milestones);
    }
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

  it('takes β of its objective', () => {
    const betas = (['trades', 'mart', 'at'] as const).map((objective) => parseConfig({ objective }).beta);
    expect(betas).to.deep.equal([6, 5, undefined]);
  });

  it('prunes trained weights where a sparsity comes without a method', () => {
    expect(parseConfig({ sparsity: 0.9 }).method).to.equal('rigl');
    expect(parseConfig({ sparsity: 0.9, from: 'a'.repeat(64) }).method).to.equal('one-shot');
    expect(parseConfig({ from: 'a'.repeat(64) }).method).to.equal('dense');
  });

  it('is dense at sparsity 0 whatever the method', () => {
    expect(parseConfig({ sparsity: 0, method: 'rigl', dropFraction: 0.3 })).to.deep.equal(parseConfig({}));
  });

  const mistakes: readonly (readonly [string, unknown, RegExp])[] = [
    ['an unknown setting', { sparsty: 0.9 }, /no setting sparsty\. Did you mean sparsity\?/],
    ['a sparsity in per cent', { sparsity: 95 }, /sparsity must be below 1, got 95.*did you mean 0\.95/],
    ['sparsity 1', { sparsity: 1 }, /sparsity must be below 1, got 1/],
    ['epsilon in levels', { epsilon: 8 }, /epsilon: expected at most 1 in linf.*got 8\. Did you mean 8\/255/],
    ['a negative epsilon', { epsilon: -1 }, /epsilon must be above 0, got -1/],
    ['an unknown method', { method: 'rigle' }, /one of dense, static, set, rigl.*, got rigle\. Did you mean rigl\?/],
    ['an unknown backend', { backend: 'cuda' }, /backend must be one of .*engine.*got cuda/],
    ['AGENT settings with plain SGD', { agentGamma: 0.1 }, /agentGamma 0\.1 applies only to the optimizer agent/],
    ['AGENT settings with svrg', { optimizer: 'svrg', agentAlpha: 0.3 }, /agentAlpha 0\.3 applies only to .*agent/],
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
      'one-shot pruning of random weights',
      { method: 'one-shot', sparsity: 0.9 },
      /method one-shot prunes a trained network, .*give a checkpoint or a run with from/,
    ],
    [
      'trained weights under random masks',
      { method: 'rigl', sparsity: 0.9, from: 'a'.repeat(64) },
      /from a{8}… applies only to the methods dense, gradual and one-shot \(.*\), got method rigl/,
    ],
    ['a path for a checkpoint', { from: 'runs/dense' }, /from must be a SHA-256 of 64 hexadecimal digits/],
    ['rst without extra images', { objective: 'rst' }, /objective rst .*with extraImages, or take trades/],
    [
      'extra images without rst',
      { extraImages: 'a'.repeat(64) },
      /applies only to objectives with extra images, such as rst/,
    ],
    [
      'sparsities by layer in another distribution',
      { sparsity: 0.9, distribution: 'er', layerSparsities: { 'fc.kernel': 0.5 } },
      /layerSparsities .* applies only to the distribution per-layer, got .*distribution er/,
    ],
    [
      'per-layer without them',
      { sparsity: 0.9, distribution: 'per-layer' },
      /needs a sparsity for at least one kernel/,
    ],
    [
      'one of them in per cent',
      { layerSparsities: { 'fc.kernel': 95 } },
      /layerSparsities fc\.kernel must be below 1, got 95.*did you mean 0\.95/,
    ],
    [
      'weight noise of another method',
      { method: 'set', sparsity: 0.9, weightNoise: 1e-6 },
      /weightNoise .* only to the method bsr-net/,
    ],
    [
      'a first stage of another distribution',
      { sparsity: 0.9, firstStageDensity: 0.1 },
      /applies only to the distribution bsr-net, got method rigl, distribution erk/,
    ],
    [
      'mask updates instead of steps that there are none of',
      { method: 'gradual', sparsity: 0.9, maskUpdate: 'instead-of-step' },
      /maskUpdate instead-of-step applies only to methods that drop and grow weights/,
    ],
    [
      'batch norm of an attack that there is none of',
      { objective: 'natural', attackBn: 'train' },
      /attackBn train is about the training attack/,
    ],
    [
      'milestones beyond the end',
      { schedule: 'multi-step', milestones: [5, 20], epochs: 10 },
      /milestones 5,20 do not all come before the end of the 10 epochs/,
    ],
    [
      'a milestone at the end, which nothing follows',
      { schedule: 'multi-step', milestones: [10], epochs: 10 },
      /milestones 10 does not all come before the end/,
    ],
    [
      'mask updates that begin after their end',
      { sparsity: 0.9, updateBegin: 0.8 },
      /updateBegin 0\.8 is not before the end of the mask updates, updateEnd 0\.75/,
    ],
    [
      'a step that never comes between mask updates',
      { sparsity: 0.9, maskUpdate: 'instead-of-step', updateInterval: 1 },
      /leaves no step that moves the weights/,
    ],
    ['β of an objective without it', { beta: 6 }, /beta 6 applies only to objectives with a robust term/],
    ['an unknown recipe', { recipe: 'rigll' }, /recipe must be one of bsr-net, .*Did you mean rigl\?/],
    ['a schedule of c without c', { optimizer: 'svrg', agentPrepass: 'published-bsr' }, /Use agentPrepass published/],
    [
      'a share of a whole pre-pass',
      { optimizer: 'agent', agentPrepassShare: 0.5 },
      /applies only to the pre-pass subsampled/,
    ],
    ['a warm-up beyond the end', { epochs: 5, attackWarmup: 6 }, /attackWarmup 6 is longer than the 5 epochs/],
    [
      'a drop of the learning rate beyond the end',
      { epochs: 5, schedule: 'step', decayEvery: 5 },
      /decayEvery 5 is not below the 5 epochs/,
    ],
    [
      'a schedule whose last steps no epoch has',
      { epochs: 3, stepsSchedule: '0@0,1@0.7' },
      /stepsSchedule 0@0,1@0\.7: no epoch would have 1@0\.7, .* the last of 3 starts at 0\.667/,
    ],
    [
      'a schedule between whose epochs are steps',
      { epochs: 2, stepsSchedule: '1@0,2@0.1,3@0.2,2@0.5' },
      /no epoch would have 2@0\.1,3@0\.2, /,
    ],
    ['drop settings of a static mask', { method: 'static', sparsity: 0.9, dropFraction: 0.3 }, /dropFraction 0\.3/],
    [
      'attack steps of natural training',
      { objective: 'natural', steps: 3 },
      /steps 3 applies only to adversarial objectives with .*, got objective natural/,
    ],
    [
      'steps of a one-step attack',
      { trainingAttack: 'rs-fgsm', steps: 2 },
      /steps 2 applies only to .* training attack pgd .*, got .*trainingAttack rs-fgsm/,
    ],
    ['steps beside their schedule', { stepsSchedule: '0@0,1@0.5', steps: 2 }, /steps 2 applies only to .*0@0,1@0.5/],
    [
      'two steps of a one-step attack in a schedule',
      { trainingAttack: 'n-fgsm', stepsSchedule: '0@0,2@0.5' },
      /trainingAttack n-fgsm takes one step, .*got stepsSchedule 0@0,2@0.5.*pgd/,
    ],
    ...['1@0.3', '0@0', '1@0,2@0', '1@0,2@1', '1@0,0.5@0.5', '-1@0', 'one', '1@0;2@1', '1@0,2@.5'].map(
      (stepsSchedule) =>
        [
          `the schedule of steps ${stepsSchedule}`,
          { stepsSchedule },
          /stepsSchedule must be steps at ascending shares .*, as 0@0,1@0\.3/,
        ] as const,
    ),
    [
      'a training attack that there is none of',
      { trainingAttack: 'fgsm' },
      /trainingAttack must be one of pgd, rs-fgsm, n-fgsm/,
    ],
    [
      'a guard of natural training',
      { objective: 'natural', guard: true },
      /guard true applies only to adversarial objectives/,
    ],
    ['milestones of a cosine', { milestones: [1, 2] }, /milestones 1,2 applies only to the schedule multi-step/],
    ['a peak of a cosine', { lrPeak: 0.3 }, /lrPeak 0\.3 applies only to the schedules linear and one-cycle/],
    ['a peak at the end', { schedule: 'linear', lrPeak: 1 }, /lrPeak/],
    ['a decay of averages that never ends', { ema: 1 }, /ema/],
    [
      'milestones out of order',
      { schedule: 'multi-step', milestones: [5, 2] },
      /milestones must be in ascending order/,
    ],
    ['a norm without customary radius', { dataset: 'folder', norm: 'l1' }, /epsilon must be given for dataset folder/],
    ['a mean without a deviation', { mean: [0.5] }, /mean and std must be given together.*got mean 0\.5 and no std/],
    ['fewer deviations than means', { mean: [0.5, 0.4], std: [1] }, /got mean 0\.5,0\.4 and std 1/],
    ['a mean in grey levels', { mean: [123], std: [58] }, /mean 0 must be at most 1, got 123\..*did you mean 123\/255/],
    ['a step in grey levels', { stepSize: 2 }, /stepSize: expected at most 1 in linf.*got 2\. Did you mean 2\/255/],
    ['a deviation of 0', { mean: [0.5], std: [0] }, /std 0 must be above 0/],
    ['Nesterov without momentum', { momentum: 0, nesterov: true }, /nesterov needs momentum above 0/],
    ['a word for a number', { epochs: 'ten' }, /epochs must be a number, got ten/],
    ['half a seed', { seed: 0.5 }, /seed must be a whole number, got 0\.5/],
    ['another version', { version: 1 }, /configurations of version 2, got 1/],
    ['no record', 'cifar10', /record of settings, got cifar10/],
  ];
  for (const [what, input, message] of mistakes) {
    it(`refuses ${what}, naming it`, () => {
      expect(problemOf(input)).to.match(message);
    });
  }

  it('calls settings what its user calls them', () => {
    const nameOf = (setting: string) => `--${setting.toUpperCase()}`;
    const messageOf = (input: unknown) => {
      try {
        readConfig(input, { nameOf });
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(messageOf({ agentGamma: 0.1 })).to.equal(
      '--AGENTGAMMA 0.1 applies only to the optimizer agent, got --OPTIMIZER sgd. Leave --AGENTGAMMA out, or change --OPTIMIZER.',
    );
    expect(messageOf({ epochs: 0 })).to.equal('--EPOCHS must be above 0, got 0.');
  });

  it('writes down every setting that applies, defaults included', () => {
    const { weightDecayScope, maskUpdate, dropSchedule, updateBegin } = parseConfig({ sparsity: 0.9 });
    expect([weightDecayScope, maskUpdate, dropSchedule, updateBegin]).to.deep.equal(['all', 'after-step', 'cosine', 0]);
  });

  it('has a row below those that its default reads, so that each setting given alone resolves to itself', () => {
    const given: readonly TrainOptions[] = [
      { sparsity: 0.9 },
      { layerSparsities: { 'fc.kernel': 0.5 } },
      { dataset: 'svhn', norm: 'l2' },
      { objective: 'trades', optimizer: 'svrg', steps: 3 },
      { schedule: 'multi-step', epochs: 7 },
      { method: 'bsr-net', sparsity: 0.9, distribution: 'bsr-net' },
    ];
    for (const options of given) {
      const config = parseConfig(options);
      expect(parseConfig(config)).to.deep.equal(config);
      expect(config).to.deep.include(options);
    }
  });

  it('takes per-layer for its distribution where sparsities of layers are given, at sparsity 0 too', () => {
    const layerSparsities = { 'fc1.kernel': 0.9 };
    for (const sparsity of [undefined, 0, 0.5]) {
      const config = parseConfig({ sparsity, layerSparsities });
      expect(config).to.include({ method: 'rigl', distribution: 'per-layer', sparsity: sparsity ?? 0 });
      expect(parseConfig(config)).to.deep.equal(config);
    }
  });

  it('names every mistake at once', () => {
    expect(problemOf({ epochs: 0, lr: -1 }).split('\n')).to.have.length(2);
  });

  it('has a name that follows from its settings alone', () => {
    const hash = configHash(parseConfig({ seed: 1, dataset: 'cifar10' }));
    expect(hash).to.match(/^[0-9a-f]{16}$/);
    expect(configHash(parseConfig({ dataset: 'cifar10', seed: 1, epochs: 100 }))).to.equal(hash);
    expect(configHash(parseConfig({ dataset: 'cifar10', seed: 2 }))).not.to.equal(hash);
  });

  it('has a name that does not follow from how often it saves, and is that of the default', () => {
    const hash = configHash(parseConfig({ dataset: 'cifar10' }));
    expect(configHash(parseConfig({ dataset: 'cifar10', checkpointEvery: 60 }))).to.equal(hash);
    expect(configHash(parseConfig({ dataset: 'cifar10', testLimit: 60 }))).not.to.equal(hash);
  });

  it('has the same name in whatever order its layers are given', () => {
    const [a, b] = [
      { x: 0.5, y: 0.9 },
      { y: 0.9, x: 0.5 },
    ].map((layerSparsities) => parseConfig({ layerSparsities }));
    expect(configHash(a)).to.equal(configHash(b));
    expect(JSON.stringify(a)).to.equal(JSON.stringify(b));
  });

  it('is described in one line', () => {
    const config = parseConfig({ dataset: 'cifar10', model: 'vgg16', width: 0.25, sparsity: 0.95, optimizer: 'agent' });
    expect(describeConfig(config)).to.equal(
      'vgg16 ×0.25 on cifar10, rigl 95 % (erk), agent (published), at linf 8/255 PGD-10, 100 epochs, seed 0',
    );
    expect(describeConfig(parseConfig({ sparsity: 0.9, from: 'ab'.repeat(32) }))).to.match(
      /one-shot 90 % \(erk\), .*, seed 0, from checkpoint abababab$/,
    );
  });
});
