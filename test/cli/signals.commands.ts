import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { equipoise, MAIN } from './equipoise.ts';
import { temporaryFolder } from './folder.ts';

const LISTENER = fileURLToPath(new URL('./signals-process.js', import.meta.url));
const net = ['--dataset', 'synthetic', '--model', 'mlp', '--width', '0.1', '--train-limit', '64', '--backend', 'cpu'];

describe('a process that is asked to end', () => {
  const folder = temporaryFolder();
  after(() => rmSync(folder, { recursive: true }));

  /** Starts a program as the leader of a process group of its own, as a shell does. */
  function start(file: string, args: readonly string[]): ChildProcess & { said: string } {
    const child = spawn(process.execPath, [file, ...args], {
      cwd: folder,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const result = Object.assign(child, { said: '' });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      result.said += text;
    });
    return result;
  }
  async function until(seen: () => boolean, child: ChildProcess): Promise<void> {
    while (!seen()) {
      expect(child.exitCode ?? child.signalCode, 'the process ended too early').to.equal(null);
      await delay(5);
    }
  }
  async function groupEnds({ pid }: ChildProcess): Promise<void> {
    const alive = () => {
      try {
        return process.kill(-(pid as number), 0);
      } catch {
        return false;
      }
    };
    while (alive()) await delay(10);
  }

  for (const [first, second, code, signal] of [
    ['SIGINT', 'SIGINT', null, 'SIGINT'],
    ['SIGTERM', 'SIGTERM', 75, null],
    ['SIGHUP', 'SIGTERM', 75, null],
    ['SIGTERM', 'SIGINT', null, 'SIGINT'],
  ] as const) {
    it(`by ${first} goes on to a safe point, and ends at once by ${second} after that`, async () => {
      const child = start(LISTENER, []);
      const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
      expect((await lines.next()).value).to.equal('ready');
      child.kill(first);
      expect((await lines.next()).value).to.equal('stopping');
      expect((await lines.next()).value).to.equal(first);
      // What comes at the same moment is the same request.
      await delay(150);
      child.kill('SIGHUP');
      child.kill(second);
      expect(await once(child, 'exit')).to.deep.equal([code, signal]);
    });
  }

  it('saves a run on SIGTERM and ends with exit code 75', async () => {
    const out = 'stopped';
    const child = start(MAIN, ['train', ...net, '--epochs', '50', '--out', out]);
    await until(() => child.said.includes('epoch 1/50'), child);
    child.kill('SIGTERM');
    expect(await once(child, 'close'), child.said).to.deep.equal([75, null]);
    expect(child.said).to.match(/Stopping at the next safe point[\s\S]*Saved after \d+ epochs?, at step \d+/);
    const events = readFileSync(join(folder, out, 'events.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(JSON.parse(events.at(-1) ?? '').kind).to.equal('interrupted');
    expect(existsSync(join(folder, out, 'run.lock'))).to.equal(false);
  });

  it('saves a run when its terminal has gone', async () => {
    const child = start(MAIN, ['train', ...net, '--epochs', '50', '--out', 'no-terminal']);
    await until(() => child.said.includes('epoch 1/50'), child);
    child.stderr?.destroy();
    child.stdout?.destroy();
    child.kill('SIGHUP');
    expect(await once(child, 'exit')).to.deep.equal([75, null]);
    const events = readFileSync(join(folder, 'no-terminal', 'events.jsonl'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(JSON.parse(events.at(-1) ?? '').kind).to.equal('interrupted');
  });

  it('keeps what a download has brought, and says how to go on', async () => {
    const server = createServer((_, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write(new Uint8Array(100));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const parts = (): string[] =>
      existsSync(join(folder, 'fetched'))
        ? readdirSync(join(folder, 'fetched'), { recursive: true, encoding: 'utf8' }).filter((file) =>
            file.endsWith('.part'),
          )
        : [];
    try {
      const child = start(MAIN, ['data', 'fetch', 'cifar10', '--data', 'fetched', '--mirror', mirror]);
      await until(() => parts().some((file) => statSync(join(folder, 'fetched', file)).size === 100), child);
      child.kill('SIGTERM');
      expect(await once(child, 'close'), child.said).to.deep.equal([75, null]);
      expect(child.said).to.contain('the same command goes on from there');
      expect(parts()).to.have.length(1);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  describe('with runs of a sweep in processes of their own', () => {
    const sweep = (out: string) => [
      ...['sweep', ...net, '--test-limit', '20', '--steps', '1', '--attacks', 'fgsm', '--jobs', '2', '--out', out],
      ...['--sparsity', '0,0.5', '--epochs', '12'],
    ];
    const runsOf = (out: string): string[] =>
      existsSync(join(folder, out))
        ? readdirSync(join(folder, out)).filter((name) => existsSync(join(folder, out, name, 'events.jsonl')))
        : [];
    const eventsOf = (out: string, run: string): string => readFileSync(join(folder, out, run, 'events.jsonl'), 'utf8');
    const bothTrain = (out: string) => () =>
      runsOf(out).length === 2 && runsOf(out).every((run) => eventsOf(out, run).includes('"kind":"epoch"'));
    const weights = (out: string) =>
      runsOf(out).map((run) => readFileSync(join(folder, out, run, 'checkpoints/last.safetensors'), 'base64'));

    let whole: string[] = [];
    before(() => {
      const { code, stderr } = equipoise([...sweep('whole'), '--no-evaluate', '--quiet'], folder);
      expect(code, stderr).to.equal(0);
      whole = weights('whole');
    });

    it('saves both runs on SIGTERM to all processes, and counts neither as failed', async () => {
      const child = start(MAIN, sweep('stopped-sweep'));
      await until(bothTrain('stopped-sweep'), child);
      process.kill(-(child.pid as number), 'SIGTERM');
      expect(await once(child, 'close'), child.said).to.deep.equal([75, null]);
      expect(child.said)
        .to.contain('2 runs are left; the same command continues.')
        .and.not.to.match(/failed|ended early/);
      for (const run of runsOf('stopped-sweep'))
        expect(eventsOf('stopped-sweep', run)).to.contain('"kind":"interrupted"');
      const { code, stderr } = equipoise([...sweep('stopped-sweep'), '--no-evaluate', '--quiet'], folder);
      expect(code, stderr).to.equal(0);
      expect(weights('stopped-sweep')).to.deep.equal(whole);
    });

    it('saves both runs when the process that made them is killed', async () => {
      const child = start(MAIN, sweep('orphans'));
      await until(bothTrain('orphans'), child);
      child.kill('SIGKILL');
      await once(child, 'exit');
      await groupEnds(child);
      for (const run of runsOf('orphans')) {
        expect(eventsOf('orphans', run)).to.contain('"kind":"interrupted"');
        expect(existsSync(join(folder, 'orphans', run, 'run.lock'))).to.equal(false);
      }
      cpSync(join(folder, 'orphans'), join(folder, 'again'), { recursive: true });
      const { code, stderr } = equipoise([...sweep('again'), '--no-evaluate', '--quiet'], folder);
      expect(code, stderr).to.equal(0);
      expect(weights('again')).to.deep.equal(whole);
    });
  });
});
