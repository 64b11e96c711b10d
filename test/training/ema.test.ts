import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { restoreCheckpoint } from '../../src/checkpoints/safetensors/stored.ts';
import { InputError } from '../../src/core/errors.ts';
import { disposeParams, disposeTensors, isSparse, type Params, trainables } from '../../src/core/params.ts';
import { checkpointFiles } from '../../src/evaluation/targets/checkpoint-files.ts';
import { averageDecay } from '../../src/optimizers/average.ts';
import { batchesOfEpoch } from '../../src/training/batches/batches.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { candidateOf, isBest } from '../../src/training/run/best-epoch.ts';
import { sha256OfFile } from '../../src/training/run/fingerprint.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { measureAccuracy } from '../../src/training/run/validate.ts';
import { disposeTrainState, startState } from '../../src/training/state.ts';
import { trainStep } from '../../src/training/step.ts';
import { openTask } from '../../src/training/task.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { useBackend } from '../backend.ts';
import { newFolders } from './folders.ts';
import { tinyConfig, untimedMetrics } from './tiny.ts';

describe('averaged weights', () => {
  before(() => useBackend('cpu'));
  const folder = newFolders();

  const run = async (options: TrainOptions) => {
    const out = folder();
    const events: TrainEvent[] = [];
    const summary = await train(tinyConfig(options), { out, onProgress: (event) => events.push(event) });
    return { events, ...summary };
  };

  /** Everything in a checkpoint that training goes on from, but the averages and what the best epoch is. */
  async function trainingState(file: string) {
    const { config, progress, tensors, ...rest } = (await readCheckpoint(file)).stored;
    const { best: _, ...others } = progress;
    return {
      ...rest,
      config: { ...config, ema: null },
      progress: others,
      tensors: Object.fromEntries(Object.entries(tensors).filter(([name]) => !name.startsWith('average/'))),
    };
  }

  const settings: readonly TrainOptions[] = [
    { method: 'dense', sparsity: 0 },
    { method: 'static', epochs: 1 },
    { method: 'rigl', optimizer: 'agent' },
    { method: 'set', maskUpdate: 'instead-of-step' },
    { method: 'bsr-net' },
    { method: 'gradual', awpGamma: 0.01 },
  ];
  for (const options of settings) {
    it(`change nothing in the training under ${JSON.stringify(options)}`, async () => {
      const [without, averaged] = [await run(options), await run({ ...options, ema: 0.9 })];
      const [a, b] = await Promise.all([without, averaged].map(({ out }) => trainingState(runFolder(out).last)));
      expect(b).to.deep.equal(a);
      const rows = await Promise.all([without, averaged].map(({ out }) => untimedMetrics(out)));
      const rest = rows.map((lines) => lines.map((line) => line.filter((_, i) => !lines[0][i].startsWith('ema_'))));
      expect(rest[1]).to.deep.equal(rest[0]);
      expect(existsSync(runFolder(without.out).ema)).to.equal(false);
    });
  }

  it('are the averages of the weights and the statistics after each step, on the masks of the last', async () => {
    const task = await openTask(
      tinyConfig({
        model: 'resnet18',
        width: 0.04,
        ema: 0.8,
        objective: 'natural',
        trainLimit: 32,
        batchSize: 8,
      }),
    );
    const state = await startState(task);
    const read = (params: Params) =>
      Object.fromEntries(
        Object.entries(params).map(([name, param]) => {
          const data = trainables(params)[name].dataSync();
          const positions = isSparse(param) ? param.structure.positions : data.map((_, i) => i);
          return [name, new Map([...positions].map((position, i) => [position, data[i]]))];
        }),
      );
    let expected = read({ ...state.params, ...state.statistics });
    for (const [step, batch] of batchesOfEpoch(task, 0).entries()) {
      await trainStep(task, state, batch, null, stopwatch());
      const decay = averageDecay(0.8, step);
      const now = read({ ...state.params, ...state.statistics });
      expected = Object.fromEntries(
        Object.entries(now).map(([name, weights]) => [
          name,
          new Map(
            [...weights].map(([at, value]) => [at, decay * (expected[name].get(at) ?? value) + (1 - decay) * value]),
          ),
        ]),
      );
    }
    const average = state.average ?? { params: {}, state: {} };
    for (const [name, tensor] of Object.entries({ ...average.params, ...average.state })) {
      const wanted = [...expected[name].values()];
      for (const [i, value] of tensor.dataSync().entries()) expect(value, name).to.be.closeTo(wanted[i], 1e-6);
    }
    expect(Object.keys(average.state)).to.include.members(Object.keys(state.statistics)).and.not.empty;
    disposeTrainState(state);
  });

  it('are a checkpoint beside the last one, without the state of training, whose accuracy is in metrics.csv', async () => {
    const { out } = await run({ ema: 0.9, epochs: 1, trainLimit: 128 });
    const { ema, last } = runFolder(out);
    expect(await checkpointFiles(out)).to.include.members([ema, last]);
    const stored = (await readCheckpoint(ema)).stored;
    expect(stored.progress).to.include({ weights: 'averaged' });
    expect((await readCheckpoint(last)).stored.progress).to.include({ weights: 'raw' });
    expect(Object.keys(stored.tensors).filter((name) => !/^(params|state)\//.test(name))).to.deep.equal([]);
    const { params, state, epoch, step } = await loadModel(ema);
    expect([epoch, step]).to.deep.equal([1, 8]);
    const { average } = restoreCheckpoint((await readCheckpoint(last)).stored);
    for (const [name, tensor] of Object.entries(trainables(params))) {
      expect([...tensor.dataSync()], name).to.deep.equal([...(average?.params[name].dataSync() ?? [])]);
    }
    const task = await openTask(tinyConfig({ trainLimit: 128 }));
    const measured = await measureAccuracy(task, { params, statistics: state, epoch, step }, task.indices.validation);
    const [header, row] = await untimedMetrics(out);
    const column = (name: string) => Number(row[header.indexOf(name)]);
    expect(column('ema_validation_clean_accuracy')).to.equal(measured.cleanAccuracy);
    expect(column('ema_validation_robust_accuracy')).to.equal(measured.robustAccuracy);
    disposeParams(params);
    disposeTensors(state);
  });

  it('are where training may start from, and none that a run resumes from', async () => {
    const { out } = await run({ ema: 0.9, method: 'dense', sparsity: 0, epochs: 1 });
    const { ema, last } = runFolder(out);
    const from = { method: 'one-shot', from: await sha256OfFile(ema), sparsity: 0.5, epochs: 1, ema: 0.5 } as const;
    const pruned = folder();
    const { status } = await train(tinyConfig(from), { out: pruned, from: ema });
    expect(status).to.equal('done');
    expect(existsSync(runFolder(pruned).ema)).to.equal(true);
    await writeFile(last, await readFile(ema));
    const error = await train(tinyConfig({ ema: 0.9, method: 'dense', sparsity: 0, epochs: 1 }), {
      out,
      resume: true,
    }).catch((thrown: Error) => thrown);
    expect(error).to.be.instanceOf(InputError);
    expect((error as Error).message).to.match(/averaged weights without the state of training.*last\.safetensors/);
  });

  it('leave no tensor behind', async () => {
    const before = tf.memory().numTensors;
    await run({ ema: 0.9, method: 'bsr-net', epochs: 1 });
    expect(tf.memory().numTensors).to.equal(before);
  });

  describe('and the best epoch', () => {
    const at = { objective: 'at' } as const;
    const row = (raw: number | null, averaged: number | null) => ({
      validation_clean_accuracy: averaged,
      ema_validation_clean_accuracy: raw,
      validation_robust_accuracy: raw,
      ema_validation_robust_accuracy: averaged,
    });

    it('has the weights of higher accuracy, the averaged ones if both have the same', () => {
      const measure = 'validation_robust_accuracy';
      expect(candidateOf(at, row(0.4, 0.5), 3)).to.deep.equal({ epoch: 3, measure, score: 0.5, weights: 'averaged' });
      expect(candidateOf(at, row(0.5, 0.5), 3).weights).to.equal('averaged');
      expect(candidateOf(at, row(0.6, 0.5), 3)).to.deep.equal({ epoch: 3, measure, score: 0.6, weights: 'raw' });
      expect(candidateOf(at, row(0.6, null), 3).weights).to.equal('raw');
      expect(candidateOf(at, row(null, null), 3)).to.include({ score: null, weights: 'raw' });
      expect(candidateOf({ objective: 'natural' }, row(0.6, 0.5), 3)).to.include({ score: 0.6, weights: 'averaged' });
    });

    it('is one at least as good as all before it', () => {
      const of = (raw: number | null) => candidateOf(at, row(raw, null), 1);
      expect(isBest(of(0), null)).to.equal(true);
      expect(isBest(of(0.3), of(0.3))).to.equal(true);
      expect(isBest(of(0.2), of(0.3))).to.equal(false);
      expect(isBest(of(null), of(null))).to.equal(true);
    });

    it('is saved with those weights', async () => {
      const { out, best } = await run({ ema: 0.5, trainLimit: 128, epochs: 3, epsilon: 0.05 });
      const [header, ...rows] = await untimedMetrics(out);
      const column = (name: string) => rows.map((cells) => Number(cells[header.indexOf(name)]));
      const [raw, averaged] = [column('validation_robust_accuracy'), column('ema_validation_robust_accuracy')];
      const scores = raw.map((score, i) => Math.max(score, averaged[i]));
      const epoch = scores.lastIndexOf(Math.max(...scores)) + 1;
      const weights = averaged[epoch - 1] >= raw[epoch - 1] ? 'averaged' : 'raw';
      const measure = 'validation_robust_accuracy';
      expect(best).to.deep.equal({ epoch, measure, score: scores[epoch - 1], weights });
      const { stored } = await readCheckpoint(runFolder(out).best);
      expect(stored.progress).to.deep.include({ weights, best });
      expect(stored.epoch).to.equal(epoch);
    });
  });
});
