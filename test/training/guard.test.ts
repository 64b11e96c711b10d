import { cpSync, existsSync, rmSync } from 'node:fs';
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import fc from 'fast-check';
import { readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { previousOf } from '../../src/checkpoints/files/atomic-file.ts';
import { encodeCheckpoint } from '../../src/checkpoints/safetensors/encode.ts';
import { registerEngine } from '../../src/engine/index.ts';
import { makeFolder } from '../../src/files/folders.ts';
import type { MethodName } from '../../src/sparsity/methods.ts';
import { gradientMemory } from '../../src/training/agent/memory.ts';
import { parseConfig, type TrainConfig, type TrainOptions } from '../../src/training/config/config.ts';
import { trainEpoch } from '../../src/training/epoch.ts';
import { goBack, keepSafe } from '../../src/training/guard/go-back.ts';
import { afterCheck, afterEpoch, checksWithin, goesBack, UNCHECKED } from '../../src/training/guard/rule.ts';
import { cutBack, runFolder } from '../../src/training/run/run-folder.ts';
import { stopwatch } from '../../src/training/run/stopwatch.ts';
import { disposeTrainState, startState, type TrainState, toCheckpoint } from '../../src/training/state.ts';
import { openTask, type Task } from '../../src/training/task.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { newFolders } from './folders.ts';
import { outcome, tinyConfig, untimedMetrics } from './tiny.ts';

describe('the rule of the guard', () => {
  const checked = (accuracies: readonly number[], constant = 0.1) =>
    accuracies.reduce((guard, accuracy) => afterCheck(guard, accuracy, constant), UNCHECKED);

  it('calls two checks in a row below half of the best a collapse, and one none', () => {
    expect(goesBack(checked([0.4, 0.19]))).to.equal(false);
    expect(goesBack(checked([0.4, 0.19, 0.2]))).to.equal(false);
    expect(goesBack(checked([0.4, 0.19, 0.2, 0.19]))).to.equal(false);
    expect(goesBack(checked([0.4, 0.19, 0.19]))).to.equal(true);
    expect(goesBack(checked([0.1, 0.4, 0.3, 0, 0]))).to.equal(true);
  });

  it('calls nothing a collapse that was no better than one class for all images', () => {
    expect(goesBack(checked([0.1, 0, 0]))).to.equal(false);
    expect(goesBack(checked([0.11, 0, 0]))).to.equal(true);
  });

  it('goes back to the newest epoch end that was not low', () => {
    let guard = afterEpoch(checked([0.3, 0.4]), 1);
    expect(guard).to.include({ safe: 1, lowest: null });
    guard = afterEpoch(afterCheck(guard, 0.1, 0.05), 2);
    expect(guard).to.include({ safe: 1, low: 1 });
    expect(afterEpoch(afterCheck(guard, 0.3, 0.05), 3)).to.include({ safe: 3, low: 0 });
  });

  it('goes back three times at most', () => {
    const collapsed = checked([0.4, 0, 0]);
    expect([0, 1, 2, 3].map((collapses) => goesBack({ ...collapsed, collapses }))).to.deep.equal([
      true,
      true,
      true,
      false,
    ]);
  });

  it('checks at most three times within an epoch, never before its first batch', () =>
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2000 }), (batches) => {
        const checks = [...checksWithin(batches)];
        expect(checks).to.have.length(Math.min(3, batches - 1));
        for (const batch of checks) expect(batch).to.be.within(1, batches - 1);
      }),
    ));
});

