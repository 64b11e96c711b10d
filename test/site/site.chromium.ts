// The built site in Chromium: its pages, its search, the playground and the example report. `npm run test:site` builds it first.
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Browser, Page } from 'playwright-core';
import { launchChromium, seriousFaults } from '../browser/chromium.ts';

const dist = fileURLToPath(new URL('../../../site/dist', import.meta.url));
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** Serves the site's files, folders by their index.html. */
const serve = (): Server =>
  createServer(async ({ url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = join(dist, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    try {
      const body = await readFile(path);
      response.writeHead(200, { 'content-type': TYPES[extname(path)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });

describe('the site', () => {
  let browser: Browser;
  let server: Server;
  let page: Page;
  const faults: string[] = [];
  const open = (path: string) => page.goto(`http://localhost:${(server.address() as AddressInfo).port}${path}`);

  before(async () => {
    server = serve();
    await new Promise<void>((done) => server.listen(0, done));
    browser = await launchChromium();
  });
  beforeEach(async () => {
    page = await browser.newPage();
    faults.length = 0;
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('response', (response) => {
      if (response.status() >= 400) faults.push(`${response.status()} ${response.url()}`);
    });
  });
  afterEach(async () => {
    await page.close();
    expect(faults).to.deep.equal([]);
  });
  after(async () => {
    await browser.close();
    server.close();
  });

  it('starts with the README, and its picture', async () => {
    await open('/');
    expect(await page.locator('h1').first().innerText()).to.contain('Equipoise');
    const width = await page
      .locator('main img')
      .first()
      .evaluate((image) => (image as HTMLImageElement).naturalWidth);
    expect(width).to.be.above(100);
  });

  it('shows no template of its theme as text', async () => {
    for (const path of ['/', '/docs/reporting.html', '/api/']) {
      await open(path);
      expect(await page.locator('header').innerText(), path).not.to.contain('{{');
      expect(await page.locator('header').innerText(), path).to.contain('Search');
    }
  });

  it('finds a page by a word of it', async () => {
    await open('/docs/');
    await page.locator('#local-search button').first().click();
    await page.locator('#localsearch-input').fill('Wilson interval');
    const results = page.locator('#localsearch-list a');
    await results.first().waitFor();
    expect(await results.count()).to.be.above(0);
  });

  it('finds a flag where the docs explain it, before the names of the API', async () => {
    await open('/docs/');
    await page.locator('#local-search button').first().click();
    for (const flag of ['only-correct', 'save-examples']) {
      await page.locator('#localsearch-input').fill(flag);
      const first = page.locator('#localsearch-list li', { hasText: /./ }).first().locator('a');
      await page.locator('#localsearch-list mark').first().waitFor();
      expect(await first.getAttribute('href'), flag).to.match(/\/docs\//);
    }
  });

  it('describes a public function, with its parameters', async () => {
    await open('/api/');
    const link = page.locator('main a', { hasText: /^attacks$/ }).first();
    await link.click();
    await page.locator('main a', { hasText: /^pgd$/ }).first().click();
    await page.locator('main h2', { hasText: 'Parameters' }).waitFor();
    expect(await page.locator('main').innerText()).to.contain('PgdOptions');
  });

  it('has the playground, which attacks two networks', async () => {
    await open('/playground/#backend=wasm&attack=fgsm');
    await page.locator('#bench[aria-busy="false"]').waitFor();
    expect(await page.textContent('#verdict')).to.match(/^Within ε = 0\.1 the undefended network reads the 2 as 3;/);
  });

  it('gives axe nothing serious to find, on a desk and on a phone', async () => {
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 844 });
      for (const path of ['/', '/docs/reporting.html', '/api/']) {
        await open(path);
        expect(await seriousFaults(page), `${path} at ${width}`).to.deep.equal([]);
      }
    }
  });

  it('has an example report', async () => {
    await open('/report/');
    expect(await page.locator('svg').count()).to.be.above(0);
  });
});
