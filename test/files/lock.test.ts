import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { acquireLock, lockHolder, withLock } from '../../src/files/lock.ts';
import { formatRecord } from '../../src/files/lock-record.ts';
import { rejection } from '../rejection.ts';

const PROCESS = fileURLToPath(new URL('./lock-process.js', import.meta.url));

/** Short, for owners that stand still. */
const QUICK = { heartbeatMs: 20, staleMs: 300 };
/** Times for owners that must not count as stale on a busy machine. */
const PATIENT = { heartbeatMs: 20, staleMs: 60_000 };

describe('a lock on a folder', () => {
  let base = '';
  let count = 0;
  before(() => {
    base = mkdtempSync(join(tmpdir(), 'equipoise-lock-'));
  });
  after(() => rmSync(base, { recursive: true }));
  const fresh = (): string => join(base, `run-${count++}`, 'run.lock');

  const children: ChildProcess[] = [];
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  /** A process that asks for the lock, and the lines that it says. */
  function start(
    path: string,
    times: object,
  ): { child: ChildProcess; say(line: string): void; line(): Promise<string> } {
    const child = spawn(process.execPath, [PROCESS, path, JSON.stringify(times)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
      child,
      say: (line) => child.stdin.write(`${line}\n`),
      line: async () => (await lines.next()).value ?? '',
    };
  }

  it('is held once, refused by name, and free when it is given back', async () => {
    const path = fresh();
    const first = await acquireLock(path, QUICK);
    await first.guard();
    const error = await rejection(acquireLock(path, PATIENT));
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.equal(
      `${join(path, '..')} is in use by process ${process.pid} on ${hostname()}. Wait until that ends, or end it.`,
    );
    await first.release();
    // It was made for the lock.
    expect(existsSync(join(path, '..'))).to.equal(false);
    expect(await withLock(path, PATIENT, async () => 'free')).to.equal('free');
  });

  it('is waited for where that is wanted, until it is given back', async () => {
    const path = fresh();
    const order: string[] = [];
    const work = (name: string) =>
      withLock(path, { ...PATIENT, waits: true }, async () => {
        order.push(`${name} begins`);
        await delay(100);
        order.push(`${name} ends`);
      });
    await Promise.all([work('a'), work('b'), work('c')]);
    for (const i of [0, 2, 4]) expect(order[i + 1]).to.equal(order[i].replace('begins', 'ends'));
  });

  it('is had by one of many that ask at the same moment, and by one after the other', async () => {
    const path = fresh();
    let inside = 0;
    let most = 0;
    const times = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        withLock(path, PATIENT, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise((resolve) => setTimeout(resolve, 100));
          inside -= 1;
        }),
      ),
    );
    expect(most).to.equal(1);
    expect(times.filter(({ status }) => status === 'fulfilled').length).to.be.at.least(1);
    for (const result of times) {
      if (result.status === 'rejected') expect(result.reason.message).to.match(/is in use by process/);
    }
  });

  it('of a process that was killed is taken over at once, by one of many', async () => {
    const path = fresh();
    const owner = start(path, PATIENT);
    expect(await owner.line()).to.equal('held');
    owner.child.kill('SIGKILL');
    await once(owner.child, 'exit');
    const taken = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(path, PATIENT)));
    const locks = taken.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(locks.length).to.equal(1);
    await locks[0].guard();
    expect(readdirSync(path).length).to.equal(1);
    await locks[0].release();
  });

  it('of an owner that stands still is taken over after a while, and that owner then finds out', async () => {
    const path = fresh();
    const owner = start(path, QUICK);
    expect(await owner.line()).to.equal('held');
    owner.say('guard');
    expect(await owner.line()).to.equal('may write');
    owner.child.kill('SIGSTOP');
    const waits: string[] = [];
    const lock = await acquireLock(path, { ...QUICK, onWait: (message) => waits.push(message) });
    expect(waits.length).to.equal(1);
    expect(waits[0]).to.match(/is locked by process \d+ on .*, which gives no sign of life; waiting up to 1 s/);
    owner.child.kill('SIGCONT');
    owner.say('guard');
    expect(await owner.line()).to.match(/was taken over by process \d+ on .* stops without writing/);
    owner.say('release');
    await once(owner.child, 'exit');
    await lock.guard();
    await lock.release();
  });

  it('is kept by an owner whose main thread computes for longer than a lock may stand still', async () => {
    const path = fresh();
    const lock = await acquireLock(path, QUICK);
    const rival = start(path, { ...QUICK, staleMs: 2000 });
    const end = performance.now() + 3000;
    while (performance.now() < end);
    expect(await rival.line()).to.match(/is in use by process/);
    await lock.guard();
    await lock.release();
  });

  it('of another machine is not judged by process numbers here', async () => {
    const path = fresh();
    mkdirSync(path, { recursive: true });
    const record = { host: 'elsewhere', boot: 'other', pid: 2 ** 30, token: 'x', beat: 0 };
    writeFileSync(join(path, 'owner-x'), formatRecord(record));
    const started = performance.now();
    const lock = await acquireLock(path, QUICK);
    expect(performance.now() - started).to.be.at.least(QUICK.staleMs);
    await lock.release();
  });

  it('that a killed process left half made or half given back is free', async () => {
    const path = fresh();
    mkdirSync(path, { recursive: true });
    mkdirSync(`${path}.half`);
    const lock = await acquireLock(path, PATIENT);
    expect(readdirSync(join(path, '..'))).to.deep.equal(['run.lock']);
    await lock.release();
  });

  it('whose file is a folder, or no file at all, is an error that names it', async () => {
    const path = fresh();
    mkdirSync(join(path, 'owner-0'), { recursive: true });
    for (const ask of [() => acquireLock(path, PATIENT), () => lockHolder(path)]) {
      const error = await rejection(ask());
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/run\.lock cannot be read: it is a folder, not a file/);
    }
  });

  it('lets nothing be written once its folder is removed or renamed', async () => {
    const [removed, renamed] = [fresh(), fresh()];
    for (const [path, act] of [
      [removed, async (folder: string) => rmSync(folder, { recursive: true })],
      [renamed, (folder: string) => rename(folder, `${folder}-elsewhere`)],
    ] as const) {
      const lock = await acquireLock(path, PATIENT);
      await act(join(path, '..'));
      const error = await rejection(lock.guard());
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/was removed or renamed while this process used it/);
      await lock.release();
      expect(readdirSync(base)).not.to.include(path.split('/').at(-2));
    }
  });
});