describe('a run with a guard', () => {
  before(() => useBackend('cpu'));
  const folder = newFolders();

  /** Steps so large that accuracy comes and goes, on perturbations that hardly matter. */
  const UNSTEADY = { guard: true, steps: 1, lr: 0.5, epsilon: 0.02, schedule: 'constant', weightDecay: 0 } as const;
  /** The end of epoch 3 is low, and so is the first check of epoch 4: the run goes back to the end of epoch 2. */
  const collapsing = tinyConfig({ ...UNSTEADY, epochs: 4, seed: 2 });
  /** Collapses in epoch 4 until the guard goes back no more. */
  const hopeless = tinyConfig({ ...UNSTEADY, epochs: 4, seed: 5 });

  async function run(config: TrainConfig, onProgress: (event: TrainEvent, out: string) => void = () => {}) {
    const out = folder();
    const events: TrainEvent[] = [];
    const summary = await train(config, {
      out,
      onProgress: (event) => {
        events.push(event);
        onProgress(event, out);
      },
    });
    return { out, events, summary };
  }
  const ofKind = <Kind extends TrainEvent['kind']>(events: readonly TrainEvent[], kind: Kind) =>
    events.filter((event): event is TrainEvent & { kind: Kind } => event.kind === kind);
  const columnOf = async (out: string, name: string) => {
    const [header, ...rows] = await untimedMetrics(out);
    return rows.map((row) => row[header.indexOf(name)]);
  };

  it('goes back three times and then says that it does so no more', async () => {
    const { out, events } = await run(hopeless);
    expect(ofKind(events, 'collapse').map(({ returnsTo, attack }) => [returnsTo, attack.steps])).to.deep.equal([
      [3, 2],
      [3, 3],
      [3, 4],
    ]);
    const [warning] = ofKind(events, 'warning').slice(-1);
    expect(warning.message).to.match(/collapsed .*has returned 3 times already and continues as it is.*--steps/);
    expect(await columnOf(out, 'attack_steps')).to.deep.equal(['1', '1', '1', '4']);
  });

  it('takes a low epoch for the best rather than one whose network is denser than the one asked for', async () => {
    const pruned = { method: 'gradual', updateInterval: 1, updateEnd: 0.95 } as const;
    const { events, summary } = await run(tinyConfig({ ...UNSTEADY, ...pruned, epochs: 3, seed: 27 }));
    expect(ofKind(events, 'guard').at(-1)?.low).to.be.above(0);
    const sparsities = ofKind(events, 'epoch').map(({ metrics }) => metrics.sparsity ?? 0);
    expect(sparsities.at(-2)).to.be.below(0.79);
    expect(sparsities.at(-1)).to.be.closeTo(0.8, 0.001);
    expect(summary.best?.epoch).to.equal(3);
  });

  it('computes what it computes without one, while nothing collapses', async () => {
    const weights = async (guard: boolean) => {
      const { out } = await run(tinyConfig({ guard, optimizer: 'agent', agentPrepass: 'matched' }));
      return (await readCheckpoint(runFolder(out).last)).stored.tensors;
    };
    expect(await weights(true)).to.deep.equal(await weights(false));
  });

  it('checks no epoch that attacks nothing', async () => {
    const { out, events } = await run(tinyConfig({ guard: true, stepsSchedule: '0@0,1@0.5' }));
    expect(new Set(ofKind(events, 'guard').map(({ epoch }) => epoch))).to.deep.equal(new Set([2]));
    expect(await columnOf(out, 'attack_steps')).to.deep.equal(['0', '1']);
    expect((await columnOf(out, 'guard_accuracy'))[0]).to.equal('');
  });

  describe('that collapses', () => {
    let collapsed: Awaited<ReturnType<typeof run>>;
    let undisturbed: Awaited<ReturnType<typeof outcome>>;
    const copies: { readonly copy: string; readonly moment: string }[] = [];
    before(async () => {
      const tensors = tf.memory().numTensors;
      collapsed = await run(collapsing, (event, at) => {
        const seen = event.kind === 'collapse' || copies.length > 0;
        const moment = `${event.kind} ${event.epoch} ${event.step}`;
        if (!seen || copies.length === 5 || event.kind === 'validation') return;
        const copy = folder();
        cpSync(at, copy, { recursive: true });
        // The lock of a killed process is free, and the process of this one lives.
        rmSync(runFolder(copy).lock, { recursive: true });
        copies.push({ copy, moment });
      });
      expect(tf.memory().numTensors).to.equal(tensors);
      undisturbed = await outcome(collapsed.out);
    });

    it('goes back to an epoch that was not low, attacks with a step more, and has a row for each epoch', async () => {
      const { out, events, summary } = collapsed;
      const [collapse, ...others] = ofKind(events, 'collapse');
      expect(others).to.deep.equal([]);
      expect(collapse).to.include({ epoch: 4, returnsTo: 2, collapses: 1 });
      expect(collapse.attack).to.deep.equal({ name: 'pgd', steps: 2, epsilon: 0.02, stepSize: 0.025 });
      expect(collapse.message).to.match(
        /collapsed .*catastrophic overfitting.*end of epoch 2 .*pgd of 2 steps, each of size 0\.025/,
      );
      const epochs = ofKind(events, 'epoch').map(({ epoch }) => epoch);
      expect(epochs).to.deep.equal([1, 2, 3, 3, 4]);
      expect(await columnOf(out, 'epoch')).to.deep.equal(['1', '2', '3', '4']);
      expect(await columnOf(out, 'attack_steps')).to.deep.equal(['1', '1', '2', '2']);
      expect(await columnOf(out, 'collapses')).to.deep.equal(['0', '0', '1', '1']);
      const checks = ofKind(events, 'guard').filter(({ epoch }) => epoch === 1);
      expect(checks.map(({ step }) => step)).to.deep.equal([1, 2, 3, 4]);
      const lowest = Math.min(...checks.map(({ accuracy }) => accuracy));
      expect((await columnOf(out, 'guard_accuracy'))[0]).to.equal(String(lowest));
      expect(checks[3].accuracy).to.equal(ofKind(events, 'epoch')[0].metrics.train_robust_accuracy);
      // The learning rate and the number of steps are those of the epoch; what was undone has cost all the same.
      expect(await columnOf(out, 'step')).to.deep.equal(['4', '8', '12', '16']);
      const passes = (await columnOf(out, 'forward_passes')).map(Number);
      const undone = (passes[1] / 8) * 5;
      expect(passes[2] - passes[1]).to.be.closeTo(undone + (passes[1] / 8) * 4 * 1.5, passes[1] / 20);
      expect(summary.last?.epoch).to.equal(4);
      const { guard, best } = runFolder(out);
      expect([existsSync(guard), existsSync(previousOf(guard))]).to.deep.equal([false, false]);
      expect((await readCheckpoint(best)).stored.progress.best).to.deep.include({ epoch: summary.best?.epoch });
    });

    it('ends with the same bytes when killed between any two writes around its return', async () => {
      expect(copies.map(({ moment }) => moment)).to.deep.equal([
        'collapse 4 13',
        'checkpoint 2 8',
        'mask-update 3 9',
        'step 3 9',
        'guard 3 9',
      ]);
      for (const { copy, moment } of copies) {
        await train(collapsing, { out: copy, resume: true });
        expect(await outcome(copy), moment).to.deep.equal(undisturbed);
      }
    });

    it('ends with the same bytes when killed before its rows are cut', async () => {
      const out = folder();
      let [rows, stop] = ['', false];
      const controller = new AbortController();
      await train(collapsing, {
        out,
        signal: controller.signal,
        onProgress: ({ kind }) => {
          if (kind === 'collapse') {
            rows = folder();
            cpSync(runFolder(out).metrics, rows);
            stop = true;
          }
          if (kind === 'step' && stop) controller.abort();
        },
      });
      await copyFile(rows, runFolder(out).metrics);
      expect((await readFile(rows, 'utf8')).trimEnd().split('\n')).to.have.length(4);
      await train(collapsing, { out, resume: true });
      expect(await outcome(out)).to.deep.equal(undisturbed);
    });

    it('ends with the same bytes when it is stopped before the check that finds the collapse', async () => {
      const out = folder();
      const controller = new AbortController();
      const onProgress = ({ kind, step }: TrainEvent) => {
        if (kind === 'step' && step === 13) controller.abort();
      };
      expect((await train(collapsing, { out, signal: controller.signal, onProgress })).status).to.equal('interrupted');
      await train(collapsing, { out, resume: true });
      expect(await outcome(out)).to.deep.equal(undisturbed);
    });
  });

  describe('goes back', () => {
    const rows: readonly (readonly [MethodName, TrainOptions])[] = [
      ['rigl', { agentPrepass: 'matched' }],
      ['set', { agentPrepass: 'published' }],
      ['bsr-net', { distribution: 'bsr-net' }],
      ['gradual', { agentPrepass: 'subsampled', trainingAttack: 'n-fgsm' }],
      ['static', { optimizer: 'svrg', objective: 'trades' }],
    ];
    for (const [method, options] of rows) {
      it(`to the whole state of ${method} with ${JSON.stringify(options)}, bit for bit`, async () => {
        const config = tinyConfig({ method, optimizer: 'agent', epochs: 3, ...options, guard: true });
        const task = await openTask(config);
        const state = await startState(task);
        const there = runFolder(folder());
        const epoch = () =>
          trainEpoch(task, state, {
            watch: stopwatch(),
            store: { file: folder() },
            report: async () => {},
            afterStep: async () => {},
          });
        await makeFolder(dirname(there.guard));
        await epoch();
        await keepSafe(task, there, state, 'cpu', async () => {});
        const before = await content(task, state);
        expect(state.guard?.safe).to.equal(1);
        await epoch();
        const { costs } = state;
        expect(await content(task, state)).not.to.equal(before);
        if (state.guard) state.guard = { ...state.guard, safe: 1 };
        expect(await goBack(task, there, state)).to.deep.equal([]);
        expect(state.costs).to.deep.equal(costs);
        expect(state.guard?.collapses).to.equal(1);
        expect(await content(task, state)).to.equal(before);
        disposeTrainState(state);
      });
    }
    it('to no epoch behind the safe one, as two damaged checkpoints in a row would leave it', async () => {
      const task = await openTask(tinyConfig({ epochs: 3, guard: true }));
      const state = await startState(task);
      const there = runFolder(folder());
      await makeFolder(dirname(there.guard));
      Object.assign(state, { epoch: 2 });
      if (state.guard) state.guard = { ...state.guard, safe: 2 };
      for (let time = 0; time < 2; time++) await keepSafe(task, there, state, 'cpu', async () => {});
      if (state.guard) state.guard = { ...state.guard, safe: 1 };
      const error = await rejection(goBack(task, there, state));
      expect(error.message).to.match(/cannot be used: .*of the end of epoch 2, expected that of epoch 1 .*--steps/);
      disposeTrainState(state);
    });
    it('to the remembered gradients of an epoch long before, as after epochs that are not checked', async () => {
      const task = await openTask(tinyConfig({ optimizer: 'agent', agentPrepass: 'memory', epochs: 6, guard: true }));
      const state = await startState(task);
      const there = runFolder(folder());
      const memory = gradientMemory(task, { folder: there.memory });
      const warnings: string[] = [];
      const epoch = async () => {
        await trainEpoch(task, state, {
          watch: stopwatch(),
          store: { file: folder() },
          memory,
          report: async (event) => void (event.kind === 'warning' && warnings.push(event.message)),
          afterStep: async () => {},
        });
        if (state.guard) state.guard = { ...state.guard, safe: 1 };
      };
      await makeFolder(dirname(there.guard));
      await epoch();
      await keepSafe(task, there, state, 'cpu', async () => {});
      for (let later = 0; later < 3; later++) await epoch();
      expect(await goBack(task, there, state)).to.deep.equal([]);
      expect(state.epoch).to.equal(1);
      await epoch();
      expect(state.memory?.last?.file).to.equal('epoch-1.bin');
      expect(warnings.filter((message) => message.includes('remembered'))).to.deep.equal([]);
      await memory.close();
      disposeTrainState(state);
    });

    /** All of a state but what goes on after a return. */
    const content = async (task: Task, { guard, ...state }: TrainState): Promise<string> => {
      const none = { forwardPasses: 0, inputGradients: 0, weightGradients: 0, flops: 0 };
      const rest = { ...state, costs: none, guard: guard && { ...guard, collapses: 0 } };
      return Buffer.from(await encodeCheckpoint(toCheckpoint(task, rest, 'cpu'))).toString('base64');
    };
  });

  describe('whose snapshot is due where a check is', () => {
    /** The second epoch's snapshot waits for one step, and the first check precedes the second one. */
    const waiting = tinyConfig({
      guard: true,
      optimizer: 'agent',
      agentPrepass: 'matched',
      agentSnapshotDelay: 1,
      updateInterval: 4,
      checkpointEvery: 1e-6,
    });
    const isPrepass = ({ kind, epoch }: TrainEvent) => kind === 'prepass-start' && epoch === 2;

    it('makes a check again that a stop in the pre-pass behind it left without its batch', async () => {
      const out = folder();
      const controller = new AbortController();
      const onProgress = (event: TrainEvent) => void (isPrepass(event) && controller.abort());
      await train(waiting, { out, signal: controller.signal, onProgress });
      const { step, progress } = (await readCheckpoint(runFolder(out).last)).stored;
      expect(step).to.equal(5);
      expect(progress.guard).to.deep.include({ lowest: null, safe: 1 });
    });

    it('keeps one line of each event when killed in the pre-pass behind a checkpoint', async () => {
      let copy = '';
      const { out } = await run(waiting, (event, at) => {
        if (!isPrepass(event)) return;
        copy = folder();
        cpSync(at, copy, { recursive: true });
        rmSync(runFolder(copy).lock, { recursive: true });
      });
      await train(waiting, { out: copy, resume: true });
      expect(await outcome(copy)).to.deep.equal(await outcome(out));
    });
  });

  it('cuts what its check behind a checkpoint found, and keeps what was found before', async () => {
    const there = runFolder(folder());
    await makeFolder(there.path);
    const lines = [1, 2].flatMap((step) =>
      ['step', 'guard', 'warning'].map((kind) => JSON.stringify({ kind, epoch: 1, step })),
    );
    await writeFile(there.events, `${lines.join('\n')}\n`);
    await cutBack(there, { epoch: 0, batch: 2, step: 2, collapses: 0 }, async () => {});
    expect((await readFile(there.events, 'utf8')).trimEnd().split('\n')).to.deep.equal(lines.slice(0, 4));
  });

  it('says what to do if the state to go back to is missing', async () => {
    const error = await run(collapsing, ({ kind, epoch }, out) => {
      if (kind === 'step' && epoch === 4) cpSync(join(out, 'config.json'), runFolder(out).guard);
      if (kind === 'step' && epoch === 4) cpSync(join(out, 'config.json'), previousOf(runFolder(out).guard));
    }).catch((thrown: Error) => thrown);
    expect((error as Error).message).to.match(
      /network collapsed, and the checkpoint to return to cannot be used: .*--steps 7/,
    );
  });

  describe('on digits under a large epsilon', () => {
    before(async () => {
      await registerEngine({ threads: 2, build: 'simd' });
      await tf.setBackend('equipoise');
    });
    after(() => useBackend('cpu'));

    it('saves a network that one-step training makes collapse', async () => {
      const { events, summary } = await run(
        parseConfig({
          dataset: 'mnist10k',
          model: 'cnn',
          width: 0.125,
          seed: 4,
          trainLimit: 512,
          batchSize: 32,
          epochs: 4,
          lr: 0.1,
          schedule: 'constant',
          epsilon: 0.25,
          steps: 1,
          stepSize: 0.25,
        }),
      );
      const [collapse] = ofKind(events, 'collapse');
      expect(collapse.accuracy).to.be.below(collapse.best / 2);
      expect(collapse).to.include({ returnsTo: 2 });
      expect(summary.last?.train_robust_accuracy).to.be.above(collapse.best);
      expect(summary.last).to.include({ attack_steps: 2, collapses: 1 });
    });
  });
});
