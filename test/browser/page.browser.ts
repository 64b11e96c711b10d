import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { renderPage } from '../../src/reporting/page/page.ts';
import { collectReport, withGallery } from '../../src/reporting/report-data.ts';
import { sampleGallery, sampleRuns } from '../reporting/sample.ts';
import { contrast, launchChromium, luminance } from './chromium.ts';

describe('the page in a browser', function () {
  this.timeout(60000);
  let browser: Browser;
  let folder: string;
  let address: string;

  before(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(join(tmpdir(), 'equipoise-page-'));
    const file = join(folder, 'report.html');
    await writeFile(file, await renderPage(withGallery(collectReport(sampleRuns(), 'A report'), sampleGallery())));
    address = pathToFileURL(file).href;
  });

  after(async () => {
    await browser?.close();
    if (folder) await rm(folder, { recursive: true });
  });

  const open = async (options: BrowserContextOptions, use: (page: Page) => Promise<void>): Promise<void> => {
    const context = await browser.newContext(options);
    const asked: string[] = [];
    try {
      const page = await context.newPage();
      page.on('request', (request) => asked.push(request.url()));
      await page.goto(address);
      await use(page);
      expect(asked.filter((url) => url !== address && !url.startsWith('data:'))).to.deep.equal([]);
    } finally {
      await context.close();
    }
  };

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`reads well in ${colorScheme}: text has a contrast of 4.5, lines of charts one of 3`, () =>
      open({ colorScheme }, async (page) => {
        const colors = await page.evaluate(() => {
          const of = (selector: string, property: string) =>
            [...document.querySelectorAll(selector)].map((element) =>
              getComputedStyle(element).getPropertyValue(property),
            );
          return {
            page: of('body', 'background-color'),
            card: of('figure', 'background-color'),
            text: of('h1, h2, p, a', 'color'),
            cells: of('.card td, .card th, .card span', 'color'),
            labels: of('svg.plot text', 'fill'),
            lines: of('svg.plot .mark-line path, svg.plot .mark-symbol path', 'stroke'),
            points: of('svg.plot .mark-symbol path', 'fill'),
            palette: [...document.styleSheets]
              .flatMap((sheet) => [...sheet.cssRules])
              .flatMap((rule) => [
                ...rule.cssText.matchAll(/(--(?:sgd|agent|[\w-]*svrg|undefended|more-\d|level-\d)):/g),
              ])
              .map(([, name]) => {
                document.body.style.outlineColor = `var(${name})`;
                return getComputedStyle(document.body).outlineColor;
              }),
          };
        });
        for (const color of colors.text) expect(contrast(color, colors.page[0]), color).to.be.at.least(4.5);
        for (const color of [...colors.cells, ...colors.labels]) {
          expect(contrast(color, colors.card[0]), color).to.be.at.least(4.5);
        }
        const drawn = [...colors.lines, ...colors.points].filter((color) => color !== 'none');
        expect(drawn.length).to.be.above(50);
        expect(colors.palette.length).to.be.above(18);
        for (const color of [...drawn, ...colors.palette])
          expect(contrast(color, colors.card[0]), color).to.be.at.least(3);
        expect(luminance(colors.page[0]) > 0.5).to.equal(colorScheme === 'light');
      }));
  }

  it('shows charts, pictures and tables with scripts off', () =>
    open({ javaScriptEnabled: false }, async (page) => {
      const charts = page.locator('svg.plot');
      expect(await charts.count()).to.be.above(10);
      const box = await charts.first().boundingBox();
      expect(box?.width).to.be.above(300);
      expect(await page.locator('main img').count()).to.equal(18);
      expect(await page.getByRole('table').count()).to.be.above(3);
      expect(await page.getByRole('img', { name: /Robust accuracy against sparsity/ }).isVisible()).to.equal(true);
      await page.getByText('Every run, with 95 % Wilson intervals').click();
      expect(
        await page
          .getByText(/\[\d+\.\d, \d+\.\d\]/)
          .first()
          .isVisible(),
      ).to.equal(true);
    }));

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`draws learning curves, c and variance, and epochs to accuracy, without scripts, in ${colorScheme}`, () =>
      open({ javaScriptEnabled: false, colorScheme }, async (page) => {
        const expected = {
          learning: [/Validation accuracy over the epochs at 95 % sparsity/, /Training loss over the epochs/],
          coefficient: [/The coefficient c of AGENT/, /Gradient variance with correction over that without/],
          epochs: [/Robust validation accuracy at 95 % sparsity against the gradient evaluations/],
        };
        for (const [id, charts] of Object.entries(expected)) {
          const section = page.locator(`section:has(> h2#${id})`);
          for (const name of charts) {
            const figure = section.getByRole('img', { name }).first();
            await figure.scrollIntoViewIfNeeded();
            const box = await figure.boundingBox();
            expect(box?.width, `${id} ${name}`).to.be.above(200);
            expect(box?.height, `${id} ${name}`).to.be.above(100);
            const lines = figure.locator('.mark-line path');
            expect(await lines.count(), `${id} ${name}`).to.be.above(1);
            const drawn = await lines.last().boundingBox();
            expect(drawn?.width, `${id} ${name}`).to.be.above(100);
            expect(drawn?.height, `${id} ${name}`).to.be.above(10);
          }
        }
        const table = page.locator('section:has(> h2#epochs) table');
        expect(await table.getByRole('row', { name: /^95 % rigl AGENT/ }).isVisible()).to.equal(true);
      }));
  }

  it('draws every picture', () =>
    open({}, async (page) => {
      const widths = await page.evaluate(() => [...document.images].map((image) => image.naturalWidth));
      expect(new Set(widths)).to.deep.equal(new Set([28]));
    }));

  it('fits a phone without scrolling sideways', () =>
    open({ viewport: { width: 380, height: 800 } }, async (page) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.be.at.most(380);
    }));

  it('says on the first screen what AGENT changed', () =>
    open({ viewport: { width: 1280, height: 800 } }, async (page) => {
      const row = page.getByRole('row', { name: /^99 % sparse, AGENT robust .*3 seeds: (not )?distinguishable/ });
      const box = await row.boundingBox();
      expect((box?.y ?? Number.NaN) + (box?.height ?? Number.NaN)).to.be.at.most(800);
    }));

  it('leads to its sections', () =>
    open({}, async (page) => {
      for (const link of await page.locator('nav a').all()) {
        const id = (await link.getAttribute('href'))?.slice(1);
        expect(await page.locator(`h2[id="${id}"]`).count()).to.equal(1);
      }
    }));
});
