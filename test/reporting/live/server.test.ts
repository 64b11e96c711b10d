import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { get, type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { InputError } from '../../../src/core/errors.ts';
import { acquireLock } from '../../../src/files/lock.ts';
import { type Watching, watchFolder } from '../../../src/reporting/live/server.ts';
import { formatMetricRow, METRICS_HEADER } from '../../../src/training/run/metrics.ts';
import { runFolder } from '../../../src/training/run/run-folder.ts';
import { rejection } from '../../rejection.ts';
import { sampleRuns } from '../sample.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

const ask = (
  url: string,
  path: string,
  { method = 'GET', host }: { method?: string; host?: string } = {},
): Promise<Answer> =>
  new Promise((done, fail) => {
    const { port, host: own } = new URL(url);
    request({ host: '127.0.0.1', port, path, method, headers: { host: host ?? own } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
      });
      response.on('end', () => done({ status: response.statusCode ?? 0, headers: response.headers, text }));
    })
      .on('error', fail)
      .end();
  });

/** The first server-sent event of a kind after `change` was made, which is once the server has told how things are. */
const nextEvent = (url: string, kind: string, change: () => Promise<void>): Promise<string> =>
  new Promise((done, fail) => {
    const call = get(`${url}events`, (response) => {
      let text = '';
      let isChanged = false;
      response.setEncoding('utf8').on('data', (part) => {
        text += part;
        if (!isChanged) {
          if (!/event: live\ndata: .*\n\n/.test(text)) return;
          isChanged = true;
          text = '';
          change().catch(fail);
          return;
        }
        const found = new RegExp(`event: ${kind}\\ndata: (.*)\\n\\n`).exec(text);
        if (found === null) return;
        call.destroy();
        done(JSON.parse(found[1]));
      });
    }).on('error', (error) => (call.destroyed ? undefined : fail(error)));
  });

describe('the server of a watched folder', () => {
  const [run] = sampleRuns();
  let folder: string;
  let watching: Watching;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-watch-'));
    const { path, config, metrics, events } = runFolder(join(folder, run.name));
    await mkdir(path);
    await writeFile(config, JSON.stringify(run.config));
    await writeFile(metrics, METRICS_HEADER + run.metrics.slice(0, 3).map(formatMetricRow).join(''));
    await writeFile(events, '');
    watching = await watchFolder(folder, { port: 0, everyMs: 20, reportEveryMs: 0 });
  });

  afterEach(async () => {
    await watching.close();
    await rm(folder, { recursive: true });
  });

  const started = { kind: 'start', epoch: 0, step: 0, batches: 50, time: new Date(0).toISOString() };
  const step = { kind: 'step', epoch: 1, step: 5, batch: 5, batches: 50, loss: 1.25, time: new Date(1).toISOString() };

  it('gives the page, its body and its tables, and nothing else', async () => {
    const { url } = watching;
    expect(url).to.match(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const page = await ask(url, '/');
    expect(page.status).to.equal(200);
    expect(page.text)
      .to.contain('0 of 1 run complete, nothing runs now.')
      .and.to.contain('stopped after 0 of 10 epochs');
    expect((await ask(url, '/body')).text).to.contain('id="configuration"');
    expect((await ask(url, '/summary.csv')).text).to.match(/^group,dataset,/);
    for (const path of [
      '/config.json',
      `/${run.name}/config.json`,
      '/../../etc/passwd',
      '/%2e%2e/%2e%2e/etc/passwd',
      '/constructor',
      '/results.csv/',
      '//',
    ]) {
      expect((await ask(url, path)).status, path).to.equal(404);
    }
  });

  it('answers nobody who calls it by another name, as a site that points its name here would, and takes nothing in', async () => {
    const { url } = watching;
    const { port } = new URL(url);
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      '127.0.0.1',
      `127.0.0.1.evil.example:${port}`,
      `0.0.0.0:${port}`,
    ]) {
      const { status, text } = await ask(url, '/', { host });
      expect([status, text.includes(run.name)], host).to.deep.equal([403, false]);
    }
    expect((await ask(url, '/', { host: `localhost:${port}` })).status).to.equal(200);
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await ask(url, '/', { method })).status).to.equal(405);
  });

  it('lets a page load and run nothing but its own', async () => {
    const { headers } = await ask(watching.url, '/');
    expect(headers['content-security-policy']).to.match(
      /^default-src 'none'; img-src data:; .*script-src 'sha256-[^']+'; connect-src 'self'; .*frame-ancestors 'none'$/,
    );
    expect(headers).to.include({ 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' });
    expect(headers).not.to.have.property('access-control-allow-origin');
  });

  it('tells of steps as they come, and of a run that is worked on', async () => {
    const { events, lock: path } = runFolder(join(folder, run.name));
    const lock = await acquireLock(path);
    try {
      const live = await nextEvent(watching.url, 'live', () =>
        writeFile(events, `${JSON.stringify(started)}\n${JSON.stringify(step)}\n`),
      );
      expect(live)
        .to.contain('epoch 1 of 10, running')
        .and.to.contain('loss 1.250')
        .and.to.contain('aria-valuenow="1"');
    } finally {
      await lock.release();
    }
  });

  it('tells when the report has changed', async () => {
    const { metrics } = runFolder(join(folder, run.name));
    await nextEvent(watching.url, 'report', () =>
      writeFile(metrics, METRICS_HEADER + run.metrics.slice(0, 5).map(formatMetricRow).join('')),
    );
    expect((await ask(watching.url, '/body')).text).to.contain('id="learning"');
  });

  it('says what is wrong with a folder, and goes on once it is mended', async () => {
    const { config } = runFolder(join(folder, run.name));
    await writeFile(config, '{');
    expect((await ask(watching.url, '/')).text).to.contain('is no configuration of a run');
    await writeFile(config, JSON.stringify(run.config));
    expect((await ask(watching.url, '/')).text).to.contain('0 of 1 run complete');
  });

  it('refuses a port that is taken', async () => {
    const port = Number(new URL(watching.url).port);
    const error = await rejection(watchFolder(folder, { port }));
    expect(error).to.be.instanceOf(InputError);
    expect(String(error)).to.contain(`Port ${port} of 127.0.0.1 cannot be used`);
  });
});
