import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { METRIC_COLUMNS, METRICS_HEADER, parseMetrics, rowsUpTo } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { train } from '../../src/training/train.ts';
import type { TrainEvent } from '../../src/training/types.ts';
import { useBackend } from '../backend.ts';
import { rejection } from '../rejection.ts';
import { outcome, tinyConfig } from './tiny.ts';

const PROCESS = fileURLToPath(new URL('./train-process.js', import.meta.url));
const QUICK = { heartbeatMs: 20, staleMs: 300 };
const PATIENT = { heartbeatMs: 20, staleMs: 60_000 };

describe("a run's folder", () => {
  let base = '';
  let expected: Awaited<ReturnType<typeof outcome>>;
  const config = tinyConfig({ optimizer: 'agent', checkpointEvery: 1e-6, epochs: 3, backend: 'cpu' });
  before(async () => {
    await useBackend('cpu');
    base = await mkdtemp(join(tmpdir(), 'equipoise-writers-'));
    await train(config, { out: join(base, 'undisturbed') });
    expected = await outcome(join(base, 'undisturbed'));
  });
  const children: ChildProcess[] = [];
  after(() => rm(base, { recursive: true }));
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
  });
  let count = 0;
  const folder = (): string => join(base, `run-${count++}`);

  /** Trains in another process, which stands still once an event has these words in it. */
  async function startAndStop(out: string, times: object, words: string): Promise<ChildProcess & { said: string }> {
    const child = spawn(process.execPath, [PROCESS, out, JSON.stringify(config), JSON.stringify(times)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const said = Object.assign(child, { said: '' });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said.said += text;
    });
    children.push(child);
    const { events } = runFolder(out);
    while (child.exitCode === null && !(existsSync(events) && readFileSync(events, 'utf8').includes(words))) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    child.kill('SIGSTOP');
    return said;
  }

  it('has one writer: a second one is refused by name and changes nothing', async () => {
    const out = folder();
    const owner = await startAndStop(out, PATIENT, '"step":5');
    // The heartbeats stand still with the rest of it, so this one moves them.
    const watched = rejection(train(config, { out, resume: true, lockTimes: PATIENT }));
    await new Promise((resolve) => setTimeout(resolve, 200));
    owner.kill('SIGCONT');
    const error = await watched;
    expect(error).to.be.instanceOf(InputError);
    expect(error.message).to.match(new RegExp(`run-\\d+ is in use by process ${owner.pid} on `));
    const [code] = await once(owner, 'exit');
    expect(code, owner.said).to.equal(0);
    expect(await outcome(out)).to.deep.equal(expected);
  });

  it('is taken over from a writer that stands still, which then stops without writing, appends included', async () => {
    const out = folder();
    const owner = await startAndStop(out, QUICK, '"step":5');
    const messages: string[] = [];
    const onProgress = (event: TrainEvent) => event.kind === 'wait' && messages.push(event.message);
    await train(config, { out, resume: true, lockTimes: QUICK, onProgress });
    expect(messages.length).to.equal(1);
    const files = runFolder(out);
    const written = [files.events, files.metrics, files.last].map((file) => readFileSync(file, 'base64'));
    owner.kill('SIGCONT');
    const [code] = await once(owner, 'exit');
    expect(code).to.equal(1);
    // The lock was given back meanwhile, so nobody else is there to be named.
    expect(owner.said).to.match(/InputError: .*(taken over|removed or renamed).* stops without writing/);
    expect([files.events, files.metrics, files.last].map((file) => readFileSync(file, 'base64'))).to.deep.equal(
      written,
    );
    expect(await outcome(out)).to.deep.equal(expected);
  });

  it('that is removed or renamed makes the run fail, and does not come back', async () => {
    for (const act of [
      async (out: string) => rmSync(out, { recursive: true }),
      async (out: string) => renameSync(out, `${out}-elsewhere`),
    ]) {
      const out = folder();
      let gone: Promise<unknown> | null = null;
      const work = train(config, {
        out,
        onProgress: ({ kind, step }) => {
          if (kind === 'step' && step === 6) gone ??= act(out);
        },
      });
      const error = await rejection(work);
      await gone;
      expect(error).to.be.instanceOf(InputError);
      expect(error.message).to.match(/run-\d+ was removed or renamed while this process used it/);
      expect(existsSync(out)).to.equal(false);
    }
  });

  it('is cleared of what killed processes left in it', async () => {
    const out = folder();
    await train(tinyConfig({ epochs: 1 }), { out });
    const files = runFolder(out);
    const left = [
      `${files.last}.0123abcd-99-0123abcd.temporary`,
      `${files.events}.0123abcd-99-ffffffff.temporary`,
      files.gradients,
    ];
    for (const file of left) writeFileSync(file, 'half');
    mkdirSync(`${files.lock}.prepared`);
    await train(tinyConfig({ epochs: 1 }), { out, resume: true });
    expect((await readdir(out, { recursive: true })).sort()).to.deep.equal(
      (await readdir(join(base, 'undisturbed'), { recursive: true }))
        .filter((name) => !name.endsWith('.previous'))
        .sort(),
    );
  });

  it('tells the end of a run once, however often it is resumed', async () => {
    const out = folder();
    await cp(join(base, 'undisturbed'), out, { recursive: true });
    for (let i = 0; i < 2; i++) await train(config, { out, resume: true });
    const kinds = readFileSync(runFolder(out).events, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).kind);
    expect(kinds.filter((kind) => kind === 'end')).to.deep.equal(['end']);
    expect(kinds.at(-1)).to.equal('end');
    expect(await outcome(out)).to.deep.equal(expected);
  });

  it('whose metrics were written twice or lost is mended as far as can be, and what is lost is said', async () => {
    const out = folder();
    await cp(join(base, 'undisturbed'), out, { recursive: true });
    const { metrics } = runFolder(out);
    const [header, ...rows] = readFileSync(metrics, 'utf8').trimEnd().split('\n');
    writeFileSync(metrics, [header, rows[0], rows[2], rows[2], rows[2].slice(0, 20)].join('\n'));
    const warnings: string[] = [];
    await train(config, {
      out,
      resume: true,
      onProgress: (event) => event.kind === 'warning' && warnings.push(event.message),
    });
    const [, ...cells] = METRIC_COLUMNS;
    const empty = `2${cells.map(() => ',').join('')}`;
    expect(readFileSync(metrics, 'utf8')).to.equal([header, rows[0], empty, rows[2], ''].join('\n'));
    expect(parseMetrics(readFileSync(metrics, 'utf8'), metrics).map(({ epoch }) => epoch)).to.deep.equal([1, 2, 3]);
    expect(warnings.length).to.equal(1);
    expect(warnings[0]).to.match(/metrics\.csv is damaged: the rows of 1 of 3 epochs are lost/);
  });
});

describe('the rows of metrics.csv', () => {
  const row = (epoch: number | string, step = 0): string =>
    METRIC_COLUMNS.map((column) => (column === 'epoch' ? epoch : column === 'step' ? step : 0)).join(',');
  const empty = row(1).replaceAll(',0', ',');

  it('up to an epoch are whole, in order and once each; the last of several counts, and a lost one is empty', () => {
    const lines = [row(1), row(3), row(2), row(2, 7), row(4), 'x', row('1.5'), row(1, -1), '3,0.2'];
    const text = METRICS_HEADER + lines.map((line) => `${line}\n`).join('');
    expect(rowsUpTo(3, text)).to.deep.equal({ rows: [row(1), row(2, 7), row(3)], lost: 0 });
    expect(rowsUpTo(0, text)).to.deep.equal({ rows: [], lost: 0 });
    expect(rowsUpTo(1, '')).to.deep.equal({ rows: [empty], lost: 1 });
    expect(rowsUpTo(1, METRICS_HEADER + row(1))).to.deep.equal({ rows: [empty], lost: 1 });
  });
});
