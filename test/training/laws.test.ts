import '@tensorflow/tfjs-backend-cpu';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { readCheckpoint, writeCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { previousOf } from '../../src/checkpoints/files/atomic-file.ts';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { encodeSafetensors } from '../../src/checkpoints/safetensors/safetensors.ts';
import { restoreCheckpoint } from '../../src/checkpoints/safetensors/stored.ts';
import { InputError } from '../../src/core/errors.ts';
import { foldIn, normal, seedKey } from '../../src/core/key.ts';
import {
  countWeights,
  disposeParams,
  disposeTensors,
  isSparse,
  mapTree,
  type Params,
  type SparseParam,
  type Tensors,
  trainables,
  withTrainables,
} from '../../src/core/params.ts';
import { scatterValues, sizeOf } from '../../src/core/structure.ts';
import { kernelsOf } from '../../src/models/inspect.ts';
import { type ObjectiveName, objectives } from '../../src/objectives/objectives.ts';
import { type PrepassName, prepasses, subsampleBatches } from '../../src/optimizers/prepasses.ts';
import { disposeSnapshot } from '../../src/optimizers/snapshot.ts';
import { NEW_THETA } from '../../src/sparsity/bsr-net.ts';
import { distributions } from '../../src/sparsity/distributions.ts';
import { type MethodName, methods } from '../../src/sparsity/methods.ts';
import { gradientMemory } from '../../src/training/agent/memory.ts';
import { runPrepass } from '../../src/training/agent/prepass.ts';
import { batchesOfEpoch, disposeBatch, drawBatch, withAdversarial } from '../../src/training/batches/batches.ts';
import type { TrainConfig, TrainOptions } from '../../src/training/config/config.ts';
import { trainEpoch } from '../../src/training/epoch.ts';
import { lossGradients, lossOf } from '../../src/training/loss-gradients.ts';
import { sha256OfFile } from '../../src/training/run/fingerprint.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import {
  disposeTrainState,
  fromCheckpoint,
  startState,
  type TrainState,
  toCheckpoint,
} from '../../src/training/state.ts';
import { distributionOptions, openTask, type Task, type TaskFiles } from '../../src/training/task.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { rejection } from '../rejection.ts';
import { tinyConfig } from './tiny.ts';

const METHODS = Object.keys(methods) as MethodName[];
const OBJECTIVES = Object.keys(objectives) as ObjectiveName[];

const bits = (tensor: tf.Tensor) => Buffer.from((tensor.dataSync() as Float32Array).slice().buffer).toString('hex');
const bitsOf = (tree: Tensors) => mapTree(bits, tree);

/** Masks and weights, bit for bit. */
const weightsOf = (params: Params) => ({
  positions: Object.fromEntries(
    Object.entries(params).map(([name, param]) => [name, isSparse(param) ? [...param.structure.positions] : 'dense']),
  ),
  values: bitsOf(trainables(params)),
});

/** All of a state that the rest of a run depends on. */
const contentOf = (state: TrainState) => ({
  ...state,
  params: weightsOf(state.params),
  statistics: bitsOf(state.statistics),
  optimizer: mapTree(bitsOf, state.optimizer),
  snapshot: state.snapshot && { params: weightsOf(state.snapshot.params), state: bitsOf(state.snapshot.state) },
  meanGradient: bitsOf(state.meanGradient),
  explored: mapTree((bytes: Uint8Array) => [...bytes], state.explored),
});

