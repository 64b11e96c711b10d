import { expect } from 'chai';
import { sizeOf } from '../../src/core/structure.ts';
import type { DatasetName } from '../../src/data/sets/datasets.ts';
import { kernelsOf } from '../../src/models/inspect.ts';
import { buildModel } from '../../src/models/models.ts';
import { distributions } from '../../src/sparsity/distributions.ts';
import { configHash, parseConfig, type TrainConfig } from '../../src/training/config/config.ts';
import { type RecipeName, recipes } from '../../src/training/config/recipes.ts';
import { distributionOptions, openTask } from '../../src/training/task.ts';

/** The attack of every paper that attacks: PGD-10 at 8/255, steps of 2/255. */
const ATTACK = { norm: 'linf', epsilon: 8 / 255, steps: 10, stepSize: 2 / 255 } as const;
const CIFAR = { dataset: 'cifar10', batchSize: 128, lr: 0.1, momentum: 0.9, augment: 'shift-flip' } as const;

/** The schedules as the authors' code has them. */
const SCHEDULES: { readonly [Name in RecipeName]: Partial<TrainConfig> } = {
  'bsr-net': {
    ...CIFAR,
    ...ATTACK,
    model: 'vgg16-bsr',
    objective: 'at',
    epochs: 200,
    method: 'bsr-net',
    sparsity: 0.99,
    distribution: 'bsr-net',
    nesterov: false,
    // 1e-3 a step at learning rate 0.1.
    weightDecay: 0.01,
    weightDecayMode: 'decoupled',
    schedule: 'multi-step',
    decayFactor: 0.1,
    attackBn: 'evaluate',
  },
  rigl: {
    ...CIFAR,
    model: 'wrn-22-2',
    objective: 'natural',
    epochs: 250,
    method: 'rigl',
    sparsity: 0.9,
    distribution: 'erk',
    denseFirstConv: true,
    denseLastLayer: false,
    nesterov: true,
    weightDecay: 5e-4,
    weightDecayMode: 'coupled',
    weightDecayScope: 'kernels',
    dropFraction: 0.3,
    updateInterval: 100,
    updateEnd: 75_000 / 97_656,
    maskUpdate: 'instead-of-step',
    schedule: 'step',
    decayEvery: 77,
    decayFactor: 0.2,
  },
  itop: {
    ...CIFAR,
    model: 'vgg16',
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.2023, 0.1994, 0.201],
    objective: 'natural',
    epochs: 250,
    method: 'rigl-itop',
    sparsity: 0.95,
    distribution: 'erk',
    nesterov: true,
    weightDecay: 5e-4,
    weightDecayMode: 'coupled',
    updateInterval: 4000,
    updateEnd: 1,
    dropFraction: 0.5,
    schedule: 'multi-step',
    decayFactor: 0.1,
  },
  rice2020: {
    ...CIFAR,
    ...ATTACK,
    model: 'preactresnet18',
    mean: [0.4914, 0.4822, 0.4465],
    std: [0.2471, 0.2435, 0.2616],
    objective: 'at',
    epochs: 200,
    method: 'dense',
    sparsity: 0,
    nesterov: false,
    weightDecay: 5e-4,
    weightDecayMode: 'coupled',
    schedule: 'multi-step',
    decayFactor: 0.1,
    attackBn: 'train',
  },
  fast: {
    ...CIFAR,
    model: 'vgg16',
    objective: 'at',
    trainingAttack: 'n-fgsm',
    norm: 'linf',
    epsilon: 8 / 255,
    stepSize: 8 / 255,
    guard: true,
    epochs: 30,
    method: 'rigl',
    sparsity: 0.95,
    distribution: 'uniform',
    denseFirstConv: true,
    updateInterval: 100,
    nesterov: false,
    weightDecay: 5e-4,
    weightDecayMode: 'coupled',
    schedule: 'one-cycle',
    lrPeak: 0.3,
    ema: 0.999,
  },
};

const names = Object.keys(recipes) as RecipeName[];

