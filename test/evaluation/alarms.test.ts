import { readFileSync } from 'node:fs';
import type { Rank, Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import { pgd } from '../../attacks/index.ts';
import type { Classifier } from '../../attacks/types.ts';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, seedKey, uniform } from '../../src/core/key.ts';
import { batchImages, batchLabels } from '../../src/data/batch.ts';
import type { Split } from '../../src/data/types.ts';
import {
  ALARMS_PAGE,
  type Alarm,
  type AlarmName,
  checkAlarms,
  type Evidence,
} from '../../src/evaluation/alarms/alarms.ts';
import { checkGradient, type GradientCheck, isWrong } from '../../src/evaluation/alarms/gradient-check.ts';
import { parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { measure } from '../../src/evaluation/measure/measure.ts';
import type { EvaluatedSplit, MeasureOptions } from '../../src/evaluation/measure/types.ts';
import { preprocessed } from '../../src/evaluation/targets/preprocessing.ts';
import { inNorm } from '../../src/evaluation/threat.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';

const SIZE = 6;
const CLASSES = 5;

/** Images of noise in which a row, by their label, is brighter than the others. */
function rows(count: number, name: string): Split {
  const noise = uniform(foldIn(seedKey(4), name), count * SIZE * SIZE);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES);
  const images = new Uint8Array(count * SIZE * SIZE).map((_, i) => {
    const row = Math.floor(i / SIZE) % SIZE;
    const bright = row === labels[Math.floor(i / SIZE ** 2)] ? 0.35 : 0;
    return Math.round(255 * (0.2 + 0.3 * noise[i] + bright));
  });
  return { count, images, labels };
}

const shape = [SIZE, SIZE, 1] as const;
const train = rows(100, 'train');
const data: EvaluatedSplit = { test: rows(60, 'test'), imageShape: shape, classes: [...'abcde'] };

/** A small network trained on images as they are, or on the worst that PGD finds around them. */
async function trained(adversarially: boolean): Promise<Classifier> {
  const model = sequential({
    layers: [
      layers.flatten({ inputShape: [...shape] }),
      layers.dense({ units: 24, activation: 'relu', kernelInitializer: initial(1) }),
      layers.dense({ units: CLASSES, kernelInitializer: initial(2) }),
    ],
  });
  model.compile({ optimizer: 'adam', loss: (labels, logits) => tf.losses.softmaxCrossEntropy(labels, logits) });
  const all = Array.from({ length: train.count }, (_, i) => i);
  const images = batchImages(train, all, shape);
  const labels = batchLabels(train, all);
  const oneHot = tf.oneHot(labels, CLASSES);
  const attack = pgd({ norm: 'linf', epsilon: 0.05, steps: 3 });
  for (let step = 0; step < 120; step++) {
    const key = foldIn(seedKey(1), `step ${step}`);
    const batch = adversarially
      ? await attack.perturb(model, images, labels, { key, mode: 'train' })
      : tf.clone(images);
    await model.trainOnBatch(batch, oneHot);
    batch.dispose();
  }
  tf.dispose([images, labels, oneHot]);
  return (batch) => model.apply(batch, { training: false }) as Tensor2D;
}

const initial = (seed: number) => initializers.randomUniform({ minval: -0.25, maxval: 0.25, seed });

const options: MeasureOptions = {
  threats: inNorm('linf', [0.05]),
  attacks: parseAttacks('pgd-10,pgd-20-cw'),
};

const alarmsOf = async (model: Classifier, change: Partial<MeasureOptions> = {}) => {
  const { alarms } = await measure(model, data, { ...options, ...change });
  return Object.fromEntries(alarms.map((alarm) => [alarm.name, alarm])) as Record<AlarmName, Alarm>;
};

/** A step whose gradient is not its own. */
const withGradient = (forward: (x: Tensor4D) => tf.Tensor, backward: (dy: Tensor4D) => tf.Tensor) =>
  tf.customGrad((x) => ({
    value: forward(x as Tensor4D),
    gradFunc: (dy: tf.Tensor) => backward(dy as Tensor4D),
  })) as (images: Tensor4D) => Tensor4D;

const roundedTo = (levels: number) => (x: Tensor4D) => tf.div(tf.round(tf.mul(x, levels)), levels);
const evenPlaces = () => tf.tensor1d([0, 0, 2, 2, 4, 4], 'int32');

