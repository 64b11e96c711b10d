import { rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tensor2D, Tensor4D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import type { Classifier } from '../../attacks/types.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { attackLabel, parseAttacks } from '../../src/evaluation/attacks/named-attacks.ts';
import { protocol } from '../../src/evaluation/attacks/protocols.ts';
import { evaluate } from '../../src/evaluation/evaluate.ts';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { measure } from '../../src/evaluation/measure/measure.ts';
import type { EvaluationStep, MeasureOptions } from '../../src/evaluation/measure/types.ts';
import { packBits, unpackBits } from '../../src/evaluation/results/bits.ts';
import { mergeEvaluation, readEvaluations } from '../../src/evaluation/results/results-file.ts';
import { unionOf } from '../../src/evaluation/results/union.ts';
import { inNorm } from '../../src/evaluation/threat.ts';
import { type AttackResult, type Evaluation, UNION } from '../../src/evaluation/types.ts';
import { useBackend } from '../backend.ts';
import { tinyData, withRun } from './tiny.ts';

/** Awaits a rejection and gives its error. */
async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('It did not fail.');
}

const data = tinyData();

/** Logits ± the difference of the halves: right for every image, and linear, so attacks find the exact worst case. */
const halvesModel: Classifier = (images) =>
  tf.tidy(() => {
    const columns = tf.mean(images as Tensor4D, [1, 3]);
    const [left, right] = tf.split(columns, 2, 1);
    return tf.concat([tf.mean(left, 1, true), tf.mean(right, 1, true)], 1) as Tensor2D;
  });

const options: MeasureOptions = { threats: inNorm('linf', [0.1]), attacks: parseAttacks('fgsm,pgd-5x2-cw') };

