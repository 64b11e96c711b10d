import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { boardOf, summaryOf } from '../../../src/cli/queue-sweep.ts';
import { contentsOf } from '../../../src/sweeps/queue/content.ts';
import { folderLockTimes } from '../../../src/sweeps/queue/make-run.ts';
import { loadQueuePackages } from '../../../src/sweeps/queue/packages.ts';
import { begun, progressMeter, readProgress } from '../../../src/sweeps/queue/progress.ts';
import { whyUnusable } from '../../../src/sweeps/queue/runs-folder.ts';
import { rejection } from '../../rejection.ts';

describe('the packages of a queue', () => {
  it('are named with the command that installs them where they are missing', async () => {
    const missing = Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
    const { message } = await rejection(loadQueuePackages(() => Promise.reject(missing)));
    expect(message).to.contain('npm install --save-optional --ignore-scripts bullmq@6 ioredis@5');
  });
});

describe('the progress of a job', () => {
  const step = (epoch: number) =>
    ({
      kind: 'train',
      event: { kind: 'step', epoch, step: 1, batch: 1, batches: 2, loss: 1, meanLoss: 1, lr: 0.1 },
    }) as const;
  const epoch = (number: number) => ({ kind: 'train', event: { kind: 'epoch', epoch: number } }) as never;

  it('is told once an epoch, with the time that is left by those made here', () => {
    let now = 0;
    const meter = progressMeter(begun('host:1', 10), () => now);
    expect(meter(step(5))).to.equal(null);
    now = 30_000;
    expect(meter(step(5))).to.equal(null);
    now = 60_000;
    expect(meter(epoch(5))).to.include({ epoch: 5, stage: 'training', secondsLeft: 300 });
    now = 80_000;
    expect(meter(epoch(6))).to.include({ epoch: 6, secondsLeft: 160 });
  });

  it('is told once when the evaluation begins', () => {
    const meter = progressMeter(begun('host:1', 10));
    const event = {
      kind: 'evaluate',
      progress: { done: 1, total: 2, clean: 1, robust: null, checkpoint: 'best' },
    } as const;
    expect(meter(event)).to.include({ stage: 'evaluating', secondsLeft: null });
    expect(meter(event)).to.equal(null);
  });

  it('is nothing where the queue holds something else', () => {
    expect(readProgress(0)).to.equal(null);
    expect(readProgress({ worker: 1 })).to.equal(null);
    expect(readProgress(begun('host:1', 2))).to.deep.equal(begun('host:1', 2));
  });
});

describe('the board of a queue', () => {
  const view = {
    queued: 7,
    finished: 2,
    failed: 1,
    running: [
      { name: 'run-a', progress: { ...begun('host:1', 10), epoch: 3, secondsLeft: 90 }, stalled: false },
      { name: 'run-b', progress: { ...begun('host:2', 10), stage: 'evaluating' as const }, stalled: true },
      { name: 'run-c', progress: null, stalled: false },
    ],
    runningCount: 23,
    stalledCount: 1,
  };

  it('shows queued, running, stalled, finished and failed runs with worker, epoch and time left', () => {
    expect(summaryOf(view)).to.equal('queue: 7 queued, 23 running, 1 stalled, 2 finished, 1 failed');
    expect(boardOf(view, '3/12 runs ended', 200)).to.deep.equal([
      '3/12 runs ended; queue: 7 queued, 23 running, 1 stalled, 2 finished, 1 failed',
      '  run-a on host:1, epoch 3/10, 1 min 30 s left',
      '  run-b on host:2, evaluating, stalled: its worker gives no sign of life',
      '  run-c',
      '  and 20 more',
    ]);
  });

  it('never wraps', () => {
    for (const line of boardOf(view, 'title', 30)) expect(line.length).to.be.below(30);
  });
});

describe('files by their content', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-content-'));
  after(() => rmSync(folder, { recursive: true }));
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

  it('are found anywhere below a folder, also after they changed', async () => {
    const path = join(folder, 'deep', 'weights.safetensors');
    mkdirSync(join(folder, 'deep'));
    writeFileSync(path, 'one');
    writeFileSync(join(folder, 'one.txt'), 'two');
    const find = contentsOf(folder);
    expect(await find(sha256('one'))).to.equal(path);
    expect(await find(sha256('two'))).to.equal(null);
    writeFileSync(path, 'two more');
    expect(await find(sha256('two more'))).to.equal(path);
    expect(await find(sha256('one'))).to.equal(null);
  });

  it('are found behind a link, and what is no file is passed over', async () => {
    writeFileSync(join(folder, 'linked'), 'linked');
    symlinkSync(join(folder, 'linked'), join(folder, 'link.safetensors'));
    symlinkSync(join(folder, 'nowhere'), join(folder, 'a.safetensors'));
    mkdirSync(join(folder, 'b.safetensors'));
    expect(await contentsOf(folder)(sha256('linked'))).to.equal(join(folder, 'link.safetensors'));
  });

  it('are none in a folder that is missing', async () => {
    expect(await contentsOf(join(folder, 'nothing'))(sha256('one'))).to.equal(null);
  });
});

describe('the folder of the runs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'equipoise-runs-'));
  after(() => rmSync(folder, { recursive: true }));

  it('is made where it is missing, and can be used', async () => {
    expect(await whyUnusable(join(folder, 'shared', 'runs'))).to.equal(null);
    expect(await whyUnusable(join(folder, 'shared', 'runs'))).to.equal(null);
  });

  it('cannot be used below a file, which is said', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await whyUnusable(join(folder, 'file', 'runs'))).to.contain('a part of the path is a file');
  });
});

describe('the lock of a run folder under a queue', () => {
  it('outlasts that of the queue, and its owner counts often enough', () => {
    expect(folderLockTimes(60_000)).to.deep.equal({ staleMs: 90_000, heartbeatMs: 2_000 });
    expect(folderLockTimes(3_000)).to.deep.equal({ staleMs: 4_500, heartbeatMs: 100 });
  });
});
