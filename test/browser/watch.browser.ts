// The page of `equipoise watch` in Chromium: what it shows while a run is made, and what it does when its server goes and returns.
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { acquireLock } from '../../src/files/lock.ts';
import { type Watching, watchFolder } from '../../src/reporting/live/server.ts';
import { formatMetricRow, METRICS_HEADER } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';
import { sampleRuns } from '../reporting/sample.ts';
import { launchChromium, seriousFaults } from './chromium.ts';

const SCREENSHOTS = fileURLToPath(new URL('../../screenshots', import.meta.url));
const BATCHES = 50;

describe('the page of watched runs in a browser', function () {
  this.timeout(60_000);
  const [run] = sampleRuns();
  let browser: Browser;
  let folder: string;
  let watching: Watching;
  let lock: Awaited<ReturnType<typeof acquireLock>>;
  let context: BrowserContext;
  let page: Page;
  const faults: string[] = [];

  const files = () => runFolder(join(folder, run.name));
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const time = (second: number) => new Date(1_700_000_000_000 + 1000 * second).toISOString();
  /** A step's line in the log of events; the loss falls, and a step takes two seconds. */
  const step = (number: number) =>
    line({
      kind: 'step',
      epoch: 1 + Math.floor((number - 1) / BATCHES),
      step: number,
      batch: 1 + ((number - 1) % BATCHES),
      batches: BATCHES,
      loss: 2 / Math.sqrt(number),
      time: time(2 * number),
    });
  const steps = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => step(from + i)).join('');
  const serve = (port = 0) => watchFolder(folder, { port, everyMs: 20, reportEveryMs: 0, title: 'Runs' });
  const live = () => page.locator('#live');

  before(async () => {
    browser = await launchChromium();
    await mkdir(SCREENSHOTS, { recursive: true });
  });
  after(() => browser?.close());

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'equipoise-watched-'));
    const { path, config, metrics, events, lock: lockFile } = files();
    await mkdir(path);
    await writeFile(config, JSON.stringify(run.config));
    await writeFile(metrics, METRICS_HEADER + run.metrics.slice(0, 3).map(formatMetricRow).join(''));
    const started = { kind: 'start', epoch: 0, step: 0, batches: BATCHES, time: time(0) };
    await writeFile(events, line(started) + steps(1, 3 * BATCHES + 11));
    lock = await acquireLock(lockFile);
    watching = await serve();
  });
  afterEach(async () => {
    await context?.close();
    await watching.close();
    await lock.release();
    await rm(folder, { recursive: true });
  });

  /** Waits until the report below says this, if only in the title of a point. */
  const reportOf = (text: string) =>
    page.waitForFunction((sought) => document.querySelector('#report')?.textContent?.includes(sought), text);

  async function open(options: BrowserContextOptions = {}): Promise<void> {
    context = await browser.newContext(options);
    page = await context.newPage();
    faults.length = 0;
    page.on('pageerror', ({ message }) => faults.push(message));
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') faults.push(message.text());
    });
    await page.goto(watching.url);
  }

  it('shows what runs, how far it is, its curves and its log, and follows as they go on', async () => {
    await open({ viewport: { width: 1280, height: 900 } });
    const panel = live();
    expect(await panel.textContent()).to.contain('0 of 1 run complete, 1 run in progress.');
    expect(await panel.getByRole('progressbar').getAttribute('aria-valuenow')).to.equal('32');
    expect(await panel.textContent()).to.match(/running · 11 min 20 s left · loss 0\.158/);
    for (const name of [/^Training loss of .* by step/, /^Robust and clean validation accuracy of .* by epoch/]) {
      const box = await panel.getByRole('img', { name }).first().boundingBox();
      expect(box?.width).to.be.within(400, 620);
    }
    expect(await panel.locator('.log').textContent()).to.contain('training starts');
    expect(await page.locator('#report').textContent()).to.match(/This run is unfinished: epoch \d+ of 10, running\./);

    await appendFile(files().events, steps(3 * BATCHES + 11, 4 * BATCHES + 26));
    await page.getByText('loss 0.133').waitFor();
    expect(await panel.getByRole('progressbar').getAttribute('aria-valuenow')).to.equal('45');
    await page.getByText('Configuration').last().click();
    await appendFile(files().metrics, formatMetricRow(run.metrics[3]));
    await reportOf('epoch 4: 5.9 %');
    expect(await page.locator('#report details:has-text("Configuration")').first().getAttribute('open')).to.equal('');
    expect(faults).to.deep.equal([]);
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(SCREENSHOTS, 'watch.png') });
  });

  it('says that its server is gone, and shows what has changed once it is back', async () => {
    await open();
    const note = page.getByText('The server does not answer');
    expect(await note.isVisible()).to.equal(false);
    const port = Number(new URL(watching.url).port);
    await watching.close();
    await note.waitFor();
    await appendFile(files().events, steps(3 * BATCHES + 11, 6 * BATCHES + 1));
    await writeFile(files().metrics, METRICS_HEADER + run.metrics.slice(0, 6).map(formatMetricRow).join(''));
    watching = await serve(port);
    await page.getByText('loss 0.115').waitFor();
    await note.waitFor({ state: 'hidden' });
    await reportOf('epoch 6: ');
    // The browser itself tells of connections that fail; the page adds nothing.
    expect(faults.filter((fault) => !fault.includes('net::ERR_'))).to.deep.equal([]);
  });

  for (const [name, options] of Object.entries({
    'on a desk': { viewport: { width: 1280, height: 900 } },
    'on a phone in the dark': { viewport: { width: 390, height: 844 }, colorScheme: 'dark' },
  } satisfies Record<string, BrowserContextOptions>)) {
    it(`gives axe nothing serious to find ${name}, and needs no scrolling sideways`, async () => {
      await open(options);
      expect(await seriousFaults(page)).to.deep.equal([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(options.viewport.width);
      const sizes = await page.evaluate(() =>
        [...document.querySelectorAll<SVGSVGElement>('#live svg.plot')]
          .filter((svg) => svg.getBoundingClientRect().width > 0)
          .flatMap((svg) => {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return [...svg.querySelectorAll('text')].map(
              (text) => scale * Number.parseFloat(text.getAttribute('font-size') ?? '0'),
            );
          }),
      );
      expect(Math.min(...sizes)).to.be.at.least(11);
      await page.screenshot({ path: join(SCREENSHOTS, `watch-${options.viewport.width}.png`) });
    });
  }

  it('is loaded anew every few seconds without scripts', async () => {
    await open({ javaScriptEnabled: false });
    expect(await page.locator('meta[http-equiv="refresh"]').count()).to.equal(1);
    expect(await live().textContent()).to.contain('1 run in progress');
  });
});
