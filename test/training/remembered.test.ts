// The laws of the pre-pass memory, over the methods whose masks behave differently.
import '@tensorflow/tfjs-backend-cpu';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { restoreCheckpoint } from '../../src/checkpoints/safetensors/stored.ts';
import { isSparse, mapTree, type Params, type Tensors, trainables } from '../../src/core/params.ts';
import { denseStructure } from '../../src/core/structure.ts';
import { estimateCoefficient } from '../../src/optimizers/coefficients.ts';
import type { MethodName } from '../../src/sparsity/methods.ts';
import { type GradientMemory, gradientMemory } from '../../src/training/agent/memory.ts';
import { batchesOfEpoch } from '../../src/training/batches/batches.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { trainEpoch } from '../../src/training/epoch.ts';
import { type MetricRow, parseMetrics } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { disposeTrainState, startState, type TrainState } from '../../src/training/state.ts';
import { openTask, type Task } from '../../src/training/task.ts';
import { train } from '../../src/training/train.ts';
import { newFolders } from './folders.ts';
import { outcome, tinyConfig } from './tiny.ts';

const numbers = (tensor: tf.Tensor) => (tensor.dataSync() as Float32Array).slice();

describe('remembered gradients', () => {
  before(async () => {
    await tf.setBackend('cpu');
  });
  const folder = newFolders();

  const weightsOf = async (out: string) => {
    const { params, optimizer } = restoreCheckpoint((await readCheckpoint(runFolder(out).last)).stored);
    return [trainables(params), optimizer.trace].map((tree) => mapTree(numbers, tree));
  };
  const lastRow = async (out: string) =>
    parseMetrics(await readFile(runFolder(out).metrics, 'utf8'), out).at(-1) as Readonly<MetricRow>;

  for (const options of [{}, { method: 'bsr-net' }, { objective: 'natural', method: 'gradual' }] as const) {
    it(`with γ = 0 are SGD with fixed batches, bit for bit and at its cost: ${JSON.stringify(options)}`, async () => {
      const [remembering, plain, random] = [folder(), folder(), folder()];
      const shared: TrainOptions = { epochs: 2, ...options };
      await train(tinyConfig({ ...shared, optimizer: 'agent', agentPrepass: 'memory', agentGamma: 0 }), {
        out: remembering,
      });
      await train(tinyConfig({ ...shared, optimizer: 'sgd', fixedBatches: true }), { out: plain });
      await train(tinyConfig({ ...shared, optimizer: 'sgd' }), { out: random });
      expect(await weightsOf(remembering)).to.deep.equal(await weightsOf(plain));
      expect(await weightsOf(plain)).not.to.deep.equal(await weightsOf(random));
      const [a, b] = [await lastRow(remembering), await lastRow(plain)];
      for (const cost of ['forward_passes', 'input_gradients', 'weight_gradients', 'flops'] as const) {
        expect(a[cost], cost).to.equal(b[cost]);
      }
      expect([a.gradient_variance_corrected, b.gradient_variance_corrected]).to.deep.equal([a.gradient_variance, null]);
    });
  }

  it('correct at any other γ, move c, and log how the variance changes', async () => {
    const [out, plain] = [folder(), folder()];
    await train(tinyConfig({ epochs: 3, optimizer: 'agent', agentPrepass: 'memory' }), { out });
    await train(tinyConfig({ epochs: 3, optimizer: 'sgd', fixedBatches: true }), { out: plain });
    expect(await weightsOf(out)).not.to.deep.equal(await weightsOf(plain));
    const { c, c_hat, variance_ratio } = await lastRow(out);
    expect(c).to.be.closeTo(0.7 * 0.1 + 0.3 * (c_hat as number), 1e-9);
    expect(variance_ratio).to.be.above(0).and.not.equal(1);
    expect(existsSync(runFolder(out).memory)).to.equal(false);
  });

  for (const agentMemoryPrecision of ['float32', 'bfloat16'] as const) {
    it(`train the same network from memory and from files: ${agentMemoryPrecision}`, async () => {
      const config = tinyConfig({ epochs: 3, optimizer: 'agent', agentPrepass: 'memory', agentMemoryPrecision });
      const outcomes = [];
      for (const cacheMemory of [undefined, 4_000, 0]) {
        const out = folder();
        await train(config, { out, cacheMemory });
        outcomes.push(await outcome(out));
      }
      expect(outcomes[1]).to.deep.equal(outcomes[0]);
      expect(outcomes[2]).to.deep.equal(outcomes[0]);
    });
  }

  /** A tree of values as dense arrays. */
  const dense = (params: Params, tree: Tensors): Record<string, Float64Array> =>
    mapTree(
      (param, values: tf.Tensor) => {
        const { shape, positions } = isSparse(param) ? param.structure : denseStructure(param.shape);
        const out = new Float64Array(shape.reduce((size, extent) => size * extent, 1));
        values.dataSync().forEach((value, i) => {
          out[positions[i]] = value;
        });
        return out;
      },
      params,
      tree,
    );

  interface Seen {
    readonly number: number;
    readonly params: Params;
    readonly weights: Record<string, Float64Array>;
    readonly gradient: Record<string, Float64Array>;
    readonly mean: Record<string, Float64Array>;
    readonly recalled: Record<string, Float64Array> | null;
    readonly moved: Record<string, Float64Array>;
    readonly loss: number;
  }

  /** Trains epochs and writes down what each step saw. */
  async function watchSteps(task: Task, state: TrainState, epochs: number): Promise<Seen[]> {
    const real = gradientMemory(task, { folder: folder() });
    const steps: Seen[] = [];
    let numberOf: Int32Array[] = [];
    const memory: GradientMemory = {
      ...real,
      record: async (at, gradients, loss) => {
        const found = await real.recall(at, at.batch);
        const result = await real.record(at, gradients, loss);
        const batch = batchesOfEpoch(task, at.epoch)[at.batch];
        numberOf = numberOf.length > 0 ? numberOf : batchesOfEpoch(task, 0);
        steps.push({
          number: numberOf.findIndex((first) => first.join() === batch.join()),
          params: at.params,
          weights: dense(at.params, trainables(at.params)),
          gradient: dense(at.params, gradients),
          mean: dense(at.params, at.meanGradient),
          recalled: found && dense(at.params, found),
          moved: dense(at.params, result.meanGradient),
          loss,
        });
        tf.dispose(Object.values(found ?? {}));
        return result;
      },
    };
    const context = {
      watch: stopwatch(),
      store: { file: folder() },
      memory,
      report: async () => {},
      afterStep: async () => {},
    };
    for (let epoch = 0; epoch < epochs; epoch++) await trainEpoch(task, state, context);
    await real.close();
    return steps;
  }

  for (const method of ['static', 'rigl', 'set', 'bsr-net', 'gradual'] as readonly MethodName[]) {
    it(`are those of one epoch ago, and u their mean, whatever the masks did since: ${method}`, async () => {
      const often = method === 'rigl' || method === 'set' ? { updateInterval: 1 } : {};
      const task = await openTask(
        tinyConfig({ method, sparsity: 0.6, optimizer: 'agent', agentPrepass: 'memory', epochs: 3, ...often }),
      );
      const state = await startState(task);
      const steps = await watchSteps(task, state, task.config.epochs);
      disposeTrainState(state);
      expect(steps.length).to.equal(task.config.epochs * task.batchesPerEpoch);
      /** What is remembered of each batch: 0 wherever a weight is not, or was not all the time since. */
      const remembered = new Map<number, Record<string, Float64Array>>();
      let active: Record<string, Uint8Array> = {};
      let grown = 0;
      for (const { number, params, gradient, mean, recalled, moved } of steps) {
        const now = mapTree((param) => {
          const { shape, positions } = isSparse(param) ? param.structure : denseStructure(param.shape);
          const mask = new Uint8Array(shape.reduce((size, extent) => size * extent, 1));
          for (const position of positions) mask[position] = 1;
          return mask;
        }, params);
        for (const [name, mask] of Object.entries(now)) {
          const before = active[name] ?? mask;
          mask.forEach((there, i) => {
            if (there === before[i]) return;
            if (there) grown++;
            for (const values of remembered.values()) values[name][i] = 0;
          });
        }
        active = now;
        const expectMean = (found: Record<string, Float64Array>, what: string) => {
          for (const [name, values] of Object.entries(found)) {
            const distances = values.map((value, i) => {
              let sum = 0;
              for (const other of remembered.values()) sum += other[name][i];
              return Math.abs(value - sum / task.batchesPerEpoch);
            });
            expect(Math.max(...distances), `${what} ${name}`).to.be.below(1e-6);
          }
        };
        expectMean(mean, 'u');
        expect(recalled).to.deep.equal(remembered.get(number) ?? null);
        remembered.set(number, gradient);
        expectMean(moved, 'the next u');
      }
      if (method !== 'static' && method !== 'gradual') expect(grown).to.be.above(10);
    });
  }

  it('correct each step by u − g̃, and an epoch by their sum', async () => {
    const lr = 0.05;
    const task = await openTask(
      tinyConfig({
        ...{ method: 'static', optimizer: 'svrg', agentPrepass: 'memory', epochs: 2 },
        ...{ lr, momentum: 0, weightDecay: 0, schedule: 'constant' },
      }),
    );
    const state = await startState(task);
    const second = (await watchSteps(task, state, 2)).slice(task.batchesPerEpoch);
    const weights = [...second.map((step) => step.weights), dense(state.params, trainables(state.params))];
    for (const name of Object.keys(state.params)) {
      const distances = weights[0][name].map((start, i) => {
        let sum = 0;
        let distance = 0;
        for (const [step, { gradient, mean, recalled }] of second.entries()) {
          const corrected = gradient[name][i] + mean[name][i] - (recalled?.[name][i] ?? Number.NaN);
          distance += Math.abs(weights[step + 1][name][i] - weights[step][name][i] + lr * corrected);
          sum += corrected;
        }
        return distance + Math.abs((weights.at(-1)?.[name][i] ?? 0) - start + lr * sum);
      });
      expect(Math.max(...distances), name).to.be.below(3e-6);
    }
    disposeTrainState(state);
  });

  it('move c by the losses of two epochs, or by gradients, within the bounds', async () => {
    for (const agentCoefficient of ['losses', 'gradients', 'per-parameter'] as const) {
      const task = await openTask(
        tinyConfig({
          ...{ method: 'static', optimizer: 'agent', agentPrepass: 'memory', epochs: 3 },
          ...{ agentCoefficient, agentBounds: [-0.5, 0.5] },
        }),
      );
      const state = await startState(task);
      const steps = await watchSteps(task, state, 3);
      const [first, second] = [0, 1].map((epoch) => steps.slice(4 * epoch, 4 * epoch + 4));
      const blended = (estimate: number) => 0.7 * 0.1 + 0.3 * Math.min(0.5, Math.max(-0.5, estimate));
      if (agentCoefficient === 'losses') {
        const before = second.map(({ number }) => first.find((step) => step.number === number)?.loss ?? Number.NaN);
        const { value } = estimateCoefficient(
          second.map(({ loss }) => loss),
          before,
        );
        expect(state.cHat).to.be.closeTo(value ?? Number.NaN, 1e-9);
        expect(state.c).to.be.closeTo(blended(value ?? Number.NaN), 1e-9);
      } else {
        const sums = (names: readonly string[]) => {
          let [covariance, variance] = [0, 0];
          for (const { gradient, mean, recalled } of second) {
            for (const name of names) {
              gradient[name].forEach((g, i) => {
                const deviation = (recalled?.[name][i] ?? Number.NaN) - mean[name][i];
                covariance += (g - mean[name][i]) * deviation;
                variance += deviation ** 2;
              });
            }
          }
          return covariance / variance;
        };
        const names = Object.keys(state.params);
        expect(state.cHat).to.be.closeTo(sums(names), 1e-5);
        expect(state.c).to.be.closeTo(blended(sums(names)), 1e-5);
        const each = agentCoefficient === 'per-parameter' ? names : [];
        expect(Object.keys(state.memory?.coefficients ?? {})).to.deep.equal(each);
        for (const name of each) expect(state.memory?.coefficients[name]).to.be.closeTo(blended(sums([name])), 1e-5);
      }
      disposeTrainState(state);
    }
  });

  it('start anew, with a warning, where the files of a checkpoint are gone, and the run goes on', async () => {
    const config = tinyConfig({ epochs: 3, optimizer: 'agent', agentPrepass: 'memory' });
    const out = folder();
    const controller = new AbortController();
    await train(config, {
      out,
      signal: controller.signal,
      onProgress: ({ kind, step }) => kind === 'step' && step === 6 && controller.abort(),
    });
    await rm(runFolder(out).memory, { recursive: true });
    const warnings: string[] = [];
    const { status } = await train(config, {
      out,
      resume: true,
      onProgress: (event) => event.kind === 'warning' && warnings.push(event.message),
    });
    expect(status).to.equal('done');
    expect(warnings.filter((message) => /remembered gradients .* starts anew/.test(message))).to.have.length(1);
  });
});