describe('the training of every method', () => {
  let base = '';
  let files: TaskFiles = {};
  /** What names the files. */
  let named: TrainOptions = {};
  before(async () => {
    await tf.setBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-'));
    const dense = join(base, 'dense');
    await train(tinyConfig({ sparsity: 0, objective: 'natural', epochs: 1 }), { out: dense });
    const from = runFolder(dense).last;
    const extraImages = join(base, 'extra.safetensors');
    const pixels = normal(seedKey('extra'), 40 * 64).map((x) => 128 + 40 * x);
    await writeFile(
      extraImages,
      encodeSafetensors({
        images: { dtype: 'U8', shape: [40, 8, 8, 1], data: Uint8Array.from(pixels) },
        labels: { dtype: 'I64', shape: [40], data: BigInt64Array.from({ length: 40 }, (_, i) => BigInt(i % 4)) },
      }),
    );
    files = { from, extraImages };
    named = { from: await sha256OfFile(from), extraImages: await sha256OfFile(extraImages) };
  });
  after(() => rm(base, { recursive: true }));

  const configOf = (options: TrainOptions): TrainConfig => {
    const { method = 'rigl', objective = 'at' } = options;
    const config = {
      optimizer: 'agent',
      agentPrepass: 'matched',
      ...(method === 'one-shot' && { from: named.from }),
      ...(objective === 'rst' && { extraImages: named.extraImages }),
      ...options,
      ...(method === 'dense' && { sparsity: 0 }),
    } as const;
    return tinyConfig(config);
  };
  const forMethod = (method: MethodName, options: TrainOptions = {}) =>
    openTask(configOf({ method, ...(method === 'bsr-net' && { weightNoise: 1e-3 }), ...options }), files);

  /** Trains an epoch, telling of each step how it left the state. */
  async function eachStep(task: Task, state: TrainState, look: (before: TrainState) => Promise<void> | void) {
    let before = { ...state };
    const memory =
      task.prepass.gradients === 'remembered' ? gradientMemory(task, { folder: join(base, 'memory') }) : null;
    await trainEpoch(task, state, {
      memory,
      watch: stopwatch(),
      store: { file: join(base, 'gradients') },
      report: async (event) => {
        if (event.kind !== 'step') return;
        await look(before);
        before = { ...state };
      },
      afterStep: async () => {},
    });
    await memory?.close();
  }

  const countsOf = (params: Params) =>
    Object.fromEntries(
      Object.entries(params).flatMap(([name, param]) =>
        name.endsWith('.kernel') ? [[name, isSparse(param) ? param.structure.positions.length : param.size]] : [],
      ),
    );

  /** What the weights of a run must be after every step: exactly those asked for, and nothing beside them. */
  function weightLaw(task: Task, state: TrainState) {
    const { config, program, sparsifier } = task;
    const { distribution } = config;
    const kernels = kernelsOf(program);
    const sizes = Object.fromEntries(kernels.map(({ name, shape }) => [name, sizeOf(shape)]));
    const sum = (counts: Readonly<Record<string, number>>) =>
      Object.values(counts).reduce((total, count) => total + count, 0);
    const preserves = sparsifier?.preserves ?? 'kernels';
    let last = countsOf(state.params);
    const global = distribution === 'global';
    // Where weights decide which kernel has how many, their number in all is given, and it stays that of each.
    const ofEach =
      distribution === undefined
        ? sizes
        : global
          ? last
          : distributions[distribution](kernels, config.sparsity, distributionOptions(config));
    const inAll = global ? Math.round((1 - config.sparsity) * sum(sizes)) : sum(ofEach);
    const check = () => {
      const counts = countsOf(state.params);
      if (preserves === 'kernels') expect(counts).to.deep.equal(ofEach);
      if (preserves === 'nothing') {
        for (const name of Object.keys(counts))
          expect(counts[name]).to.be.within(global ? 1 : ofEach[name], last[name]);
        expect(sum(counts)).to.be.at.least(inAll);
      } else {
        expect(countWeights(state.params).nonzeros).to.equal(inAll);
      }
      last = counts;
      for (const [name, param] of Object.entries(state.params)) {
        const size = isSparse(param) ? param.structure.positions.length : param.size;
        expect(trainables(state.params)[name].size, name).to.equal(size);
        // What is not among the nonzeros has neither a value nor a momentum.
        expect(state.optimizer.trace[name].size, name).to.equal(size);
        if (!isSparse(param)) continue;
        const { positions, shape } = param.structure;
        expect(positions.every((position, i) => i === 0 || position > positions[i - 1])).to.equal(true);
        expect(positions[positions.length - 1]).to.be.below(sizeOf(shape));
      }
    };
    check();
    return { check, atEnd: () => expect(countWeights(state.params).nonzeros).to.equal(inAll) };
  }

  const rows: readonly (readonly [method: MethodName, options: TrainOptions])[] = [
    ...METHODS.map((method) => [method, {}] as const),
    ['one-shot', { distribution: 'global' }],
    ['gradual', { distribution: 'global', denseFirstConv: true, model: 'cnn', width: 0.03 }],
  ];
  for (const [method, options] of rows) {
    const row = [method, ...Object.values(options)].join(' ');

    it(`${row} has exactly the weights that it should after every step, and nothing beside them`, async () => {
      const task = await forMethod(method, options);
      const state = await startState(task);
      const { check, atEnd } = weightLaw(task, state);
      for (let epoch = 0; epoch < task.config.epochs; epoch++) await eachStep(task, state, check);
      atEnd();
      disposeTrainState(state);
    });

    it(`${row} keeps masks, weights, momentum, signs, c, θ̃ and u through a checkpoint, bit for bit`, async () => {
      const task = await forMethod(method, options);
      const state = await startState(task);
      const file = join(base, 'state.safetensors');
      let seen = 0;
      await eachStep(task, state, async () => {
        await writeCheckpoint(file, toCheckpoint(task, state, 'cpu'));
        const again = await forMethod(method, options);
        const restored = fromCheckpoint(again, restoreCheckpoint((await readCheckpoint(file)).stored)).state;
        expect(contentOf(restored)).to.deep.equal(contentOf(state));
        for (const { name, shape } of kernelsOf(task.program)) {
          const [a, b] = [task, again].map(({ signs }) => signs(name, sizeOf(shape)));
          for (let i = 0; i < sizeOf(shape); i++) expect(a(i)).to.equal(b(i));
        }
        disposeTrainState(restored);
        seen++;
      });
      expect(seen).to.equal(task.batchesPerEpoch);
      expect([state.c > 0.3, state.snapshot !== null]).to.deep.equal([true, true]);
      disposeTrainState(state);
    });

    it(`${row} repeats under its seed, and no other`, async () => {
      const outcome = async (seed: number) => {
        const task = await forMethod(method, { ...options, seed, epochs: 1 });
        const state = await startState(task);
        await eachStep(task, state, () => {});
        const content = contentOf(state);
        disposeTrainState(state);
        return content;
      };
      const first = await outcome(0);
      expect(await outcome(0)).to.deep.equal(first);
      const { params } = await outcome(1);
      expect(params.values).not.to.deep.equal(first.params.values);
    });
  }

  for (const method of METHODS.filter((name) => methods[name].sparse)) {
    it(`${method} grows weights of 0 without momentum, and none where masks stay`, async () => {
      const task = await forMethod(method);
      const state = await startState(task);
      const { preserves } = task.sparsifier ?? { preserves: null };
      let grown = 0;
      const check = (before: TrainState) => {
        for (const [name, param] of Object.entries(state.params)) {
          const earlier = before.params[name];
          if (!isSparse(param)) continue;
          const there = new Set(isSparse(earlier) ? earlier.structure.positions : param.structure.positions);
          const [values, momentum] = [param.values.dataSync(), state.optimizer.trace[name].dataSync()];
          const signOf = task.signs(name, sizeOf(param.structure.shape));
          param.structure.positions.forEach((position, i) => {
            if (method === 'bsr-net') expect(values[i] * signOf(position)).to.be.above(0);
            if (there.has(position)) return;
            grown++;
            expect(momentum[i]).to.equal(0);
            expect(values[i]).to.equal(method === 'bsr-net' ? Math.fround(signOf(position) * NEW_THETA) : 0);
          });
        }
      };
      for (let epoch = 0; epoch < 2; epoch++) await eachStep(task, state, check);
      if (preserves === null || preserves === 'nothing') expect(grown).to.equal(0);
      else expect(grown).to.be.above(0);
      disposeTrainState(state);
    });
  }

  it('updates masks from its begin on, as many weights as its schedule says', async () => {
    const dropped = async (options: TrainOptions) => {
      const task = await forMethod('set', { updateInterval: 1, updateBegin: 0.25, ...options });
      const progress = (step: number) => ({ step, totalSteps: task.totalSteps });
      expect([1, 2, 7].map((step) => task.sparsifier?.updatesAt(progress(step)))).to.deep.equal([false, true, true]);
      const state = await startState(task);
      const nonzeros = countWeights(state.params).nonzeros;
      const shares: number[] = [];
      for (const step of [2, 5]) {
        const update = await task.sparsifier?.update(state.params, progress(step), {}, seedKey(step));
        const maps = Object.values(update?.carried ?? {});
        shares.push(maps.reduce((sum, map) => sum + map.filter((index) => index < 0).length, 0) / nonzeros);
        disposeParams(update?.params ?? {});
      }
      disposeTrainState(state);
      return shares;
    };
    const constant = await dropped({ dropSchedule: 'constant' });
    expect(constant[1]).to.be.closeTo(constant[0], 0.05);
    const linear = await dropped({ dropSchedule: 'linear' });
    expect(linear[0]).to.be.closeTo(constant[0], 0.05);
    expect(linear[1]).to.be.closeTo(constant[0] / 2, 0.05);
  });

  describe('that takes mask updates for steps', () => {
    for (const method of ['rigl', 'set'] as const) {
      it(`moves no weight of ${method} that stays, nor momentum, and corrects nothing there`, async () => {
        const task = await forMethod(method, { maskUpdate: 'instead-of-step', agentPrepass: 'published' });
        const state = await startState(task);
        const dense = (params: Params, tree: Tensors) =>
          mapTree(
            (param, values: tf.Tensor) =>
              isSparse(param)
                ? scatterValues(param.structure, values.dataSync() as Float32Array)
                : (values.dataSync().slice() as Float32Array),
            params,
            tree,
          );
        const look = () => ({
          weights: dense(state.params, trainables(state.params)),
          momentum: dense(state.params, state.optimizer.trace),
          gradients: state.costs.weightGradients,
        });
        let before = look();
        let updates = 0;
        await eachStep(task, state, (earlier) => {
          const now = look();
          const images = now.gradients - before.gradients;
          const rewired = Object.entries(state.params).some(
            ([name, param]) => isSparse(param) && param.structure !== (earlier.params[name] as SparseParam).structure,
          );
          if (rewired) {
            updates++;
            expect(images).to.equal(batchesOfEpoch(task, 0)[earlier.batch].length);
            for (const [name, param] of Object.entries(state.params)) {
              const positions = isSparse(param) ? param.structure.positions : now.weights[name].keys();
              for (const i of positions) {
                expect(now.weights[name][i]).to.equal(before.weights[name][i]);
                expect(now.momentum[name][i]).to.equal(before.momentum[name][i]);
              }
            }
          } else {
            expect(images).to.be.above(batchesOfEpoch(task, 0)[earlier.batch].length);
            expect(now.weights).not.to.deep.equal(before.weights);
          }
          before = now;
        });
        expect(updates).to.equal(1);
        disposeTrainState(state);
      });
    }
  });

  it('adds noise of the deviation asked for to the images of each epoch, unclipped, and none to images as they are', async () => {
    const options = { objective: 'natural', method: 'dense', augment: 'none' } as const;
    const [plain, noisy] = [await openTask(configOf(options)), await openTask(configOf({ ...options, noise: 0.25 }))];
    const indices = batchesOfEpoch(plain, 0)[0];
    const pixelsOf = async (task: Task, epoch: number, how = {}) => {
      const batch = drawBatch(task, epoch, indices, how);
      const pixels = await batch.images.data<'float32'>();
      disposeBatch(batch);
      return pixels;
    };
    const clean = await pixelsOf(plain, 0);
    const first = await pixelsOf(noisy, 0);
    const noise = first.map((pixel, i) => pixel - clean[i]);
    const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
    const deviation = Math.sqrt(noise.reduce((sum, value) => sum + (value - mean) ** 2, 0) / noise.length);
    expect(mean).to.be.closeTo(0, 0.03);
    expect(deviation).to.be.closeTo(0.25, 0.03);
    expect(first.some((pixel) => pixel < 0 || pixel > 1)).to.equal(true);
    expect(await pixelsOf(noisy, 0)).to.deep.equal(first);
    expect(await pixelsOf(noisy, 1)).to.not.deep.equal(first);
    expect(await pixelsOf(noisy, 0, { augmented: false })).to.deep.equal(clean);
    expect(() => configOf({ objective: 'at', noise: 0.25 })).to.throw(/noise .*no adversarial examples/);
  });

  for (const objective of OBJECTIVES) {
    for (const options of [{}, { labelSmoothing: 0.1 }] as const) {
      it(`${objective} ${JSON.stringify(options)}: the gradient over all weights is that of its value`, async () => {
        const task = await openTask(configOf({ objective, method: 'static', ...options }), files);
        const state = await startState(task);
        const noise = (like: tf.Tensor, name: string) =>
          tf.tensor(normal(foldIn(seedKey(name), like.size), like.size), like.shape);
        // Away from biases of 0, where a unit without inputs is at the corner of its ReLU.
        const params = withTrainables(
          state.params,
          mapTree((w: tf.Tensor) => tf.tidy(() => tf.add(w, tf.mul(noise(w, 'start'), 0.1))), trainables(state.params)),
        );
        const weights = { params, state: state.statistics };
        const drawn = drawBatch(task, 0, batchesOfEpoch(task, 0)[0]);
        const { batch } = await withAdversarial(
          task,
          task.attacks.training({ epoch: 0, guard: null }),
          weights,
          0,
          drawn,
        );
        const found = lossGradients(task.program, task.objective, weights, batch);
        // Along itself, over a distance on which hardly a unit changes sides.
        const length = tf.tidy(() =>
          Math.sqrt(tf.addN(Object.values(found.gradients).map((g) => tf.sum(tf.square(g)))).dataSync()[0]),
        );
        const direction = mapTree((g: tf.Tensor) => tf.div(g, length), found.gradients);
        const step = 1e-4;
        const valueAt = (offset: number) => {
          const moved = mapTree(
            (w: tf.Tensor, v: tf.Tensor) => tf.tidy(() => tf.add(w, tf.mul(v, offset))),
            trainables(params),
            direction,
          );
          const { loss } = lossOf(
            task.program,
            task.objective,
            { ...weights, params: withTrainables(params, moved) },
            batch,
          );
          const [value] = loss.dataSync();
          loss.dispose();
          disposeTensors(moved);
          return value;
        };
        expect(found.loss.dataSync()[0]).to.be.closeTo(valueAt(0), 1e-6);
        expect((valueAt(step) - valueAt(-step)) / (2 * step)).to.be.closeTo(length, 0.01 * length);
        tf.dispose([found.loss]);
        for (const tree of [found.gradients, found.state, direction]) disposeTensors(tree);
        disposeBatch(batch);
        disposeParams(params);
        disposeTrainState(state);
      });
    }
  }

  describe('with any objective, correction and distribution', () => {
    const corrections = [
      { optimizer: 'agent', agentPrepass: 'memory', agentCoefficient: 'per-parameter' },
      { optimizer: 'sgd' },
      { optimizer: 'agent', agentPrepass: 'published' },
      { optimizer: 'agent', agentPrepass: 'published-bsr' },
      { optimizer: 'agent', agentPrepass: 'matched', agentAttackSteps: 0 },
      { optimizer: 'agent', agentPrepass: 'subsampled', agentAttackSteps: 1 },
      { optimizer: 'svrg', agentPrepass: 'matched' },
      { optimizer: 'alpha-svrg', agentPrepass: 'published' },
      { optimizer: 'agent', agentVariant: 'stable', agentFirstEpoch: 1 },
      { optimizer: 'svrg', agentPrepass: 'memory', agentMemoryPrecision: 'bfloat16' },
    ] as const;
    const others = [
      {},
      { awpGamma: 0.01 },
      { labelSmoothing: 0.1, model: 'cnn', width: 0.03, attackBn: 'train' },
      { attackWarmup: 1, weightDecayMode: 'decoupled' },
      { nesterov: true, weightDecayScope: 'kernels', model: 'cnn', width: 0.03 },
    ] as const;
    const where = Object.keys(distributions) as NonNullable<TrainOptions['distribution']>[];
    let turn = 0;
    for (const method of METHODS) {
      for (const objective of OBJECTIVES) {
        const { agentAttackSteps, ...correction }: TrainOptions = corrections[turn % corrections.length];
        const { attackBn, attackWarmup, ...more }: TrainOptions = others[turn % others.length];
        const distribution = where[turn % where.length];
        turn++;
        // The checkpoint is one of the mlp.
        const network = method === 'one-shot' ? { ...more, model: 'mlp' as const, width: 0.1 } : more;
        const lastKernel = network.model === 'cnn' ? 'fc.kernel' : 'fc3.kernel';
        const sparse = {
          distribution,
          ...(distribution === 'per-layer' && { layerSparsities: { [lastKernel]: 0.4 } }),
        };
        const options: TrainOptions = {
          ...(correction.optimizer === 'sgd' ? { ...correction, agentPrepass: undefined } : correction),
          ...network,
          ...(objective !== 'natural' && { agentAttackSteps, attackBn, attackWarmup }),
          ...(method !== 'dense' && sparse),
        };
        it(`${method} trains under ${objective} ${JSON.stringify(options)}`, async () => {
          const small = { trainLimit: 16, batchSize: 8, epochs: 1 };
          const task = await forMethod(method, { objective, ...options, ...small });
          const tensors = tf.memory().numTensors;
          const state = await startState(task);
          const { check, atEnd } = weightLaw(task, state);
          let loss = 0;
          await eachStep(task, state, () => {
            check();
            loss = state.lossSum;
          });
          atEnd();
          expect(loss).to.be.above(0).and.below(100);
          disposeTrainState(state);
          expect(tf.memory().numTensors).to.equal(tensors);
        });
      }
    }
  });

  for (const agentPrepass of (Object.keys(prepasses) as PrepassName[]).filter(
    (name) => prepasses[name].examples !== 'none',
  )) {
    it(`${agentPrepass} finds u, ĉ and c on the examples that it names, and changes nothing`, async () => {
      const task = await forMethod('rigl', {
        agentPrepass,
        epochs: 3,
        trainLimit: 32,
        batchSize: 8,
        objective: 'trades',
      });
      const state = await startState(task);
      await eachStep(task, state, () => {});
      const { epoch, c, snapshot: previous } = state;
      if (previous === null) throw new Error('AGENT has a snapshot');
      const before = contentOf(state);
      const found = await runPrepass(task, state, { watch: stopwatch(), store: { file: join(base, 'gradients') } });
      expect(contentOf(state)).to.deep.equal(before);

      const { examples, subsamples, estimates, gradients: origin } = prepasses[agentPrepass];
      const batches = batchesOfEpoch(task, epoch);
      const { agentPrepassShare = 1 } = task.config;
      const seen = subsamples
        ? [...subsampleBatches(batches.length, agentPrepassShare, task.keys.data(epoch))].map((i) => batches[i])
        : batches;
      expect(seen.length).to.equal(subsamples ? 2 : 4);
      const now = { params: state.params, state: state.statistics };
      const losses: { now: number; before: number }[] = [];
      const sum: Record<string, Float64Array> = {};
      for (const [i, indices] of seen.entries()) {
        const drawn = drawBatch(task, epoch, indices, { augmented: examples === 'epoch' });
        const attack = examples === 'epoch' ? task.attacks.training({ epoch, guard: null }) : null;
        const { batch } = await withAdversarial(task, attack, now, epoch, drawn);
        const { loss, gradients, state: moved } = lossGradients(task.program, task.objective, now, batch);
        const earlier = lossOf(task.program, task.objective, previous, batch).loss;
        losses.push({ now: loss.dataSync()[0], before: earlier.dataSync()[0] });
        const kept = await found.stored?.get(i);
        expect(kept !== undefined).to.equal(origin === 'kept');
        for (const [name, gradient] of Object.entries(gradients)) {
          const values = gradient.dataSync();
          if (kept) expect(kept[name]).to.deep.equal(values);
          sum[name] ??= new Float64Array(values.length);
          for (const [j, value] of values.entries()) sum[name][j] += value;
        }
        tf.dispose([loss, earlier]);
        for (const tree of [gradients, moved]) disposeTensors(tree);
        disposeBatch(batch);
      }
      for (const [name, mean] of Object.entries(found.meanGradient)) {
        const values = mean.dataSync();
        const largest = Math.max(...values.map(Math.abs));
        for (const [j, value] of values.entries()) {
          expect(value, name).to.be.closeTo(sum[name][j] / seen.length, 1e-5 * largest + 1e-12);
        }
      }
      const meanOf = (which: 'now' | 'before') =>
        losses.reduce((total, loss) => total + loss[which], 0) / losses.length;
      const covariance = losses.reduce(
        (total, loss) => total + (loss.now - meanOf('now')) * (loss.before - meanOf('before')),
        0,
      );
      const variance = losses.reduce((total, loss) => total + (loss.before - meanOf('before')) ** 2, 0);
      const cHat = estimates ? covariance / variance : 1;
      expect(found.estimate?.value).to.be.closeTo(cHat, 1e-9);
      expect(found.c).to.be.closeTo(estimates ? 0.7 * c + 0.3 * cHat : 1 - 0.7 ** epoch, 1e-9);
      expect(weightsOf(found.snapshot.params)).to.deep.equal(weightsOf(state.params));
      await found.stored?.close();
      disposeTensors(found.meanGradient);
      disposeSnapshot(found.snapshot);
      disposeTrainState(state);
    });
  }

  describe('that starts from a checkpoint', () => {
    it('prunes its largest weights of each kernel and keeps the statistics', async () => {
      const task = await forMethod('one-shot');
      const state = await startState(task);
      const { params } = await loadModel(files.from ?? '');
      for (const [name, param] of Object.entries(state.params)) {
        if (!isSparse(param)) continue;
        const whole = trainables(params)[name].dataSync();
        const values = [...param.values.dataSync()];
        expect(values).to.deep.equal([...param.structure.positions].map((position) => whole[position]));
        const kept = new Set(param.structure.positions);
        const least = Math.min(...values.map(Math.abs));
        expect(whole.every((weight, position) => kept.has(position) || Math.abs(weight) <= least)).to.equal(true);
      }
      disposeParams(params);
      disposeTrainState(state);
    });

    for (const method of ['dense', 'gradual'] as const) {
      it(`goes on from its weights under ${method}`, async () => {
        const state = await startState(await forMethod(method, { from: named.from }));
        const { params } = await loadModel(files.from ?? '');
        expect(weightsOf(state.params)).to.deep.equal(weightsOf(params));
        disposeParams(params);
        disposeTrainState(state);
      });
    }

    it('goes on from a sparse one under gradual, and refuses before it starts one that is too sparse', async () => {
      const half = join(base, 'half');
      await train(configOf({ method: 'one-shot', sparsity: 0.5, epochs: 1 }), { out: half, ...files });
      const from = runFolder(half).last;
      const sha256 = await sha256OfFile(from);
      const goOn = (sparsity: number, distribution: 'global' | 'erk', out: string) =>
        train(tinyConfig({ method: 'gradual', sparsity, distribution, from: sha256, updateInterval: 1 }), {
          out,
          from,
        });
      for (const distribution of ['global', 'erk'] as const) {
        const { last } = await goOn(0.9, distribution, join(base, `half-${distribution}`));
        expect(last?.sparsity).to.be.closeTo(0.9, 0.002);
        const none = join(base, 'none');
        const tooSparse = await rejection(goOn(0.4, distribution, none));
        expect(tooSparse.message).to.match(/(kernel|network) has \d+ of (its )?\d+ (weights )?left.*adds no weights/);
        expect(existsSync(none)).to.equal(false);
      }
    });

    it('finds it again in a resume that does not name it, and refuses another file', async () => {
      const out = join(base, 'pruned');
      const config = configOf({ method: 'one-shot' });
      const controller = new AbortController();
      const onProgress = ({ kind }: TrainEvent) => kind === 'start' && controller.abort();
      await train(config, { out, ...files, signal: controller.signal, onProgress });
      await rm(join(out, 'checkpoints'), { recursive: true });
      expect((await train(config, { out, resume: true })).status).to.equal('done');

      const missing = await rejection(train(config, { out: join(base, 'none') }));
      expect(missing.message).to.match(/names the checkpoint to start from by its SHA-256, .*give the file as from/);
      const other = await rejection(train(config, { out: join(base, 'none'), from: runFolder(out).last }));
      expect(other.message).to.match(/is the one of SHA-256 .*, and .*last\.safetensors has/);
    });

    it('refuses one that is damaged, though the one before it is whole, and leaves no folder behind', async () => {
      const from = join(base, 'damaged.safetensors');
      await writeFile(from, 'damaged');
      await cp(files.from ?? '', previousOf(from));
      const config = configOf({ method: 'one-shot', from: await sha256OfFile(from) });
      const error = await rejection(train(config, { out: join(base, 'none'), from }));
      expect(error.message).to.match(/the checkpoint to start from: it is damaged\. .*damaged\.safetensors\.previous/);
      expect(existsSync(join(base, 'none'))).to.equal(false);
    });

    it('refuses one that does not fit', async () => {
      const narrow = configOf({ method: 'one-shot', width: 0.2 });
      const shape = await rejection(train(narrow, { out: join(base, 'none'), ...files }));
      expect(shape.message).to.match(/the checkpoint to start from: .*fc1\.kernel of shape/);
      const shifted = configOf({ method: 'one-shot', mean: [0.5], std: [0.25] });
      const pixels = await rejection(train(shifted, { out: join(base, 'none'), ...files }));
      expect(pixels.message).to.match(
        /its network does not normalise its images, and the one to train normalises its images by mean 0\.5, std 0\.25/,
      );
      const out = join(base, 'pruned');
      const from = await sha256OfFile(runFolder(out).last);
      const dense = tinyConfig({ sparsity: 0, from });
      const sparse = await rejection(train(dense, { out: join(base, 'none'), from: runFolder(out).last }));
      expect(sparse.message).to.match(
        /its kernels are sparse \(0\.8\d*\), and the method dense has no masks\. Use one-shot/,
      );
    });
  });

  describe('on extra images', () => {
    it('puts them last in each batch, in their share, each once before any comes again', async () => {
      const task = await openTask(configOf({ objective: 'rst', extraShare: 0.25 }), files);
      const { count } = task.dataset.train;
      const batches = batchesOfEpoch(task, 0);
      expect(batches.length).to.equal(task.batchesPerEpoch);
      const labelled = batches.flatMap((batch) => [...batch].filter((number) => number < count));
      expect(labelled.sort((a, b) => a - b)).to.deep.equal([...task.indices.train]);
      for (const batch of batches.slice(0, -1)) {
        expect(batch.length).to.equal(16);
        expect([...batch].map((number) => number >= count)).to.deep.equal(
          Array.from({ length: 16 }, (_, i) => i >= 12),
        );
      }
      const extra = batches.flatMap((batch) => [...batch].filter((number) => number >= count));
      expect(new Set(extra).size).to.equal(extra.length);
      expect(batchesOfEpoch(task, 1)).not.to.deep.equal(batches);
    });

    it('shows their pixels and pseudo-labels', async () => {
      const task = await openTask(configOf({ objective: 'rst', augment: 'none' }), files);
      const [first] = batchesOfEpoch(task, 0);
      const batch = drawBatch(task, 0, first);
      const { count } = task.dataset.train;
      const [images, labels] = [batch.images.dataSync(), batch.labels.dataSync()];
      first.forEach((number, i) => {
        const [split, index] = number < count ? [task.dataset.train, number] : [task.extra, number - count];
        expect(labels[i]).to.equal(split?.labels[index]);
        expect(images[64 * i + 9]).to.equal(Math.fround((split?.images[64 * index + 9] ?? 0) / 255));
      });
      disposeBatch(batch);
    });

    const wrong: readonly (readonly [string, Parameters<typeof encodeSafetensors>[0], RegExp])[] = [
      ['no labels', { images: { dtype: 'U8', shape: [1, 8, 8, 1], data: new Uint8Array(64) } }, /has no tensor labels/],
      [
        'images of another shape',
        {
          images: { dtype: 'U8', shape: [1, 4, 4, 1], data: new Uint8Array(16) },
          labels: { dtype: 'U8', shape: [1], data: new Uint8Array(1) },
        },
        /has images U8 \[1,4,4,1\]; expected, for synthetic, images, uint8 \[n, 8, 8, 1\]/,
      ],
      [
        'a label beyond the classes',
        {
          images: { dtype: 'U8', shape: [2, 8, 8, 1], data: new Uint8Array(128) },
          labels: { dtype: 'I32', shape: [2], data: Int32Array.of(3, 4) },
        },
        /has label 4 at image 1; synthetic has the classes 0 to 3/,
      ],
    ];
    for (const [what, tensors, message] of wrong) {
      it(`refuses a file of ${what}`, async () => {
        const extraImages = join(base, 'wrong.safetensors');
        await writeFile(extraImages, encodeSafetensors(tensors));
        const config = configOf({ objective: 'rst', extraImages: await sha256OfFile(extraImages) });
        const error = await rejection(openTask(config, { extraImages }));
        expect(error).to.be.instanceOf(InputError);
        expect(error.message).to.match(message);
      });
    }
  });
});