/** Steps before a network with gradients that lead an attack astray. */
const WRONG_GRADIENTS: Readonly<Record<string, (images: Tensor4D) => Tensor4D>> = {
  'a straight-through rounding to 8 levels': withGradient(roundedTo(8), (dy) => tf.clone(dy)),
  'a straight-through rounding to 255 levels': withGradient(roundedTo(255), (dy) => tf.clone(dy)),
  'a random gradient': withGradient(
    (x) => tf.clone(x),
    (dy) => tf.mul(tf.randomNormal(dy.shape, 0, 1, 'float32', 7), tf.sqrt(tf.mean(tf.square(dy)))),
  ),
  'a gradient that is cut off': withGradient(
    (x) => tf.clone(x),
    (dy) => tf.zerosLike(dy),
  ),
  'a gradient that is cut off in half of the image': withGradient(
    (x) => tf.clone(x),
    (dy) => tf.mul(dy, tf.tensor4d([1, 1, 1, 0, 0, 0], [1, 1, SIZE, 1])),
  ),
  'a resize with the gradient of none': withGradient(
    (x) => tf.gather(tf.gather(x, evenPlaces(), 1), evenPlaces(), 2),
    (dy) => tf.clone(dy),
  ),
  'a gradient of the wrong sign': withGradient(
    (x) => tf.clone(x),
    (dy) => tf.neg(dy),
  ),
};

const statuses = (alarms: Readonly<Record<AlarmName, Alarm>>, status: Alarm['status']) =>
  Object.values(alarms)
    .filter((alarm) => alarm.status === status)
    .map(({ name, detail }) => `${name}: ${detail}`);

