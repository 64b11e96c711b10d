import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { hasCheckpoint, readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { InputError } from '../../src/core/errors.ts';
import {
  countWeights,
  disposeParams,
  disposeTensors,
  isSparse,
  sparsityOf,
  trainables,
} from '../../src/core/params.ts';
import { coefficientOf, unusualCoefficient } from '../../src/training/agent/correction.ts';
import { runPrepass } from '../../src/training/agent/prepass.ts';
import { measureVariance } from '../../src/training/agent/variance.ts';
import { batchesOfEpoch, disposeBatch, drawBatch } from '../../src/training/batches/batches.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { DivergenceError } from '../../src/training/errors.ts';
import type { MetricColumn } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { startWarnings } from '../../src/training/run/start-warnings.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { disposeTrainState, startState } from '../../src/training/state.ts';
import { openTask } from '../../src/training/task.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { useBackend } from '../backend.ts';
import { newFolders } from './folders.ts';
import { outcome, tinyConfig, untimedMetrics } from './tiny.ts';

describe('training', () => {
  before(() => useBackend('cpu'));
  const folder = newFolders();

  /** The events of a run and its folder. */
  async function run(options: TrainOptions): Promise<{ out: string; events: TrainEvent[] }> {
    const out = folder();
    const events: TrainEvent[] = [];
    await train(tinyConfig(options), { out, onProgress: (event) => events.push(event) });
    return { out, events };
  }
  const steps = (events: readonly TrainEvent[]) => events.filter((event) => event.kind === 'step');

  it('writes equal files for equal configurations', async () => {
    const options = { optimizer: 'agent', sparsity: 0.8 } as const;
    const [a, b] = [await run(options), await run(options)];
    expect(await outcome(a.out)).to.deep.equal(await outcome(b.out));
  });

  it('writes other weights for another seed', async () => {
    const [a, b] = [await run({ epochs: 1 }), await run({ epochs: 1, seed: 1 })];
    expect((await outcome(a.out)).last).not.to.equal((await outcome(b.out)).last);
  });

  it('learns: a few epochs raise robust accuracy well above chance', async () => {
    const { out } = await run({
      sparsity: 0.5,
      trainLimit: 256,
      epochs: 5,
      epsilon: 0.05,
      width: 0.3,
      augment: 'none',
    });
    const rows = await untimedMetrics(out);
    const column = rows[0].indexOf('validation_robust_accuracy');
    expect(Number(rows[5][column])).to.be.above(0.7);
  });

  it('warns when the run is too short for its masks ever to change', async () => {
    const { events } = await run({ epochs: 1, updateInterval: 100 });
    expect(events.find((event) => event.kind === 'warning')?.message).to.match(/The masks never change: .*step 100/);
    const shortest = startWarnings(await openTask(tinyConfig({ epochs: 1, batchSize: 64 })));
    expect(shortest[0]).to.match(/The masks never change: .*in a run of 1 step the/);
    const rewiring = await run({ epochs: 1 });
    expect(rewiring.events.some(({ kind }) => kind === 'warning')).to.equal(false);
  });

  it('warns when its only step has a learning rate of 0', async () => {
    const warns = async (options: TrainOptions) => {
      const task = await openTask(tinyConfig({ schedule: 'linear', epochs: 1, method: 'static', ...options }));
      return startWarnings(task);
    };
    const [message, ...others] = await warns({ batchSize: 64 });
    expect(message).to.match(
      /^No weight is trained: the run has 1 step, and the schedule linear .* learning rate of 0/,
    );
    expect(others).to.deep.equal([]);
    expect(await warns({ batchSize: 32 })).to.deep.equal([]);
    expect(await warns({ batchSize: 64, schedule: 'one-cycle' })).to.deep.equal([]);
  });

  it('warns when no step of the run is corrected, though its optimizer corrects', async () => {
    const warns = async (options: TrainOptions) => {
      const task = await openTask(tinyConfig({ optimizer: 'agent', agentPrepass: 'memory', ...options }));
      return startWarnings(task).some((message) => message.startsWith('No gradient is ever corrected'));
    };
    expect(await warns({ epochs: 1 })).to.equal(true);
    expect(await warns({ epochs: 2 })).to.equal(false);
    expect(await warns({ epochs: 2, agentFirstEpoch: 3 })).to.equal(true);
    expect(await warns({ epochs: 1, agentVariant: 'stable', agentPrepass: 'matched' })).to.equal(true);
    expect(await warns({ epochs: 1, agentPrepass: 'matched' })).to.equal(false);
    expect(await warns({ epochs: 1, optimizer: 'svrg', agentPrepass: 'matched', agentFirstEpoch: 2 })).to.equal(true);
    expect(await warns({ epochs: 1, optimizer: 'sgd', agentPrepass: undefined })).to.equal(false);
  });

  it('ends with the error of a listener that throws, whatever it was told', async () => {
    for (const kind of ['prepass', 'step', 'validation']) {
      const onProgress = (event: TrainEvent) => {
        if (event.kind === kind) throw new Error(`no ${kind}`);
      };
      const training = train(tinyConfig({ optimizer: 'agent', epochs: 1 }), { out: folder(), onProgress });
      expect((await training.catch((error: Error) => error)) as Error).to.have.property('message', `no ${kind}`);
    }
  });

  it('warns when a snapshot of AGENT falls right behind a mask update', async () => {
    const warnings = async (options: TrainOptions) =>
      (await run({ objective: 'natural', epochs: 3, ...options })).events.flatMap((event) =>
        event.kind === 'warning' ? [event.message] : [],
      );
    const [message, ...others] = await warnings({ optimizer: 'agent', updateInterval: 2 });
    expect(others).to.deep.equal([]);
    expect(message).to.match(
      /snapshot of 2 epochs, the first is epoch 2, .* no factor in common with the 4 steps.*it is 2/,
    );
    expect((await warnings({ optimizer: 'agent', updateInterval: 8 }))[0]).to.match(/snapshot of epoch 3 is/);
    expect(await warnings({ optimizer: 'agent', updateInterval: 3 })).to.deep.equal([]);
    expect(await warnings({ updateInterval: 2 })).to.deep.equal([]);
  });

  it('tells what a mask update dropped and grew, and in pruning that nothing grew', async () => {
    const updates = async (options: TrainOptions) => {
      const { out, events } = await run(options);
      const { nonzeros } = events.find((event) => event.kind === 'start') ?? { nonzeros: 0 };
      const { params } = await loadModel(runFolder(out).last);
      const lost = nonzeros - countWeights(params).nonzeros;
      disposeParams(params);
      return { lost, changes: events.flatMap((event) => (event.kind === 'mask-update' ? [event] : [])) };
    };
    const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
    const rewired = await updates({});
    expect(rewired.changes.map(({ step }) => step)).to.deep.equal([3, 6]);
    for (const { dropped, grown } of rewired.changes) expect(grown).to.equal(dropped).and.to.be.above(0);
    expect(rewired.lost).to.equal(0);
    const pruned = await updates({ method: 'gradual' });
    expect(pruned.changes.map(({ grown }) => grown)).to.deep.equal(pruned.changes.map(() => 0));
    expect(sum(pruned.changes.map(({ dropped }) => dropped)))
      .to.equal(pruned.lost)
      .and.to.be.above(0);
  });

  it('without held-out images takes the last epoch for the best, and warns', async () => {
    const out = folder();
    const events: TrainEvent[] = [];
    const config = tinyConfig({ trainLimit: 9, batchSize: 4, method: 'static' });
    const { best } = await train(config, { out, onProgress: (event) => events.push(event) });
    expect(best).to.deep.equal({
      epoch: 2,
      measure: 'validation_robust_accuracy',
      score: null,
      weights: 'raw',
    });
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.message] : []));
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/^No images are held out of 9, .* best\.safetensors is the last epoch/);
    const { last, best: bestFile } = runFolder(out);
    expect((await readFile(bestFile)).equals(await readFile(last))).to.equal(true);
    expect(events.find((event) => event.kind === 'validation')).to.include({ done: 9, count: 9 });
    expect((await train(config, { out, resume: true })).best).to.deep.equal(best);
  });

  it('takes no epoch for the best while weights are still pruned', async () => {
    // The last pruning, in the fourth epoch, leaves hardly a weight, and no accuracy.
    const pruning = {
      method: 'gradual',
      sparsity: 0.99,
      distribution: 'uniform',
      updateInterval: 1,
      updateEnd: 0.9,
    } as const;
    const { out, events } = await run({
      ...pruning,
      objective: 'natural',
      epochs: 4,
      trainLimit: 256,
      width: 0.3,
      augment: 'none',
      epsilon: 0.02,
    });
    const scores = events.flatMap((event) =>
      event.kind === 'epoch' ? [event.metrics.validation_robust_accuracy ?? 0] : [],
    );
    expect(Math.max(...scores)).to.be.above(scores[3]);
    const { params, state, epoch } = await loadModel(runFolder(out).best);
    expect(epoch).to.equal(4);
    expect(sparsityOf(params)).to.be.closeTo(0.99, 0.001);
    disposeParams(params);
    disposeTensors(state);
  });

  for (const [objective, measure, seed] of [
    ['natural', 'validation_clean_accuracy', 0],
    ['at', 'validation_robust_accuracy', 2],
  ] as const) {
    it(`keeps the epoch of highest ${measure} under ${objective}`, async () => {
      const options = { objective, seed, epochs: 6, trainLimit: 256, width: 0.3, epsilon: 0.1, lr: 0.2 } as const;
      const { out, events } = await run(options);
      const rows = events.flatMap((event) => (event.kind === 'epoch' ? [event.metrics] : []));
      /** The epoch of the highest value, the later one of equal ones. */
      const highest = (column: MetricColumn) => {
        const values = rows.map((row) => row[column] ?? 0);
        return values.lastIndexOf(Math.max(...values)) + 1;
      };
      const others = (['validation_clean_accuracy', 'validation_robust_accuracy'] as const).filter(
        (column) => column !== measure,
      );
      expect(highest(measure), 'both measures choose the same epoch').not.to.equal(highest(others[0]));
      const { stored } = await readCheckpoint(runFolder(out).best);
      expect(stored.epoch).to.equal(highest(measure));
      expect(stored.progress.best).to.deep.equal({
        epoch: stored.epoch,
        measure,
        score: rows[stored.epoch - 1][measure],
        weights: 'raw',
      });
    });
  }

  it('measures up to 256 training images, whatever is held out', async () => {
    const { events } = await run({ method: 'static', epochs: 1, objective: 'natural' });
    const [first, last] = [
      events.find(({ kind }) => kind === 'start'),
      events.findLast(({ kind }) => kind === 'validation'),
    ];
    expect(first).to.include({ trainImages: 64, validationImages: 3 });
    expect(last).to.include({ done: 67, count: 67 });
  });

  it('leaves a folder of config.json, metrics.csv with a row an epoch, events.jsonl and two checkpoints', async () => {
    const { out } = await run({ optimizer: 'agent' });
    const { config, metrics, events, last, best } = runFolder(out);
    for (const file of [config, metrics, events, last, best]) expect(existsSync(file), file).to.equal(true);
    expect(JSON.parse(await readFile(config, 'utf8'))).to.deep.equal(tinyConfig({ optimizer: 'agent' }));
    const rows = await untimedMetrics(out);
    expect(rows.map(([epoch]) => epoch)).to.deep.equal(['epoch', '1', '2']);
    const file = await readFile(last, 'latin1');
    expect(file).not.to.include(dirname(out));
  });

  it('saves a model that loads with its sparsity, and no optimizer', async () => {
    const { out } = await run({ epochs: 1 });
    const { params, state, program, epoch, step, warnings, config } = await loadModel(runFolder(out).best);
    expect([epoch, step, program.classes, warnings.length]).to.deep.equal([1, 4, 4, 0]);
    expect(config).to.include({ dataset: 'synthetic', sparsity: 0.8 });
    expect(sparsityOf(params)).to.be.closeTo(0.8, 0.001);
    disposeParams(params);
    disposeTensors(state);
  });

  it('attacks more and more strongly over a warm-up, in the pre-pass too', async () => {
    const { attacks, config } = await openTask(
      tinyConfig({ optimizer: 'agent', agentPrepass: 'matched', epochs: 4, attackWarmup: 2 }),
    );
    for (const attack of [attacks.training, attacks.prepass]) {
      const epsilons = [0, 1, 2, 3].map((epoch) => attack({ epoch, guard: null })?.epsilon);
      expect(epsilons).to.deep.equal([config.epsilon / 2, config.epsilon, config.epsilon, config.epsilon]);
    }
    expect(attacks.validation.epsilon).to.equal(config.epsilon);
  });

  it('counts what each step takes: forward, input gradient and weight gradient, attacks and pre-pass too', async () => {
    const costs = async (options: TrainOptions) => {
      const [header, row] = await untimedMetrics((await run({ epochs: 1, ...options })).out);
      return ['forward_passes', 'input_gradients', 'weight_gradients'].map((name) => Number(row[header.indexOf(name)]));
    };
    const n = 64 - 3;
    const trained = batchesOfEpoch(await openTask(tinyConfig()), 0).reduce((sum, batch) => sum + batch.length, 0);
    expect(trained).to.be.within(n, 64);
    expect(await costs({ objective: 'natural' })).to.deep.equal([trained, trained, trained]);
    expect(await costs({})).to.deep.equal([3 * trained, 3 * trained, trained]);
    // Published: the pre-pass adds a gradient and a forward pass, each step a gradient at the snapshot.
    expect(await costs({ optimizer: 'agent' })).to.deep.equal([6 * trained, 5 * trained, 3 * trained]);
    // Matched: the attack twice, the gradient once more, kept.
    expect(await costs({ optimizer: 'agent', agentPrepass: 'matched' })).to.deep.equal([
      7 * trained,
      6 * trained,
      2 * trained,
    ]);
    // Weight perturbation takes each gradient twice.
    expect(await costs({ awpGamma: 0.01 })).to.deep.equal([4 * trained, 4 * trained, 2 * trained]);
    // As published, without the forward pass that an estimate needs.
    expect(await costs({ optimizer: 'agent', agentPrepass: 'published-bsr' })).to.deep.equal([
      5 * trained,
      5 * trained,
      3 * trained,
    ]);
    // Two of the four batches: the attack, a gradient and a forward pass; each step a gradient at the snapshot.
    const [forward, input, weight] = await costs({
      optimizer: 'agent',
      agentPrepass: 'subsampled',
      agentPrepassShare: 0.5,
    });
    expect(weight).to.be.within(2.4 * trained, 2.6 * trained);
    const seen = weight - 2 * trained;
    expect([forward, input]).to.deep.equal([4 * trained + 4 * seen, 4 * trained + 3 * seen]);
    expect(await costs({ optimizer: 'svrg', agentPrepass: 'matched', agentAttackSteps: 0 })).to.deep.equal([
      4 * trained,
      4 * trained,
      2 * trained,
    ]);
  });

  describe('with AGENT switched on', () => {
    it('has the same initial weights, masks, batches and first adversarial examples', async () => {
      const sgd = await openTask(tinyConfig());
      const agent = await openTask(tinyConfig({ optimizer: 'agent' }));
      const [a, b] = [await startState(sgd), await startState(agent)];
      for (const [name, param] of Object.entries(a.params)) {
        const other = b.params[name];
        expect(trainables(b.params)[name].arraySync(), name).to.deep.equal(trainables(a.params)[name].arraySync());
        if (isSparse(param) && isSparse(other)) expect(other.structure).to.deep.equal(param.structure);
      }
      for (const epoch of [0, 3]) {
        expect(batchesOfEpoch(agent, epoch)).to.deep.equal(batchesOfEpoch(sgd, epoch));
        const indices = batchesOfEpoch(sgd, epoch)[0];
        const [x, y] = [drawBatch(sgd, epoch, indices), drawBatch(agent, epoch, indices)];
        expect(y.images.arraySync()).to.deep.equal(x.images.arraySync());
        disposeBatch(x);
        disposeBatch(y);
      }
      disposeTrainState(a);
      disposeTrainState(b);
      const first = async (options: TrainOptions) => steps((await run({ epochs: 1, ...options })).events)[0];
      expect((await first({ optimizer: 'agent' })).loss).to.equal((await first({})).loss);
    });

    it('sets c to 0.7 · 0.1 + 0.3 in the first epoch, whose snapshot is the network itself', async () => {
      const { events } = await run({ optimizer: 'agent', epochs: 1 });
      const end = events.find((event) => event.kind === 'prepass-end');
      expect(end?.cHat).to.be.closeTo(1, 1e-6);
      expect(end?.c).to.be.closeTo(0.37, 1e-6);
    });

    it('leaves c alone, and says so, when a single batch gives no estimate', async () => {
      const { events } = await run({ optimizer: 'agent', method: 'static', epochs: 1, batchSize: 64 });
      expect(events.find((event) => event.kind === 'prepass-end')).to.include({ c: 0.1, cHat: null });
      expect(events.find((event) => event.kind === 'warning')?.message).to.match(/c stays 0\.1: .*at least 2 batches/);
    });

    it('warns of an estimate beyond ±2 or a c below 0, once in each such epoch, and corrects by it all the same', async () => {
      const { events } = await run({ optimizer: 'agent', sparsity: 0.95, objective: 'natural', epochs: 6, lr: 0.5 });
      const ends = events.flatMap((event) => (event.kind === 'prepass-end' ? [event] : []));
      const unusual = ends.filter(({ c, cHat }) => c < 0 || Math.abs(cHat ?? 0) > 2).map(({ epoch }) => epoch);
      expect(unusual.length).to.be.within(1, 5);
      const warned = events.flatMap((event) => (event.kind === 'warning' && event.epoch > 0 ? [event] : []));
      expect(warned.map(({ epoch }) => epoch)).to.deep.equal(unusual);
      const task = await openTask(tinyConfig({ optimizer: 'agent' }));
      const state = { ...(await startState(task)), c: -11.31, cHat: -38.54 };
      expect(unusualCoefficient(task, state)).to.match(/^ĉ is -38\.5, c -11\.3 and .*, γ·c, -1\.13; /);
      expect(unusualCoefficient(task, { ...state, c: 0.9, cHat: 2 })).to.equal(null);
      expect(unusualCoefficient(task, { ...state, c: 0.9, cHat: 2.1 })).to.match(/^ĉ is 2\.1/);
      expect(unusualCoefficient(task, { ...state, cHat: null })).to.match(/^c -11\.3/);
      expect(coefficientOf(task, state)).to.be.closeTo(-1.131, 1e-9);
      disposeTrainState(state);
    });

    it('warns of a full correction towards clean images under attack, which is no default', async () => {
      const warnings = async (options: TrainOptions) => startWarnings(await openTask(tinyConfig(options)));
      for (const optimizer of ['svrg', 'alpha-svrg'] as const) {
        const [message, ...others] = await warnings({ optimizer, agentPrepass: 'published', method: 'static' });
        expect(others).to.deep.equal([]);
        expect(message).to.match(new RegExp(`^The pre-pass published sees clean images, while .*${optimizer} adds`));
        expect(await warnings({ optimizer, method: 'static' })).to.deep.equal([]);
        expect(await warnings({ optimizer, method: 'static', objective: 'natural' })).to.deep.equal([]);
      }
      expect(await warnings({ optimizer: 'agent', method: 'static' })).to.deep.equal([]);
    });

    it('corrects by amounts that sum to 0 over a matched epoch', async () => {
      const task = await openTask(tinyConfig({ optimizer: 'agent', agentPrepass: 'matched' }));
      const state = await startState(task);
      const { stored, meanGradient, snapshot } = await runPrepass(task, state, {
        watch: stopwatch(),
        store: { file: folder() },
      });
      const kept = await Promise.all([0, 1, 2, 3].map((batch) => stored?.get(batch)));
      const ofBatches = kept.filter((gradients) => gradients != null);
      expect(ofBatches).to.have.length(4);
      expect(await stored?.get(4)).to.equal(null);
      for (const [name, mean] of Object.entries(meanGradient)) {
        const u = await mean.data();
        const scale = Math.max(...ofBatches.flatMap((gradients) => Array.from(gradients[name], Math.abs)));
        for (let i = 0; i < u.length; i++) {
          const sum = ofBatches.reduce((total, gradients) => total + u[i] - gradients[name][i], 0);
          expect(Math.abs(sum)).to.be.at.most(1e-5 * scale);
        }
      }
      disposeTensors(meanGradient);
      disposeTrainState({ ...state, snapshot, meanGradient: state.snapshot?.state ?? {} });
      disposeParams(state.snapshot?.params ?? {});
    });

    it('measures that the full correction removes the variance at the snapshot itself', async () => {
      const task = await openTask(tinyConfig({ optimizer: 'svrg', agentPrepass: 'matched' }));
      const state = await startState(task);
      const { stored, meanGradient, snapshot } = await runPrepass(task, state, {
        watch: stopwatch(),
        store: { file: folder() },
      });
      const variance = await measureVariance(task, { ...state, snapshot, meanGradient }, stored);
      expect(variance?.plain).to.be.above(0);
      expect(variance?.corrected).to.be.below(1e-6 * (variance?.plain ?? 0));
    });
  });

  it('keeps the number of tensors and bytes over 500 steps', async () => {
    const seen: { tensors: number; bytes: number }[] = [];
    await train(
      tinyConfig({
        optimizer: 'agent',
        objective: 'natural',
        method: 'set',
        trainLimit: 250,
        batchSize: 1,
        epochs: 2,
        width: 0.05,
      }),
      {
        out: folder(),
        onProgress: ({ kind }) => {
          if (kind !== 'step') return;
          const { numTensors, numBytes } = tf.memory();
          seen.push({ tensors: numTensors, bytes: numBytes });
        },
      },
    );
    expect(seen.length).to.be.above(470);
    expect(new Set(seen.map(({ tensors }) => tensors)).size).to.equal(1);
    expect(new Set(seen.map(({ bytes }) => bytes)).size).to.equal(1);
  });

  it('leaves no tensor behind, whether it ends, is interrupted or diverges', async () => {
    const before = tf.memory().numTensors;
    await run({ optimizer: 'agent', agentPrepass: 'matched' });
    const controller = new AbortController();
    await train(tinyConfig({ optimizer: 'agent' }), {
      out: folder(),
      signal: controller.signal,
      onProgress: ({ kind }) => kind === 'prepass' && controller.abort(),
    });
    await train(tinyConfig({ lr: 1e30 }), { out: folder() }).catch(() => {});
    expect(tf.memory().numTensors).to.equal(before);
  });

  it('stops when the loss is no longer a number, says why, and saves no broken weights', async () => {
    const out = folder();
    const error = await train(tinyConfig({ lr: 1e30 }), { out }).catch((thrown: Error) => thrown);
    expect(error).to.be.instanceOf(DivergenceError);
    expect((error as Error).message).to.match(/The loss was \S+ in step \d.*learning rate 1e\+30 is too high/);
    expect((error as Error).message).to.include('There is no checkpoint yet');
    expect(await hasCheckpoint(runFolder(out).last)).to.equal(false);
  });

  it('leaves a failed event behind that tells a divergence from any other error', async () => {
    const failure = async (options: TrainOptions, onProgress?: (event: TrainEvent) => void) => {
      const out = folder();
      await train(tinyConfig(options), { out, onProgress }).catch(() => {});
      return JSON.parse((await readFile(runFolder(out).events, 'utf8')).trimEnd().split('\n').at(-1) ?? '');
    };
    expect(await failure({ lr: 1e30 })).to.include({ kind: 'failed', cause: 'divergence' });
    const stopped = await failure({}, ({ kind, step }) => {
      if (kind === 'step' && step === 3) throw new Error('the listener gave up');
    });
    expect(stopped).to.include({ kind: 'failed', cause: 'error', step: 3, message: 'the listener gave up' });
  });

  it('writes nothing when the data are missing or the network cannot be so sparse', async () => {
    const out = folder();
    const missing = train(tinyConfig({ dataset: 'cifar10' }), { out, dataDirectory: folder() });
    expect(await missing.catch((error: Error) => error)).to.be.instanceOf(InputError);
    const unknown = train({ ...tinyConfig(), model: 'perceptron' as 'mlp' }, { out });
    expect(await unknown.catch((error: Error) => error)).to.be.instanceOf(InputError);
    const empty = train(tinyConfig({ sparsity: 0.99999 }), { out });
    expect(await empty.catch((error: Error) => error)).to.be.instanceOf(InputError);
    expect(existsSync(out)).to.equal(false);
  });
});