describe('a recipe', () => {
  for (const name of names) {
    it(`${name} is the schedule that its page states`, () => {
      expect(parseConfig({ recipe: name })).to.deep.include(SCHEDULES[name]);
    });

    it(`${name} stands for settings, and leaves no trace of itself`, () => {
      const config = parseConfig({ recipe: name });
      expect(config).not.to.have.property('recipe');
      expect(parseConfig(config)).to.deep.equal(config);
      expect(configHash(parseConfig({ ...config }))).to.equal(configHash(config));
    });

    it(`${name} yields to every setting given, and what then does not apply is left out`, () => {
      for (const given of [
        { epochs: 10, seed: 3, lr: 0.02 },
        { method: 'set', sparsity: 0.8 },
        { method: 'static', sparsity: 0.8 },
        { method: 'dense' },
        { sparsity: 0 },
        { objective: 'trades', optimizer: 'agent' },
        { objective: 'natural', attackBn: 'evaluate' },
        { schedule: 'cosine' },
        { layerSparsities: { 'fc.kernel': 0.5 } },
        { dataset: 'mnist10k' },
        { model: 'wrn-28-4' },
      ] as const) {
        const config = parseConfig({ recipe: name, ...given });
        if ('sparsity' in given && given.sparsity === 0) expect(config.method).to.equal('dense');
        else expect(config).to.deep.include(given);
        expect(parseConfig(config)).to.deep.equal(config);
      }
    });

    it(`${name} names a network that its data fit, and a distribution that this network has room for`, async () => {
      const config = parseConfig({ recipe: name });
      const kernels = kernelsOf(buildModel(config.model, { inputShape: [32, 32, 3], classes: 10, width: 1 }));
      const { distribution, sparsity } = config;
      if (distribution !== undefined && distribution !== 'global') {
        const counts = Object.values(distributions[distribution](kernels, sparsity, distributionOptions(config)));
        const size = kernels.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
        // A uniform distribution keeps the first convolution dense on top of its budget.
        const beside = distribution === 'uniform' ? sizeOf(kernels[0].shape) : 0;
        const total = counts.reduce((sum, count) => sum + count, 0);
        expect(total - Math.round((1 - sparsity) * size)).to.be.within(0, beside);
      }
      // On digits it trains the digits' own network.
      const task = await openTask(parseConfig({ recipe: name, dataset: 'mnist10k' }));
      expect(task.model.name).to.equal('cnn');
      expect(task.totalSteps).to.be.above(0);
    });
  }

  it('drops the learning rate where the paper does, in a shorter run at the same shares of it', () => {
    expect(parseConfig({ recipe: 'bsr-net' }).milestones).to.deep.equal([100, 150]);
    expect(parseConfig({ recipe: 'rice2020' }).milestones).to.deep.equal([100, 150]);
    expect(parseConfig({ recipe: 'itop' }).milestones).to.deep.equal([125, 187]);
    expect(parseConfig({ recipe: 'rice2020', epochs: 20 }).milestones).to.deep.equal([10, 15]);
    expect(parseConfig({ recipe: 'rigl', epochs: 25 }).decayEvery).to.equal(8);
  });

  it('bsr-net follows its network and its objective, as the authors do', () => {
    expect(parseConfig({ recipe: 'bsr-net', objective: 'trades' })).to.include({ weightDecay: 0.005, beta: 6 });
    expect(parseConfig({ recipe: 'bsr-net', objective: 'mart' }).beta).to.equal(6);
    expect(parseConfig({ recipe: 'bsr-net', model: 'wrn-28-4' }).firstStageDensity).to.equal(0.1);
  });

  it('augments SVHN as the authors do: bsr-net as CIFAR, rice2020 not at all', () => {
    const augmentOf = (recipe: RecipeName, dataset: DatasetName) => parseConfig({ recipe, dataset }).augment;
    expect(augmentOf('bsr-net', 'svhn')).to.equal('shift-flip');
    expect(augmentOf('rice2020', 'svhn')).to.equal('none');
    for (const recipe of names) expect(augmentOf(recipe, 'cifar100')).to.equal('shift-flip');
    expect(augmentOf('bsr-net', 'mnist10k')).to.equal('none');
    expect(parseConfig({ recipe: 'rice2020', dataset: 'svhn', augment: 'shift' }).augment).to.equal('shift');
  });

  it('rigl moves the weights at mask updates of SET, as the authors do', () => {
    expect(parseConfig({ recipe: 'rigl' }).maskUpdate).to.equal('instead-of-step');
    expect(parseConfig({ recipe: 'rigl', method: 'set' }).maskUpdate).to.equal('after-step');
  });

  it('rice2020 normalises by the data set, and learns SVHN at a tenth of the rate', () => {
    const svhn = parseConfig({ recipe: 'rice2020', dataset: 'svhn' });
    expect(svhn).to.deep.include({ lr: 0.01, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] });
    expect(parseConfig({ recipe: 'rice2020', dataset: 'cifar100' }).mean?.[0]).to.be.closeTo(0.50708, 1e-5);
    expect(parseConfig({ recipe: 'rice2020', dataset: 'folder', epsilon: 0.1 })).not.to.have.any.keys('mean', 'std');
  });

  it('itop trains SET-ITOP at its own interval', () => {
    expect(parseConfig({ recipe: 'itop', method: 'set-itop' }).updateInterval).to.equal(1500);
  });

  it('fast trains on the images as they are under natural, and attacks in more steps where that is asked for', () => {
    expect(parseConfig({ recipe: 'fast', objective: 'natural' })).not.to.have.any.keys('trainingAttack', 'guard');
    const pgd = parseConfig({ recipe: 'fast', trainingAttack: 'pgd', steps: 10 });
    expect(pgd).to.include({ steps: 10, stepSize: 2 / 255, guard: false, ema: 0.999, schedule: 'one-cycle' });
  });
});