describe('the alarms', () => {
  let ordinary: Classifier;
  let robust: Classifier;
  before(async () => {
    await useBackend('cpu');
    ordinary = await trained(false);
    robust = await trained(true);
  });

  for (const [what, model] of [
    ['an ordinarily', () => ordinary],
    ['an adversarially', () => robust],
  ] as const) {
    it(`are silent on ${what} trained model, with every attack that they look at`, async () => {
      const attacks = parseAttacks('pgd-5,pgd-20,apgd-10-dlr,square-100');
      const alarms = await alarmsOf(model(), { threats: inNorm('linf', [0.03, 0.06]), attacks });
      expect(statuses(alarms, 'raised')).to.deep.equal([]);
      expect(statuses(alarms, 'not checked')).to.deep.equal([]);
    });
  }

  it('are about models that differ as they should: the adversarially trained one is more robust', async () => {
    const of = async (model: Classifier) => (await measure(model, data, options)).attacks.at(-1)?.robust.correct ?? 0;
    expect(await of(robust)).to.be.above(await of(ordinary));
  });

  const quantised: Classifier = (images) => tf.tidy(() => ordinary(tf.div(tf.round(tf.mul(images, 8)), 8) as Tensor4D));
  const saturated: Classifier = (images) => tf.tidy(() => tf.mul(ordinary(images), 1000) as Tensor2D);
  const noisy: Classifier = (images) =>
    tf.tidy(() => ordinary(tf.add(images, tf.randomNormal(images.shape, 0, 0.02)) as Tensor4D));
  /** Moves images to where it is surer of itself, and classifies these. */
  const purifying: Classifier = (images) =>
    tf.tidy(() => {
      const sure = (x: tf.Tensor) => tf.sum(tf.max(tf.logSoftmax(ordinary(x as Tensor4D)), 1));
      const direction = tf.sign(tf.grad(sure)(tf.tensor4d(images.dataSync(), images.shape)));
      return ordinary(tf.add(images, tf.mul(direction, 0.02)) as Tensor4D);
    });
  const batchy: Classifier = (images) =>
    tf.tidy(() => {
      const signs = tf.tensor1d(Array.from({ length: images.shape[0] }, (_, i) => (i === 0 ? -1 : 1)));
      return tf.mul(ordinary(images), tf.expandDims(signs, 1)) as Tensor2D;
    });

  const raised: (readonly [AlarmName, string, Classifier, Partial<MeasureOptions>?])[] = [
    [
      'probabilities instead of logits',
      'a final softmax',
      (images) => tf.tidy(() => tf.softmax(ordinary(images)) as Tensor2D),
    ],
    ['probabilities instead of logits', 'a final sigmoid', (images) => tf.tidy(() => tf.sigmoid(ordinary(images)))],
    [
      'outputs that are not numbers',
      'a division by 0',
      (images) =>
        tf.tidy(() => {
          const first = tf.slice(tf.reshape(images, [-1, SIZE * SIZE]), [0, 0], [-1, 1]);
          const bright = tf.relu(tf.sub(first, 0.6));
          return tf.add(ordinary(images), tf.mul(tf.div(bright, tf.mul(bright, 0)), 0)) as Tensor2D;
        }),
    ],
    ['zero gradients', 'a quantised input', quantised],
    ['zero gradients', 'logits so large that the softmax saturates', saturated],
    [
      'non-finite gradients',
      'a square root at 0',
      (images) => tf.tidy(() => tf.add(ordinary(images), tf.sqrt(tf.mul(tf.sum(images), 0))) as Tensor2D),
    ],
    ['randomised output', 'a layer of noise', noisy],
    ['optimisation while classifying', 'a purification of its input', purifying],
    ['one class only', 'a constant model', (images) => tf.tidy(() => tf.mul(ordinary(images), 0) as Tensor2D)],
    ['unbounded attack not at 0 %', 'a quantised input', quantised],
    ['success does not hold', 'a model that looks at the whole batch', batchy],
    [
      'black-box beats white-box',
      'a quantised input',
      quantised,
      { threats: inNorm('linf', [0.2]), attacks: parseAttacks('pgd-10,square-200') },
    ],
    [
      'black-box beats white-box',
      'a quantised input, without being asked for Square',
      quantised,
      { threats: inNorm('linf', [0.2]), attacks: parseAttacks('pgd-10') },
    ],
  ];
  for (const [name, what, model, change] of raised) {
    it(`raise '${name}' for ${what}`, async () => {
      const alarm = (await alarmsOf(model, change))[name];
      expect(alarm.status, alarm.detail).to.equal('raised');
    });
  }

  /** What the check of gradients finds on the first test images. */
  async function gradientCheckOf(model: Classifier): Promise<GradientCheck> {
    const images = batchImages(data.test, [...Array(16).keys()], shape);
    return (await checkGradient(model, images, seedKey(3)).finally(() => images.dispose())).found;
  }

  for (const [what, step] of Object.entries(WRONG_GRADIENTS)) {
    it(`raise 'wrong gradients' for ${what}`, async () => {
      for (const model of [ordinary, robust]) {
        const found = await gradientCheckOf((images) => tf.tidy(() => model(step(images))));
        expect(isWrong(found), JSON.stringify(found)).to.equal(true);
        const alarms = checkAlarms({ ...evidence, probe: { ...evidence.probe, gradientCheck: found } });
        expect(alarms.find(({ name }) => name === 'wrong gradients')?.status).to.equal('raised');
      }
    });
  }

  it('find the gradients of trained networks right on every image, also where pixels or activations are equal', async () => {
    for (const model of [ordinary, robust]) {
      expect(await gradientCheckOf(model)).to.deep.equal({ images: 16, zero: 0, checked: 16, wrong: 0 });
    }
    // The logit of a class that is never given says nothing about the rounding of the others.
    const masked: Classifier = (images) => {
      const logits = robust(images);
      return tf.concat([logits, tf.fill([logits.shape[0], 1], -1e9)], 1) as Tensor2D;
    };
    expect(await gradientCheckOf(masked)).to.deep.equal({ images: 16, zero: 0, checked: 16, wrong: 0 });
    const pooled: Classifier = (images) => tf.tidy(() => ordinary(tf.maxPool(tf.mul(images, 0.1), 3, 1, 'same')));
    const black = tf.zeros<Rank.R4>([16, ...shape]);
    const { found } = await checkGradient(pooled, black, seedKey(3)).finally(() => black.dispose());
    expect(found.checked).to.be.above(12);
    expect(found.wrong).to.equal(0);
  });

  for (const [what, model, advice] of [
    ['logits that saturate the softmax', saturated, /pgd-20-cw/],
    ['a quantised input, which defeats the margin too', quantised, /CW margin is zero too.*square-5000/],
  ] as const) {
    it(`name what helps against zero gradients behind ${what}`, async () => {
      expect((await alarmsOf(model))['zero gradients'].detail).to.match(advice);
    });
  }

  it('conclude nothing from the gradients of random outputs, and nothing from those of a model without any', async () => {
    const { probe } = evidence;
    for (const change of [{ logitsAgain: Float32Array.of(1, 2.1) }, { gradientCheck: null }]) {
      const alarms = checkAlarms({ ...evidence, probe: { ...probe, ...change } });
      expect(alarms.find(({ name }) => name === 'wrong gradients')?.status).to.equal('not checked');
    }
  });

  it('are satisfied with attacks on random outputs that average them, and with no others', async () => {
    const of = async (attacks: string) => {
      const { 'randomised output': random, ...others } = await alarmsOf(noisy, { attacks: parseAttacks(attacks) });
      return { random, others };
    };
    const averaged = await of('pgd-5-eot4,square-30-eot4');
    expect(averaged.random.status).to.equal('ok');
    expect(averaged.random.detail).to.match(/other logits the second time, and \d+ of 60 another class\. Every attack/);
    expect(averaged.others['success does not hold'].status).to.equal('not checked');
    expect(averaged.others['unbounded attack not at 0 %'].status).to.equal('ok');
    const mixed = await of('pgd-5-eot4,square-30');
    expect(mixed.random.status).to.equal('raised');
    expect(mixed.random.detail).to.match(/another class\. square-30 took a single call for each answer.*--eot 20/);
  });

  it('tell of examples that another runtime may classify right, and are raised if they are many', () => {
    const of = (withinNoise: number) => {
      const found = checkAlarms({ ...evidence, withinNoise });
      return found.find(({ name }) => name === 'success within float noise');
    };
    expect(of(0)?.status).to.equal('ok');
    expect(of(2)).to.deep.include({ status: 'ok' });
    expect(of(2)?.detail).to.match(/^2 adversarial examples are misclassified by a margin that the rounding/);
    expect(of(3)?.status).to.equal('raised');
  });

  it('count no success of the short Square attack in an accuracy', async () => {
    const of = async (attacks: string) => measure(quantised, data, { ...options, attacks: parseAttacks(attacks) });
    const [alone, beside] = [await of('pgd-10'), await of('pgd-10,square-50')];
    expect(alone.attacks.map(({ attack }) => attack)).to.deep.equal(['pgd-10-ce', 'union']);
    expect(alone.attacks[0]).to.deep.equal(beside.attacks[0]);
  });

  it('do not take saturated logits for robustness: the margin is attacked as before', async () => {
    const attacks = parseAttacks('pgd-20-cw');
    const of = async (model: Classifier) => (await measure(model, data, { ...options, attacks })).attacks[0].robust;
    expect((await of(saturated)).correct).to.be.within(
      (await of(ordinary)).correct - 1,
      (await of(ordinary)).correct + 1,
    );
  });

  it('tell of probabilities too where their logarithms were attacked', async () => {
    let told = false;
    const model = preprocessed(
      (images) => tf.softmax(ordinary(images as Tensor4D)) as Tensor2D,
      {},
      CLASSES,
      () => {
        told = true;
      },
    );
    const alarms = await alarmsOf(model, { returnsProbabilities: () => told });
    expect(alarms['probabilities instead of logits']).to.include({ status: 'raised' });
    expect(alarms['probabilities instead of logits'].detail).to.contain('logarithms');
  });

  it('tell of gradients that are not finite where attacks alone meet them, away from the first images', async () => {
    let attacking = true;
    const spoiled = (images: tf.Tensor) =>
      tf.customGrad((x) => ({
        value: tf.clone(x as tf.Tensor),
        gradFunc: (dy: tf.Tensor) => (attacking ? tf.mul(dy, Number.POSITIVE_INFINITY) : tf.clone(dy)),
      }))(images);
    const model: Classifier = (images) => ordinary(spoiled(images) as Tensor4D);
    const alarms = await alarmsOf(model, {
      attacks: parseAttacks('pgd-3,apgd-5'),
      onProgress: ({ done, total }) => {
        if (done === total) attacking = false;
      },
    });
    expect(alarms['non-finite gradients']).to.include({ status: 'raised' });
    expect(alarms['non-finite gradients'].detail).to.match(/^0 of 60 images .* attacks met [1-9]\d* such gradients/);
    expect(alarms['outside the ball']).to.include({ status: 'ok' });
  });

  it('count images whose output is no number as wrong, attacked or not', async () => {
    const broken: Classifier = (images) => tf.tidy(() => tf.div(tf.mul(ordinary(images), 0), 0) as Tensor2D);
    const { clean, attacks } = await measure(broken, data, options);
    expect(clean.correct).to.equal(0);
    expect(attacks.every(({ robust: { correct } }) => correct === 0)).to.equal(true);
  });

  it('tell of outputs that are not numbers where attacks alone meet them', async () => {
    // Bytes are whole multiples of 1/255, and adversarial examples are not.
    const fragile: Classifier = (images) =>
      tf.tidy(() => {
        const levels = tf.mul(images, 255);
        const between = tf.greater(tf.max(tf.abs(tf.sub(levels, tf.round(levels))), [1, 2, 3]), 0.01);
        return tf.where(tf.expandDims(between, 1), Number.NaN, ordinary(images)) as Tensor2D;
      });
    const { clean, alarms } = await measure(fragile, data, { ...options, threats: inNorm('linf', [0.101]) });
    expect(clean.correct).to.be.above(0);
    const found = alarms.find(({ name }) => name === 'outputs that are not numbers');
    expect(found?.status).to.equal('raised');
    expect(found?.detail).to.match(/^The outputs for 0 of 60 images and for [1-9]\d* adversarial examples are NaN/);
  });

  it('conclude nothing from outputs that are not numbers', async () => {
    const nan: Classifier = (images) => tf.tidy(() => tf.mul(ordinary(images), Number.NaN) as Tensor2D);
    const told: string[] = [];
    const model = preprocessed(
      (images) => nan(images as Tensor4D),
      {},
      CLASSES,
      () => void told.push('told'),
    );
    const alarms = await alarmsOf(model, { returnsProbabilities: () => told.length > 0 });
    expect(told).to.deep.equal([]);
    expect(alarms['outputs that are not numbers'].status).to.equal('raised');
    expect(alarms['probabilities instead of logits'].status).to.equal('not checked');
    expect(alarms['one class only'].status).to.equal('not checked');
    expect(alarms['randomised output'].status).to.equal('ok');
    const some: Classifier = (images) =>
      tf.tidy(() => {
        const first = tf.slice(tf.reshape(images, [-1, SIZE * SIZE]), [0, 0], [-1, 1]);
        const holes = first.dataSync().map((pixel) => (pixel > 0.4 ? Number.NaN : 0));
        return tf.add(ordinary(images), tf.tensor2d(holes as Float32Array, [holes.length, 1])) as Tensor2D;
      });
    const partly = await alarmsOf(some);
    expect(partly['outputs that are not numbers'].status).to.equal('raised');
    expect(partly['probabilities instead of logits'].status).to.equal('ok');
    const squashed = await alarmsOf((images) => tf.tidy(() => tf.softmax(some(images)) as Tensor2D));
    expect(squashed['probabilities instead of logits'].status).to.equal('raised');
  });

  const withoutGradient: Readonly<Record<string, Classifier>> = {
    'reads values in between': (images) =>
      tf.tidy(() => {
        const logits = ordinary(images);
        return tf.tensor2d(logits.dataSync(), logits.shape);
      }),
    'returns whole numbers': (images) =>
      tf.tidy(() => {
        const logits = tf.round(tf.mul(ordinary(images), 1000));
        return tf.tensor2d(logits.dataSync(), logits.shape as [number, number], 'int32');
      }),
  };
  for (const [what, model] of Object.entries(withoutGradient)) {
    it(`say what was not checked for a model that ${what}, which Square attacks`, async () => {
      const attacks = parseAttacks('square-300');
      const classify = preprocessed((images) => model(images as Tensor4D), {}, CLASSES);
      const found = await measure(classify, data, { ...options, threats: inNorm('linf', [0.2]), attacks });
      const names = found.alarms.filter(({ status }) => status === 'not checked').map(({ name }) => name);
      expect(names).to.include.members(['zero gradients', 'non-finite gradients', 'unbounded attack not at 0 %']);
      const [square] = found.attacks.map(({ robust }) => robust.value);
      expect(square).to.be.below(found.clean.value - 0.2);
      const refused = await rejection(measure(classify, data, options));
      expect(refused).to.be.instanceOf(InputError);
      expect(refused.message).to.match(/no gradient with respect to the images.*Square/);
    });
  }

  const evidence: Evidence = {
    classes: 10,
    predictions: Int32Array.of(1, 2, 3),
    returnsProbabilities: false,
    attacks: [],
    probe: {
      images: 1,
      logits: Float32Array.of(1, 2),
      logitsAgain: Float32Array.of(1, 2),
      differentiable: true,
      differentiates: false,
      zeroGradients: 0,
      nonFiniteGradients: 0,
      gradientCheck: { images: 1, zero: 0, checked: 1, wrong: 0 },
      unbounded: { correct: 0, n: 1 },
    },
    shortSquares: [],
    outside: 0,
    successes: 1,
    unstable: 0,
    nonFinite: 0,
    withinNoise: 0,
    notNumbers: 0,
  };
  const attacked = (attack: string, correct: number, change: Partial<Evidence['attacks'][number]> = {}) => {
    const kind = attack.split('-')[0];
    const work = Number(attack.split('-')[1]);
    return {
      attack,
      kind,
      loss: 'ce',
      norm: 'linf' as const,
      epsilon: 0.1,
      work,
      eot: 1,
      correct,
      n: 100,
      stages: [],
      ...change,
    };
  };
  const cascade = (left: Readonly<Record<string, number>>) =>
    attacked('autoattack', Math.min(...Object.values(left)), {
      stages: Object.entries(left).map(([attack, correct]) => ({ attack, correct })),
    });
  const compared: [AlarmName, Alarm['status'], string, Partial<Evidence>][] = [
    [
      'more steps not stronger',
      'raised',
      'pgd-40 leaves more',
      { attacks: [attacked('pgd-20', 40), attacked('pgd-40', 43)] },
    ],
    [
      'more steps not stronger',
      'ok',
      'that is within chance',
      { attacks: [attacked('pgd-20', 40), attacked('pgd-40', 42)] },
    ],
    [
      'more steps not stronger',
      'not checked',
      'losses differ',
      { attacks: [attacked('pgd-20', 40), attacked('pgd-40', 60, { loss: 'cw' })] },
    ],
    [
      'larger epsilon not stronger',
      'raised',
      'accuracy rises with the radius',
      { attacks: [attacked('pgd-20', 40), attacked('pgd-20', 50, { epsilon: 0.2 })] },
    ],
    ['outside the ball', 'raised', 'an example is outside', { outside: 1 }],
    ['outputs that are not numbers', 'raised', 'the outputs of an example are NaN', { notNumbers: 1 }],
    ['success within float noise', 'raised', 'many successes are slight', { withinNoise: 3 }],
    [
      'wrong gradients',
      'raised',
      'the outputs of half of the images do not follow the gradient',
      { probe: { ...evidence.probe, gradientCheck: { images: 16, zero: 0, checked: 16, wrong: 8 } } },
    ],
    [
      'black-box beats white-box',
      'raised',
      'a short Square attack turns images in one norm of several',
      {
        shortSquares: [
          { attack: 'square-200', norm: 'linf', epsilon: 0.1, n: 30, turned: 0 },
          { attack: 'square-200', norm: 'l1', epsilon: 5, n: 30, turned: 12 },
        ],
      },
    ],
    [
      'black-box beats white-box',
      'ok',
      'Square finds less',
      { attacks: [attacked('pgd-20', 40), attacked('square-9', 60)] },
    ],
    [
      'black-box beats white-box',
      'raised',
      'Square turns images that a cascade left',
      { attacks: [cascade({ apgd: 40, fab: 40, square: 30 })] },
    ],
    [
      'black-box beats white-box',
      'ok',
      'Square turns none that a cascade left',
      { attacks: [cascade({ apgd: 40, fab: 39, square: 39 })] },
    ],
    [
      'fewer than 4 classes for DLR',
      'raised',
      'there are 3',
      { classes: 3, attacks: [attacked('pgd-20', 1, { loss: 'dlr' })] },
    ],
  ];
  for (const [name, status, what, change] of compared) {
    it(`say '${status}' of '${name}' where ${what}`, () => {
      expect(checkAlarms({ ...evidence, ...change }).find((alarm) => alarm.name === name)?.status).to.equal(status);
    });
  }

  it('are each raised by a row of these tests', () => {
    const rows = [
      ...raised.map(([name]) => name),
      ...compared.flatMap(([name, status]) => (status === 'raised' ? name : [])),
    ];
    expect(rows).to.include.members(checkAlarms(evidence).map(({ name }) => name));
  });

  it('link a section of the docs each', () => {
    const page = readFileSync(new URL(`../../../${ALARMS_PAGE}`, import.meta.url), 'utf8');
    const anchors = [...page.matchAll(/^## (.*)$/gm)].map(([, title]) =>
      title
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    );
    const links = checkAlarms(evidence).map(({ help }) => help.split('#'));
    expect(links.map(([path]) => path).every((path) => path === ALARMS_PAGE)).to.equal(true);
    // Robust overfitting is an alarm of training.
    expect(anchors.filter((anchor) => anchor !== 'robust-overfitting')).to.have.members(
      links.map(([, anchor]) => anchor),
    );
  });
});
