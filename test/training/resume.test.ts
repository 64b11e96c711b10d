import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'chai';
import { readCheckpoint } from '../../src/checkpoints/checkpoint.ts';
import { restoreCheckpoint } from '../../src/checkpoints/safetensors/stored.ts';
import { InputError, UsageError } from '../../src/core/errors.ts';
import { trainables } from '../../src/core/params.ts';
import { registerEngine } from '../../src/engine/index.ts';
import { temporaryOf } from '../../src/files/temporaries.ts';
import type { TrainConfig, TrainOptions } from '../../src/training/config/config.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { useBackend } from '../backend.ts';
import { newFolders } from './folders.ts';
import { outcome, tinyConfig } from './tiny.ts';

const PROCESS = fileURLToPath(new URL('./train-process.js', import.meta.url));

/** A checkpoint after every step. */
const EVERY_STEP = 1e-6;

describe('a run that is stopped and resumed', () => {
  before(() => useBackend('cpu'));
  const folder = newFolders();

  /** Trains until `stop` says so of an event, as Ctrl-C does. */
  async function interrupt(config: TrainConfig, out: string, stop: (event: TrainEvent) => boolean): Promise<void> {
    const controller = new AbortController();
    const { status } = await train(config, {
      out,
      signal: controller.signal,
      resume: existsSync(out),
      onProgress: (event) => {
        if (stop(event)) controller.abort();
      },
    });
    expect(status).to.equal('interrupted');
  }

  const undisturbed = new Map<string, ReturnType<typeof outcome>>();
  /** What the run comes to when nothing stops it. */
  function reference(config: TrainConfig): ReturnType<typeof outcome> {
    const name = JSON.stringify(config);
    const known = undisturbed.get(name) ?? trainAlone(config);
    undisturbed.set(name, known);
    return known;
  }
  async function trainAlone(config: TrainConfig): ReturnType<typeof outcome> {
    const out = folder();
    expect((await train(config, { out })).status).to.equal('done');
    return outcome(out);
  }

  const settings: readonly TrainOptions[] = [
    { sparsity: 0, objective: 'natural' },
    { optimizer: 'sgd', checkpointEvery: EVERY_STEP },
    { optimizer: 'agent' },
    { optimizer: 'agent', agentPrepass: 'matched', agentAttackSteps: 1, method: 'set' },
    { optimizer: 'svrg', method: 'static', objective: 'trades' },
    { optimizer: 'agent', method: 'bsr-net', distribution: 'bsr-net', agentPrepass: 'published-bsr' },
    { optimizer: 'agent', agentPrepass: 'matched', awpGamma: 0.01, attackWarmup: 2 },
    { optimizer: 'agent', method: 'rigl', maskUpdate: 'instead-of-step', objective: 'mat' },
    { method: 'rigl', ema: 0.9, schedule: 'one-cycle', checkpointEvery: EVERY_STEP },
    { method: 'bsr-net', ema: 0.9, schedule: 'linear', lrPeak: 0.3 },
    { optimizer: 'agent', method: 'gradual', agentPrepass: 'subsampled', agentPrepassShare: 0.5 },
    { optimizer: 'agent', agentPrepass: 'matched', trainingAttack: 'rs-fgsm', guard: true },
    { trainingAttack: 'n-fgsm', objective: 'trades' },
    { norms: { linf: 0.1, l2: 0.5 }, combineNorms: 'random' },
    { norms: { linf: 0.1, l2: 0.5, l1: 2 }, combineNorms: 'msd' },
    {
      norms: { linf: 0.1, l1: 2 },
      combineNorms: 'average',
      optimizer: 'agent',
      agentPrepass: 'matched',
      attackWarmup: 2,
    },
    { norms: { l2: 0.5, l1: 2 }, combineNorms: 'maximum', optimizer: 'agent', agentPrepass: 'memory', epochs: 3 },
    { optimizer: 'agent', agentPrepass: 'matched', stepsSchedule: '0@0,2@0.5' },
    { optimizer: 'agent', agentVariant: 'stable', epochs: 3 },
    { optimizer: 'agent', agentPrepass: 'memory', epochs: 3, agentBounds: [-2, 2] },
    { optimizer: 'agent', agentPrepass: 'memory', epochs: 3, method: 'gradual', agentMemoryPrecision: 'bfloat16' },
    { optimizer: 'svrg', agentPrepass: 'memory', epochs: 3, method: 'bsr-net', agentEmptyChannels: 'uncorrected' },
    { optimizer: 'agent', agentPrepass: 'memory', epochs: 3, method: 'set', agentCoefficient: 'per-parameter' },
  ];
  for (const options of settings) {
    it(`ends with the same bytes under ${JSON.stringify(options)}`, async () => {
      const config = tinyConfig(options);
      const out = folder();
      await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 2);
      await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 7);
      expect((await train(config, { out, resume: true })).status).to.equal('done');
      expect(await outcome(out)).to.deep.equal(await reference(config));
    });
  }

  const moments: readonly (readonly [string, (event: TrainEvent) => boolean])[] = [
    ['in a pre-pass', ({ kind, epoch }) => kind === 'prepass' && epoch === 2],
    ['before the first step', ({ kind }) => kind === 'prepass-start'],
    ['in a validation', ({ kind, step }) => kind === 'validation' && step === 4],
    ['at a mask update', ({ kind }) => kind === 'mask-update'],
  ];
  for (const [moment, stop] of moments) {
    it(`ends with the same bytes when interrupted ${moment}`, async () => {
      const config = tinyConfig({ optimizer: 'agent', agentPrepass: 'matched' });
      const out = folder();
      await interrupt(config, out, stop);
      await train(config, { out, resume: true });
      expect(await outcome(out)).to.deep.equal(await reference(config));
    });
  }

  /** Ends a process with SIGKILL as soon as `seen`, asked all the time, says so. */
  async function killWhen(child: ChildProcess, seen: () => boolean): Promise<void> {
    const ended = once(child, 'exit');
    while (child.exitCode === null && !seen()) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(child.exitCode, 'the process ended before it was to be killed').to.equal(null);
    child.kill('SIGKILL');
    await ended;
  }
  const hasEvent = (out: string, ...parts: readonly string[]): boolean => {
    const { events } = runFolder(out);
    return (
      existsSync(events) &&
      readFileSync(events, 'utf8')
        .split('\n')
        .some((line) => parts.every((part) => line.includes(part)))
    );
  };
  const kills: readonly (readonly [string, (out: string) => boolean, boolean])[] = [
    ['before its first checkpoint', (out) => hasEvent(out, '"prepass-start"'), false],
    ["during AGENT's pre-pass", (out) => hasEvent(out, '"prepass-start"', '"epoch":2'), true],
    ['at a mask update', (out) => hasEvent(out, '"mask-update"', '"step":6'), true],
    [
      'during the write of a checkpoint',
      (out) =>
        hasEvent(out, '"step":5') &&
        readdirSync(join(out, 'checkpoints')).some((name) => /^last\.safetensors\.[^.]+\.temporary$/.test(name)),
      true,
    ],
  ];
  /** Moments of a run that remembers gradients: the files of two epochs change places between them. */
  const memoryKills: typeof kills = [
    ['at the end of an epoch', (out) => hasEvent(out, '"kind":"epoch"', '"epoch":2'), true],
    ["when the next epoch's file is there", (out) => existsSync(join(runFolder(out).memory, 'epoch-3.bin')), true],
  ];
  function killedRunsEndTheSame(options: TrainOptions, moments = kills): void {
    const config = tinyConfig({
      optimizer: 'agent',
      agentPrepass: 'matched',
      checkpointEvery: EVERY_STEP,
      ...options,
    });
    for (const [moment, seen, checkpointed] of moments) {
      it(`ends with the same bytes when killed with -9 ${moment}`, async () => {
        const out = folder();
        const child = spawn(process.execPath, [PROCESS, out, JSON.stringify(config)], { stdio: 'ignore' });
        await killWhen(child, () => seen(out));
        expect(existsSync(runFolder(out).last)).to.equal(checkpointed);
        await train(config, { out, resume: true });
        expect(await outcome(out)).to.deep.equal(await reference(config));
      });
    }
  }
  killedRunsEndTheSame({ backend: 'cpu', agentPrepass: 'memory', epochs: 4 }, memoryKills);

  describe('on the engine', () => {
    before(async () => {
      await registerEngine({ threads: 2 });
      await tf.setBackend('equipoise');
    });
    after(() => useBackend('cpu'));

    for (const options of [
      { optimizer: 'agent', model: 'cnn', width: 0.125 },
      { optimizer: 'agent', agentPrepass: 'matched' },
      { optimizer: 'agent', agentPrepass: 'memory', epochs: 3 },
    ] as const) {
      it(`ends with the same bytes under ${JSON.stringify(options)}`, async () => {
        const config = tinyConfig({ ...options, backend: 'engine' });
        const out = folder();
        await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 6);
        await train(config, { out, resume: true });
        expect(await outcome(out)).to.deep.equal(await reference(config));
      });
    }

    killedRunsEndTheSame({ backend: 'engine', model: 'cnn', width: 0.125 });

    it('says that it begins anew where its checkpoints are lost, and not where it had none yet', async () => {
      const config = tinyConfig({ epochs: 2 });
      const warningsAfter = async (lines: number) => {
        const out = folder();
        await cp(whole, out, { recursive: true });
        await rm(join(out, 'checkpoints'), { recursive: true });
        const { metrics } = runFolder(out);
        await writeFile(metrics, (await readFile(metrics, 'utf8')).split('\n').slice(0, lines).join('\n').concat('\n'));
        const warnings: string[] = [];
        await train(config, {
          out,
          resume: true,
          onProgress: (event) => {
            if (event.kind === 'warning') warnings.push(event.message);
          },
        });
        return warnings.filter((message) =>
          /last\.safetensors is missing, though metrics\.csv had 2 epochs/.test(message),
        );
      };
      const whole = folder();
      await train(config, { out: whole });
      expect(await warningsAfter(3)).to.have.length(1);
      expect(await warningsAfter(2)).to.deep.equal([]);
    });

    it('warns when it goes on with other arithmetic, and names both', async () => {
      const config = tinyConfig({ backend: 'engine' });
      const out = folder();
      await registerEngine({ threads: 2, build: 'simd' });
      await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 5);
      await registerEngine({ threads: 2 });
      await useBackend('cpu');
      const warnings: string[] = [];
      await train(config, {
        out,
        resume: true,
        onProgress: (event) => event.kind === 'warning' && warnings.push(event.message),
      });
      await tf.setBackend('equipoise');
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(/started on the backend equipoise simd and continues on cpu/);
    });
  });

  it('passes over what an unfinished write left beside a checkpoint', async () => {
    const config = tinyConfig({ checkpointEvery: EVERY_STEP });
    const out = folder();
    await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 5);
    const { last } = runFolder(out);
    await writeFile(temporaryOf(last), (await readFile(last)).subarray(0, 1000));
    await train(config, { out, resume: true });
    expect(await outcome(out)).to.deep.equal(await reference(config));
  });

  for (const options of [{}, { optimizer: 'agent', agentPrepass: 'memory', epochs: 3 }] as const) {
    it(`goes on from the checkpoint before a damaged one, with a warning, and ends the same: ${JSON.stringify(options)}`, async () => {
      const config = tinyConfig({ checkpointEvery: EVERY_STEP, ...options });
      const out = folder();
      await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 6);
      const { last } = runFolder(out);
      const bytes = await readFile(last);
      bytes[bytes.length - 10] ^= 4;
      await writeFile(last, bytes);
      const warnings: string[] = [];
      await train(config, {
        out,
        resume: true,
        onProgress: (event) => event.kind === 'warning' && warnings.push(event.message),
      });
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(/is damaged.*is used instead/);
      expect(await outcome(out)).to.deep.equal(await reference(config));
    });
  }

  describe('and its folder', () => {
    let out = '';
    const config = tinyConfig();
    before(async () => {
      out = folder();
      await interrupt(config, out, ({ kind, step }) => kind === 'step' && step === 5);
    });
    const failure = async (work: Promise<unknown>): Promise<Error> => {
      const result = await work.catch((error: Error) => error);
      expect(result).to.be.instanceOf(InputError);
      return result as Error;
    };

    it('is not overwritten by a new run', async () => {
      const error = await failure(train(config, { out }));
      expect(error).to.be.instanceOf(UsageError);
      expect(error.message).to.match(/holds a run already.*--resume/);
    });

    it('takes settings that change nothing of the training, keeps those last given, and ends with the same weights', async () => {
      const other = folder();
      await cp(out, other, { recursive: true });
      const changed = tinyConfig({ checkpointEvery: 0, testLimit: 10 });
      expect((await train(changed, { out: other, resume: true })).status).to.equal('done');
      expect(JSON.parse(await readFile(runFolder(other).config, 'utf8'))).to.deep.equal(changed);
      const weights = async (file: string) => {
        const { params } = restoreCheckpoint((await readCheckpoint(file)).stored);
        return Object.values(trainables(params)).map((tensor) => [...tensor.dataSync()]);
      };
      const undisturbedRun = folder();
      await train(config, { out: undisturbedRun });
      expect(await weights(runFolder(other).last)).to.deep.equal(await weights(runFolder(undisturbedRun).last));
    });

    it('takes no other configuration, and the message names what differs', async () => {
      const error = await failure(train(tinyConfig({ lr: 0.3 }), { out, resume: true }));
      expect(error.message).to.match(/lr was 0\.05, now 0\.3/);
    });

    it('is refused by name where another version of Equipoise wrote it', async () => {
      const older = folder();
      await cp(out, older, { recursive: true });
      const file = runFolder(older).config;
      await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), version: 1 }));
      const error = await failure(train(config, { out: older, resume: true }));
      expect(error.message)
        .to.contain(file)
        .and.to.match(/configurations of version 2, got 1\. Use the version/);
    });

    it('with no whole checkpoint is an error that says so', async () => {
      const broken = folder();
      await cp(out, broken, { recursive: true });
      const { last } = runFolder(broken);
      await writeFile(last, 'nothing');
      await rm(`${last}.previous`, { force: true });
      expect((await failure(train(config, { out: broken, resume: true }))).message).to.match(
        /truncated|not a safetensors/,
      );
    });
  });
});
