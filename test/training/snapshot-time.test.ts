import '@tensorflow/tfjs-backend-cpu';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { isSparse, mapTree, type SparseParam, trainables, withTrainables } from '../../src/core/params.ts';
import { correctionFor, disposeCorrection } from '../../src/training/agent/correction.ts';
import { snapshotPosition } from '../../src/training/agent/snapshot-time.ts';
import { batchesOfEpoch, disposeBatch, drawBatch, withAdversarial } from '../../src/training/batches/batches.ts';
import { describe as describeConfig, parseConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { trainEpoch } from '../../src/training/epoch.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { disposeTrainState, startState, type TrainState } from '../../src/training/state.ts';
import { openTask, type Task } from '../../src/training/task.ts';
import { tinyConfig } from './tiny.ts';

describe('the settings that keep AGENT from failing', () => {
  let base = '';
  before(async () => {
    await tf.setBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-'));
  });
  after(() => rm(base, { recursive: true }));

  const trained = async (task: Task, epochs: number, look: (state: TrainState) => void = () => {}) => {
    const state = await startState(task);
    const context = {
      watch: stopwatch(),
      store: { file: join(base, 'gradients') },
      report: async ({ kind }: { kind: string }) => {
        if (kind === 'step') look(state);
      },
      afterStep: async () => {},
    };
    for (let epoch = 0; epoch < epochs; epoch++) await trainEpoch(task, state, context);
    return state;
  };
  const valuesOf = (state: TrainState) => mapTree((tensor) => [...tensor.dataSync()], trainables(state.params));

  it('are those of the variant unless another one is given, and published ones change nothing', () => {
    const agent = (options: TrainOptions) => parseConfig({ optimizer: 'agent', sparsity: 0.9, ...options });
    const keys = [
      'agentBounds',
      'agentFirstEpoch',
      'agentSnapshotDelay',
      'agentEmptyChannels',
      'agentPrepass',
    ] as const;
    const of = (options: TrainOptions) => keys.map((key) => agent(options)[key]);
    expect(of({})).to.deep.equal([undefined, 1, 0, 'corrected', 'published']);
    expect(of({ agentVariant: 'stable' })).to.deep.equal([[0, 1], 2, 5, 'uncorrected', 'matched']);
    expect(of({ agentVariant: 'stable', agentFirstEpoch: 1, agentPrepass: 'published' })).to.deep.equal([
      ...[[0, 1], 1, 5, 'uncorrected', 'published'],
    ]);
    expect(agent({ agentVariant: 'stable', updateInterval: 3 }).agentSnapshotDelay).to.equal(2);
    const resolved = agent({ agentVariant: 'stable', agentBounds: [-2, 2] });
    expect(parseConfig(resolved)).to.deep.equal(resolved);
    expect(describeConfig(resolved)).to.include(', agent (stable, matched), ');
    expect(describeConfig(agent({}))).to.include(', agent (published), ');
  });

  const refused: readonly (readonly [TrainOptions, RegExp])[] = [
    [{ agentBounds: [1, 0] }, /agentBounds must be two numbers, the lower one first, such as 0,1, got 1,0/],
    [{ agentBounds: [1] }, /two numbers/],
    [
      { agentPrepass: 'published-bsr', agentBounds: [0, 1] },
      /applies only to the optimizer agent with a pre-pass that estimates c/,
    ],
    [{ agentSnapshotDelay: 100 }, /agentSnapshotDelay must be below updateInterval.*got 100 and 100/],
    [{ agentPrepass: 'memory', agentSnapshotDelay: 1 }, /applies only to corrections by a snapshot/],
    [{ agentPrepass: 'memory', fixedBatches: false }, /batches must keep their images, got fixedBatches false/],
    [{ agentCoefficient: 'gradients' }, /applies only to the optimizer agent with the pre-pass memory/],
    [{ agentPrepass: 'matched', agentMemoryPrecision: 'bfloat16' }, /applies only to the pre-pass memory/],
    [{ method: 'bsr-net', agentSnapshotDelay: 1 }, /methods that change their masks from time to time/],
    [{ optimizer: 'sgd', agentVariant: 'stable' }, /applies only to the optimizers agent, svrg and alpha-svrg/],
  ];
  for (const [options, message] of refused) {
    it(`refuse ${JSON.stringify(options)}`, () => {
      expect(() => parseConfig({ optimizer: 'agent', sparsity: 0.9, ...options })).to.throw(message);
    });
  }

  it('keep c within bounds, whatever the estimate', async () => {
    const task = await openTask(tinyConfig({ optimizer: 'agent', agentBounds: [0.2, 0.3], agentAlpha: 1 }));
    const state = await trained(task, 2);
    expect(state.c).to.be.within(0.2, 0.3);
    expect(state.cHat).not.to.be.within(0.2, 0.3);
    disposeTrainState(state);
  });

  it('leave the epochs before the first corrected one to SGD, bit for bit and at its cost', async () => {
    for (const agentPrepass of ['published', 'matched'] as const) {
      const options = { optimizer: 'agent', agentPrepass, epochs: 3, agentFirstEpoch: 3 } as const;
      const late = await trained(await openTask(tinyConfig(options)), 2);
      const plain = await trained(await openTask(tinyConfig({ epochs: 3 })), 2);
      expect(valuesOf(late)).to.deep.equal(valuesOf(plain));
      expect(late.costs).to.deep.equal(plain.costs);
      expect(late.c).to.equal(0.1);
      disposeTrainState(late);
      const [third, other] = [await openTask(tinyConfig(options)), await openTask(tinyConfig({ epochs: 3 }))];
      const [after, still] = [await trained(third, 3), await trained(other, 3)];
      expect(valuesOf(after)).not.to.deep.equal(valuesOf(still));
      expect(after.cHat).not.to.equal(null);
      for (const state of [plain, after, still]) disposeTrainState(state);
    }
  });

  it('take a snapshot at the first step of an epoch that is far enough behind a mask update', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 0, max: 14 }),
        fc.integer({ min: 0, max: 9 }),
        (batchesPerEpoch, interval, snapshotDelay, epoch) => {
          const updatesAt = ({ step }: { step: number }) => step % interval === 0 && step > 0;
          const task = {
            ...{ batchesPerEpoch, totalSteps: 10 * batchesPerEpoch },
            ...{ sparsifier: { updatesAt }, agent: { snapshotDelay } },
          } as unknown as Task;
          const isFarEnough = (step: number) => {
            for (let back = 0; back < snapshotDelay; back++) if (updatesAt({ step: step - back })) return false;
            return true;
          };
          let expected = 0;
          while (expected < batchesPerEpoch && !isFarEnough(epoch * batchesPerEpoch + expected)) expected++;
          expect(snapshotPosition(task, epoch)).to.equal(expected);
        },
      ),
    );
  });

  it('correct no step before a snapshot that waits, and by that one behind it', async () => {
    // Updates after steps 4 and 8, right before the snapshots of epochs 2 and 3.
    const options = { optimizer: 'svrg', agentPrepass: 'matched', epochs: 3, updateInterval: 4 } as const;
    const task = await openTask(tinyConfig({ ...options, agentSnapshotDelay: 2 }));
    expect([0, 1, 2].map((epoch) => snapshotPosition(task, epoch))).to.deep.equal([0, 2, 2]);
    const seen: { batch: number; steps: number; snapshot: unknown }[] = [];
    const state = await trained(task, 2, ({ batch, step, snapshot }) => {
      seen.push({ batch, steps: step, snapshot });
    });
    const [firstSnapshot, , , , third, fourth, fifth, sixth] = seen.map(({ snapshot }) => snapshot);
    expect([third, fourth].every((snapshot) => snapshot === firstSnapshot)).to.equal(true);
    expect(fifth === firstSnapshot).to.equal(false);
    expect(sixth).to.equal(fifth);
    // The pre-pass of the second epoch sees the two batches that are left, so it costs half of that of the first.
    expect(state.costs.weightGradients).to.equal(64 + 64 + 64 + 32);
    disposeTrainState(state);
  });

  it('leave weights of channels that were all zero at the snapshot uncorrected, and those alone', async () => {
    for (const agentEmptyChannels of ['corrected', 'uncorrected'] as const) {
      const task = await openTask(
        tinyConfig({ optimizer: 'agent', agentPrepass: 'published', method: 'static', agentEmptyChannels, epochs: 1 }),
      );
      const state = await trained(task, 1);
      const kernel = state.params['fc1.kernel'] as SparseParam;
      expect(isSparse(kernel)).to.equal(true);
      const channels = kernel.structure.shape[1];
      const inChannel = [...kernel.structure.positions].map((position) => position % channels === 1);
      const emptied = {
        ...trainables(state.params),
        'fc1.kernel': tf.tensor1d([...kernel.values.dataSync()].map((value, i) => (inChannel[i] ? 0 : value))),
      };
      const snapshot = { params: withTrainables(state.params, emptied), state: state.statistics };
      const [indices] = batchesOfEpoch(task, 0);
      const weights = { params: state.params, state: state.statistics };
      const { batch } = await withAdversarial(task, null, weights, 0, drawBatch(task, 0, indices));
      const { correction } = await correctionFor(task, { ...state, epoch: 0, snapshot }, null, 0, batch);
      if (correction === null) throw new Error('AGENT corrects.');
      const map = correction.maps?.['fc1.kernel'];
      if (agentEmptyChannels === 'corrected') expect(map).to.equal(undefined);
      else expect([...(map ?? [])]).to.deep.equal(inChannel.map((empty, i) => (empty ? -1 : i)));
      expect(inChannel.filter((empty) => empty).length).to.be.above(2);
      disposeCorrection(correction);
      disposeBatch(batch);
      disposeTrainState(state);
    }
  });
});