describe('an evaluation', () => {
  before(() => useBackend('cpu'));

  it('counts the images that a linear model gives up at half their margin', async () => {
    const { test } = data;
    const margins = Array.from({ length: test.count }, (_, i) => {
      const half = (right: boolean) => {
        let sum = 0;
        for (let p = 0; p < 16; p++) if (p % 4 >= 2 === right) sum += test.images[16 * i + p] / 255 / 8;
        return sum;
      };
      return (half(false) - half(true)) * (test.labels[i] === 0 ? 1 : -1);
    });
    const { clean, attacks } = await measure(halvesModel, data, {
      ...options,
      threats: inNorm('linf', [0, 0.05, 0.1]),
    });
    expect(clean).to.include({ correct: margins.filter((margin) => margin > 0).length, n: 40 });
    for (const { attack, epsilon, robust } of attacks) {
      expect(robust.correct, `${attack} at ${epsilon}`).to.equal(
        margins.filter((margin) => margin > 2 * epsilon).length,
      );
    }
    expect(attacks.map(({ attack }) => attack).slice(0, 3)).to.deep.equal(['fgsm', 'pgd-5x2-cw', UNION]);
  });

  it('takes the union by image, not the least of the accuracies', () => {
    const result = (attack: string, survived: readonly number[]): AttackResult => ({
      attack,
      norm: 'linf',
      epsilon: 0.1,
      steps: 1,
      stepSize: 0.1,
      restarts: 1,
      robust: accuracyOf(survived.filter((bit) => bit).length, survived.length),
      survived: packBits(survived),
      forwardPasses: 4,
      inputGradients: 3,
    });
    const union = unionOf([result('a', [1, 1, 0, 0, 1, 0, 0, 0, 1, 1]), result('b', [0, 1, 0, 1, 1, 0, 0, 0, 1, 0])]);
    expect([...unpackBits(union.survived, 10)]).to.deep.equal([0, 1, 0, 0, 1, 0, 0, 0, 1, 0]);
    expect(union.robust).to.include({ correct: 3, n: 10 });
    expect(union).to.include({ attack: UNION, epsilon: 0.1, forwardPasses: 8, inputGradients: 6 });
  });

  it('does not depend on the batch size', async () => {
    const whole = await measure(halvesModel, data, options);
    for (const batchSize of [1, 7, 40]) {
      const parts = await measure(halvesModel, data, { ...options, batchSize });
      expect(parts.clean).to.deep.equal(whole.clean);
      expect(parts.attacks.map(({ survived }) => survived)).to.deep.equal(
        whole.attacks.map(({ survived }) => survived),
      );
    }
  });

  it('repeats under one seed', async () =>
    expect(await measure(halvesModel, data, options)).to.deep.equal(await measure(halvesModel, data, options)));

  it('counts what it asked of the model', async () => {
    let forward = 0;
    const model: Classifier = (images) => {
      forward += images.shape[0];
      return halvesModel(images);
    };
    const { forwardPasses, inputGradients, attacks } = await measure(model, data, options);
    expect(forwardPasses).to.equal(forward);
    const [fgsm, pgd] = attacks;
    expect(fgsm.inputGradients).to.equal(40);
    expect(pgd.inputGradients).to.be.within(1, 40 * 10);
    expect(inputGradients).to.be.within(fgsm.inputGradients + pgd.inputGradients, forwardPasses);
  });

  it('tells how far it is', async () => {
    const seen: number[] = [];
    await measure(halvesModel, data, {
      ...options,
      batchSize: 16,
      onProgress: ({ done, total, clean }) => {
        expect(total).to.equal(80);
        expect(clean).to.equal(1);
        seen.push(done);
      },
    });
    expect([...new Set(seen)]).to.deep.equal([0, 16, 32, 48, 64, 72, 80]);
  });

  it('tells after every step how much of the work is left, each attack by its share', async () => {
    const seen: EvaluationStep[] = [];
    await measure(halvesModel, data, {
      ...options,
      attacks: parseAttacks('pgd-5,autoattack'),
      threats: inNorm('linf', [0, 0.05]),
      batchSize: 16,
      onStep: (step) => seen.push(step),
    });
    seen.forEach(({ done, total, left, epsilon }, i) => {
      expect(total).to.equal(160);
      expect(done).to.be.within(seen[i - 1]?.done ?? 0, total * (1 + 1e-9));
      expect(left).to.be.at.most(16);
      expect(epsilon).to.equal(0.05);
    });
    // All of the work but the steps that a solved image needs no more.
    expect(seen[0].done).to.be.below(1);
    expect(seen[seen.length - 1].done).to.be.closeTo(160, 1e-6);
    expect(new Set(seen.map(({ attack }) => attack))).to.include.all.keys('pgd-5-ce', 'autoattack: square');
    // AutoAttack asks thousands of times as much of an image as five steps do.
    const first = seen.find(({ attack }) => attack === 'autoattack: apgd-ce');
    expect(first?.done).to.be.below(2);
  });

  it('stops within one call of the model, in the middle of AutoAttack and in its last look at the model', async () => {
    const run = async (at: number, change: Partial<MeasureOptions> = {}) => {
      const abort = new AbortController();
      let calls = 0;
      const model: Classifier = (images) => {
        if (calls++ === at) abort.abort();
        return halvesModel(images);
      };
      const before = tf.memory().numTensors;
      const given = { ...options, ...change, signal: abort.signal };
      const outcome = await measure(model, data, given).catch((error: Error) => error);
      expect(tf.memory().numTensors).to.equal(before);
      return { name: outcome instanceof Error ? outcome.name : null, calls };
    };
    const autoattack = { attacks: parseAttacks('autoattack'), threats: inNorm('linf', [0.01]) };
    for (const at of [0, 3, 50, 150, 400]) {
      expect(await run(at, autoattack)).to.deep.equal({ name: 'AbortError', calls: at + 1 });
    }
    const { calls } = await run(Number.POSITIVE_INFINITY);
    // The unbounded attack that the alarms look at comes last, before three looks at the clean images.
    expect(await run(calls - 10)).to.deep.equal({ name: 'AbortError', calls: calls - 9 });
  });

  it('refuses labels of a split that are no class numbers, before it asks the model', async () => {
    const never: Classifier = () => expect.fail('it asked');
    for (const [labels, says] of [
      [[0, 0.5], /labels of the test split: .*number 1 is 0\.5/],
      [['cat', 'dog'], /number 0 is "cat"/],
      [[0, 2], /expected classes 0 … 1.*got 2 \(number 1\)/],
    ] as const) {
      const test = { ...data.test, count: 2, labels: labels as never };
      const error = await failure(measure(never, { ...data, test }, options));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(says);
    }
  });

  it('leaves no tensor behind, when it ends and when it is stopped', async () => {
    const before = tf.memory().numTensors;
    await measure(halvesModel, data, options);
    expect(tf.memory().numTensors).to.equal(before);
    const error = await failure(measure(halvesModel, data, { ...options, signal: AbortSignal.abort() }));
    expect(error.name).to.equal('AbortError');
    expect(tf.memory().numTensors).to.equal(before);
  });

  const wrong: [string, Partial<MeasureOptions>, RegExp][] = [
    ['no attack', { attacks: [] }, /at least one attack/],
    ['no radius', { threats: [] }, /at least one epsilon/],
    ['a negative radius', { threats: inNorm('linf', [-0.1]) }, /epsilon: expected 0 or more, got -0.1/],
    ['a radius in steps of 255', { threats: inNorm('linf', [8]) }, /Did you mean 8\/255/],
    ['a broken batch size', { batchSize: 0 }, /--batch-size must be a whole number/],
    ['a broken limit', { limit: 2.5 }, /limit must be a whole number/],
  ];
  for (const [what, change, message] of wrong) {
    it(`refuses ${what}`, async () => {
      const error = await failure(measure(halvesModel, data, { ...options, ...change }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(message);
    });
  }
});

const AUTO = [
  'deepfool-50',
  'cw-100',
  'apgd-100-ce',
  'apgd-7x2-dlr',
  'apgd-t-9',
  'fab-t-20',
  'square-500',
  'autoattack',
  'autoattack-rand',
  'autoattack-rand-eot50',
  'fgsm-eot20',
  'pgd-20-ce-eot20',
  'pgd-7x2-cw-eot3',
  'square-500-eot20',
];

describe('attacks by name', () => {
  before(() => useBackend('cpu'));

  it('are records with a label that reads back as the same record', () => {
    for (const label of ['fgsm', 'fgsm-cw', 'pgd-20-ce', 'pgd-50x10-ce', 'pgd-7x2-dlr', ...AUTO]) {
      const [spec] = parseAttacks(label);
      expect(attackLabel(spec)).to.equal(label);
    }
  });

  it('take what their name leaves open from flags', () =>
    expect(parseAttacks('pgd, pgd-7', { steps: 30, restarts: 3, stepSize: 0.01 })).to.deep.equal([
      { kind: 'pgd', steps: 30, restarts: 3, loss: 'ce', stepSize: 0.01 },
      { kind: 'pgd', steps: 7, restarts: 3, loss: 'ce', stepSize: 0.01 },
    ]));

  it('average as many calls of the model as they say, else as the flag says', () => {
    expect(parseAttacks('pgd,fgsm-eot5,autoattack-rand', { eot: 20 }).map(attackLabel)).to.deep.equal([
      'pgd-20-ce-eot20',
      'fgsm-eot5',
      // Its usual number.
      'autoattack-rand',
    ]);
    expect(parseAttacks('pgd', { eot: 1 })).to.deep.equal(parseAttacks('pgd'));
    expect(() => parseAttacks('pgd-eot0')).to.throw(
      UsageError,
      /pgd-eot0: expected a whole number of calls to average of at least 1, got 0/,
    );
  });

  it('are recorded with the calls that they average, and cost as many', () =>
    withRun(async (folder) => {
      const options = { dataset: tinyData(), epsilons: [0.1], out: false } as const;
      const attacks = parseAttacks('fgsm,fgsm-eot3,autoattack-rand-eot2');
      const [{ attacks: found }] = await evaluate(folder, { ...options, attacks });
      expect(found.map(({ attack, eot }) => [attack, eot])).to.deep.equal([
        ['fgsm', undefined],
        ['fgsm-eot3', 3],
        ['autoattack-rand-eot2', 2],
        ['union', undefined],
      ]);
      expect(found[1].inputGradients).to.equal(3 * found[0].inputGradients);
    }));

  it('have the defaults of AutoAttack where it is a part of it', () =>
    expect(parseAttacks('apgd,apgd-t,fab,square').map(attackLabel)).to.deep.equal([
      'apgd-100-ce',
      'apgd-t-100',
      'fab-t-100',
      'square-5000',
    ]));

  it('measure what the attack of that name measures', () =>
    withRun(async (folder) => {
      const attacks = parseAttacks('pgd-20,apgd-10,apgd-t-10,fab-t-10,deepfool-10,square-100,autoattack');
      const [best] = await evaluate(folder, { dataset: tinyData(), attacks, epsilons: [0.1], out: false });
      const robust = Object.fromEntries(best.attacks.map(({ attack, robust: { correct } }) => [attack, correct]));
      // The model's decision is linear, so all of them find the same.
      expect(Object.keys(robust)).to.have.length(8);
      for (const [attack, count] of Object.entries(robust))
        expect([attack, count]).to.deep.equal([attack, robust.union]);
      expect(best.alarms.filter(({ status }) => status === 'raised').map(({ name }) => name)).to.deep.equal([]);
    }));

  it('tell what each attack of AutoAttack leaves right', () =>
    withRun(async (folder) => {
      const [best] = await evaluate(folder, {
        dataset: tinyData(),
        attacks: parseAttacks('autoattack'),
        epsilons: [0.1],
        out: false,
      });
      const [{ stages = [], robust, survived }] = best.attacks;
      expect(stages.map(({ attack }) => attack)).to.deep.equal(['apgd-ce', 'apgd-t', 'fab-t', 'square']);
      expect(stages.at(-1)).to.deep.equal({ attack: 'square', robust, survived });
      for (const [i, stage] of stages.entries()) {
        expect(stage.robust.correct).to.be.within(robust.correct, stages[i - 1]?.robust.correct ?? best.clean.correct);
      }
    }));

  it('take the norms that they are defined in: C&W searches in l2', () =>
    withRun(async (folder) => {
      const options = { dataset: tinyData(), attacks: parseAttacks('cw-60,deepfool-10'), out: false } as const;
      const [{ attacks }] = await evaluate(folder, { ...options, norm: 'l2', epsilons: [0.5] });
      expect(attacks.map(({ attack, epsilon }) => [attack, epsilon])).to.deep.equal([
        ['cw-60', 0.5],
        ['deepfool-10', 0.5],
        ['union', 0.5],
      ]);
      const [cw, deepFool] = attacks.map(({ robust }) => robust.correct);
      expect(cw).to.be.within(1, 39);
      expect(Math.abs(cw - deepFool)).to.be.at.most(2);
      expect((await failure(evaluate(folder, { ...options, norm: 'linf', epsilons: [0.1] }))).message).to.contain('l2');
    }));

  it('make up the protocols', () => {
    expect(protocol('quick').map(attackLabel)).to.deep.equal(['pgd-20-ce', 'pgd-20x2-cw']);
    expect(protocol('bsr').map(attackLabel)).to.deep.equal(['pgd-50x10-ce']);
    expect(protocol('autoattack').map(attackLabel)).to.deep.equal(['autoattack']);
    expect(() => protocol('slow' as string)).to.throw(UsageError, /quick, bsr/);
  });

  const wrong: [string, RegExp][] = [
    ['deepfool2', /There is no attack deepfool2\. Did you mean deepfool-2\?/],
    ['', /There is no attack \(empty\)/],
    ['pgd-20-hinge', /expected one of the losses ce, cw, dlr, kl, got hinge/],
    ['fgsm-20', /Did you mean pgd-20/],
    ['fgsmx2', /fgsm has no number of restarts/],
    ['autoattack-fast', /expected rand or nothing after autoattack-, got fast/],
    ['square-0', /whole number of queries of at least 1/],
    ['pgd-0', /whole number of steps of at least 1/],
  ];
  for (const [text, message] of wrong) {
    it(`refuse '${text}'`, () => expect(() => parseAttacks(text)).to.throw(UsageError, message));
  }
});

describe('the evaluation of a run', () => {
  before(() => useBackend('cpu'));

  it('names the way out where its folder cannot be written to', () =>
    withRun(async (folder) => {
      // In the way of what is written beside the file first.
      await mkdir(join(folder, 'evaluation.best.interrupted.json'));
      const error = await failure(evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/evaluation\.best\.interrupted\.json cannot be written.*--out FILE/);
    }));

  it('names no other place for results where a checkpoint is removed meanwhile', () =>
    withRun(async (folder) => {
      const last = join(folder, 'checkpoints/last.safetensors');
      const onProgress = () => rmSync(last, { force: true });
      const error = await failure(evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm'), onProgress }));
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.contain(last).and.not.to.contain('--out');
    }));

  it('writes clean and robust accuracy of best and last, and gives what it writes', () =>
    withRun(async (folder) => {
      const before = tf.memory().numTensors;
      const evaluations = await evaluate(folder, { dataset: data, attacks: parseAttacks('pgd-5') });
      expect(tf.memory().numTensors).to.equal(before);
      expect(evaluations.map(({ target }) => [target.checkpoint, target.epoch])).to.deep.equal([
        ['best', 1],
        ['last', 2],
      ]);
      const [{ clean, attacks, target, claim }] = evaluations;
      expect(claim).to.contain('upper bound');
      expect(clean).to.include({ value: 1, correct: 40, n: 40 });
      expect(attacks[0].epsilon).to.equal(0.1);
      expect(attacks[0].robust.value).to.be.within(0.05, 0.95);
      expect(target.sha256).to.match(/^[0-9a-f]{64}$/);
      expect(target.flops).to.be.above(0);
      expect(await readEvaluations(join(folder, 'evaluation.json'))).to.deep.equal(evaluations);
    }));

  it('repeats, and enters nothing twice', () =>
    withRun(async (folder) => {
      const once = async () => {
        await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') });
        return readFile(join(folder, 'evaluation.json'), 'utf8');
      };
      const first = JSON.parse(await once());
      const second = JSON.parse(await once());
      expect(second.evaluations[0].attacks).to.deep.equal(first.evaluations[0].attacks);
      expect(second.evaluations.length).to.equal(2);
    }));

  it('gathers attacks that were run one after the other, and their union is over all', () =>
    withRun(async (folder) => {
      await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') });
      await evaluate(folder, { dataset: data, attacks: parseAttacks('pgd-5-cw'), epsilons: [0.1, 0.2] });
      const [{ attacks }] = await readEvaluations(join(folder, 'evaluation.json'));
      expect(attacks.map(({ attack, epsilon }) => `${attack} ${epsilon}`)).to.deep.equal([
        'fgsm 0.1',
        'pgd-5-cw 0.1',
        'union 0.1',
        'pgd-5-cw 0.2',
        'union 0.2',
      ]);
      expect(attacks[2].robust.correct).to.be.at.most(Math.min(attacks[0].robust.correct, attacks[1].robust.correct));
    }));

  it('counts what it cost once, however often an attack is run', () =>
    withRun(async (folder) => {
      const record = async () => readFile(join(folder, 'evaluation.json'), 'utf8');
      await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') });
      const once = await record();
      await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') });
      expect(await record()).to.equal(once);
      await evaluate(folder, { dataset: data, attacks: parseAttacks('pgd-5') });
      const [{ attacks, inputGradients }] = await readEvaluations(join(folder, 'evaluation.json'));
      const [fgsm, pgd] = attacks;
      const [{ inputGradients: first }] = JSON.parse(once).evaluations as Evaluation[];
      expect(inputGradients - pgd.inputGradients).to.equal(first);
      expect(first).to.be.above(fgsm.inputGradients);
    }));

  it('evaluates equal weights once', () =>
    withRun(
      async (folder) => {
        const checkpoints = new Set<string>();
        const [best, last] = await evaluate(folder, {
          dataset: data,
          attacks: parseAttacks('fgsm'),
          onProgress: ({ checkpoint }) => checkpoints.add(checkpoint),
        });
        expect([...checkpoints]).to.deep.equal(['best']);
        expect(last.attacks).to.deep.equal(best.attacks);
        expect(last.target.checkpoint).to.equal('last');
      },
      { best: 2, last: 2 },
    ));

  it('evaluates averaged weights beside those of the same step', () =>
    withRun(
      async (folder) => {
        const evaluations = await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') });
        expect(evaluations.map(({ target, clean }) => [target.checkpoint, clean.value])).to.deep.equal([
          ['best', 1],
          ['last', 1],
          ['ema', 0],
        ]);
      },
      { best: 2, last: 2, ema: 2 },
    ));

  it('of weights that were read as another network stands beside what was known, in no union with it', () => {
    const target = { checkpoint: 'net', sha256: 'one', preprocessing: null };
    const [relu, silu] = [undefined, { activation: 'silu' }].map(
      (reading) =>
        ({
          target: { ...target, ...(reading && { reading }) },
          dataset: { sha256: 'images' },
          clean: { n: 1 },
          attacks: [],
          alarms: [],
        }) as unknown as Evaluation,
    );
    expect(mergeEvaluation([relu], silu)).to.deep.equal([relu, silu]);
  });

  it('of a module with another accuracy stands beside what was known, as it may have loaded other weights', () => {
    const [before, after] = [9, 8].map(
      (correct) =>
        ({
          target: { checkpoint: 'model.mjs', sha256: 'one', preprocessing: null, format: 'module' },
          dataset: { sha256: 'images' },
          clean: { n: 10, correct },
          attacks: [],
          alarms: [],
        }) as unknown as Evaluation,
    );
    expect(mergeEvaluation([before], after)).to.deep.equal([before, after]);
    expect(mergeEvaluation([before], before)).to.have.length(1);
  });

  it('of other weights of the same name replaces what was known', () => {
    const evaluation = { target: { checkpoint: 'best', sha256: 'old' } } as Evaluation;
    const added = { ...evaluation, target: { ...evaluation.target, sha256: 'new' } };
    expect(mergeEvaluation([evaluation], added)).to.deep.equal([added]);
  });

  it('refuses mnist’s test images to a model that was trained on mnist10k, which are the same', () =>
    withRun(
      async (folder) => {
        const error = await failure(evaluate(folder, { dataset: tinyData('mnist') }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.contain('trained on mnist10k');
      },
      { config: { dataset: 'mnist10k', model: 'mlp' } },
    ));

  const wrong: [string, (folder: string) => Promise<unknown>, RegExp][] = [
    ['a path without a file', (folder) => evaluate(join(folder, 'no.safetensors')), /There is no .*no\.safetensors/],
    ['a folder without checkpoints', (folder) => evaluate(join(folder, 'checkpoints')), /holds no checkpoints/],
    [
      'images of another shape',
      (folder) => evaluate(folder, { dataset: { ...data, imageShape: [8, 2, 1] } }),
      /takes images \[4, 4, 1\].*\[8, 2, 1\]/,
    ],
    [
      'a checkpoint that the run does not keep',
      (folder) => evaluate(folder, { dataset: data, checkpoints: ['ema'] }),
      /keeps no checkpoint ema\. Averaged weights are kept by train --ema/,
    ],
    [
      'names of checkpoints beside one checkpoint',
      (folder) => evaluate(join(folder, 'checkpoints/best.safetensors'), { dataset: data, checkpoints: ['best'] }),
      /best\.safetensors is one model\. Leave --checkpoints out/,
    ],
    [
      'a norm without a radius',
      (folder) => evaluate(folder, { dataset: data, norm: 'l2' }),
      /An evaluation in l2 needs an epsilon/,
    ],
    [
      'a damaged record',
      async (folder) => {
        await writeFile(join(folder, 'evaluation.json'), '{"version": 1, "evalu');
        await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm') });
      },
      /evaluation\.json cannot be read as evaluations/,
    ],
    [
      'a folder for the record, before any attack',
      (folder) => evaluate(folder, { dataset: data, out: folder, onProgress: () => expect.fail('it began') }),
      /cannot be read: it is a folder, not a file .*choose another place/,
    ],
    [
      'a file for the folder of examples',
      async (folder) => {
        await writeFile(join(folder, 'taken'), '');
        await evaluate(folder, { dataset: data, attacks: parseAttacks('fgsm'), saveExamples: join(folder, 'taken') });
      },
      /taken cannot be written: .*taken is a file, not a folder/,
    ],
  ];
  for (const [what, act, message] of wrong) {
    it(`refuses ${what}`, () =>
      withRun(async (folder) => {
        const error = await failure(act(folder));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      }));
  }
});
