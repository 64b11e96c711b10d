// The page of a report in a real browser.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { renderPage } from '../../src/reporting/page/page.ts';
import { collectReport, withGallery } from '../../src/reporting/report-data.ts';
import { sampleGallery, sampleRuns } from '../reporting/sample.ts';
import { contrast, launchChromium, luminance, seriousFaults } from './chromium.ts';

describe('the page in a browser', function () {
  this.timeout(120_000);
  let browser: Browser;
  let folder: string;
  let address: string;
  let singleRun: string;

  before(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(join(tmpdir(), 'equipoise-page-'));
    const file = join(folder, 'report.html');
    await writeFile(file, await renderPage(withGallery(collectReport(sampleRuns(), 'A report'), sampleGallery())));
    address = pathToFileURL(file).href;
    const [evaluated] = sampleRuns();
    singleRun = await renderPage(withGallery(collectReport([evaluated], 'A run'), sampleGallery()));
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
            text: of('h1, h2, main > header p, main section > p', 'color'),
            cells: of('.card td, .card th', 'color'),
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
      expect(box?.width).to.be.above(700);
      expect(await page.locator('main img').count()).to.equal(18);
      expect(await page.getByRole('table').count()).to.be.above(3);
      expect(await page.getByRole('img', { name: /accuracy against sparsity/ }).isVisible()).to.equal(true);
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
          learning: [
            /Robust accuracy on validation images over the epochs at 95 % sparsity/,
            /Clean accuracy on validation images over the epochs at undefended/,
            /Training loss over the epochs/,
          ],
          coefficient: [/The coefficient c of AGENT/, /Gradient variance with correction over that without/],
          epsilon: [/Robust accuracy of SGD against the radius/],
          epochs: [/Robust validation accuracy at 95 % sparsity against the gradient evaluations/],
        };
        for (const [id, charts] of Object.entries(expected)) {
          const section = page.locator(`section:has(h2#${id})`);
          if (id === 'coefficient') await section.locator('summary').click();
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
        const table = page.locator('section:has(h2#epochs) table');
        expect(await table.getByRole('row', { name: /^95 % rigl AGENT/ }).isVisible()).to.equal(true);
      }));
  }

  it('draws every picture', () =>
    open({}, async (page) => {
      const widths = await page.evaluate(() => [...document.images].map((image) => image.naturalWidth));
      expect(new Set(widths)).to.deep.equal(new Set([28]));
    }));

  it('fits a phone without scrolling sideways', () =>
    open({ viewport: { width: 390, height: 844 } }, async (page) => {
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.be.at.most(390);
    }));

  it('shows every table on a phone whole', () =>
    open({ viewport: { width: 390, height: 844 } }, async (page) => {
      for (const content of [null, singleRun]) {
        if (content !== null) await page.setContent(content);
        await page.evaluate(() => {
          for (const details of document.querySelectorAll('details')) details.open = true;
        });
        const cut = await page.evaluate(() =>
          [...document.querySelectorAll('.scroll')]
            .filter(({ scrollWidth, clientWidth }) => scrollWidth > clientWidth)
            .map(({ textContent }) => textContent?.slice(0, 80)),
        );
        expect(cut).to.deep.equal([]);
      }
    }));

  it('sorts the leaderboard on a phone, whose rows are blocks', () =>
    open({ viewport: { width: 390, height: 844 } }, async (page) => {
      await page.getByRole('button', { name: 'clean', exact: true }).click();
      const first = page.locator('section:has(h2#leaderboard) tbody tr').first();
      expect(await first.innerText()).to.contain('98.9 %');
      const robust = await first.locator('td', { has: page.locator('.robust') }).boundingBox();
      expect((robust?.x ?? Number.NaN) + (robust?.width ?? Number.NaN)).to.be.at.most(390);
    }));

  it('cuts no table on a desk, but for those that are folded', () =>
    open({ viewport: { width: 1280, height: 800 } }, async (page) => {
      const cut = await page.evaluate(() =>
        [...document.querySelectorAll('.scroll')]
          .filter((table) => table.closest('details') === null && table.scrollWidth > table.clientWidth)
          .map(({ textContent }) => textContent?.slice(0, 80)),
      );
      expect(cut).to.deep.equal([]);
    }));

  it('has text of at least 11 pixels in the charts of a phone', () =>
    open({ viewport: { width: 390, height: 844 } }, async (page) => {
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true;
      });
      const sizes = await page.evaluate(() =>
        [...document.querySelectorAll<SVGSVGElement>('svg.plot')]
          .filter((svg) => svg.getBoundingClientRect().width > 0)
          .flatMap((svg) => {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return [...svg.querySelectorAll('text')].map(
              (text) => scale * Number.parseFloat(text.getAttribute('font-size') ?? '0'),
            );
          }),
      );
      expect(sizes.length).to.be.above(100);
      expect(Math.min(...sizes)).to.be.at.least(11);
    }));

  it('keeps the contents in view, and marks what is read', () =>
    open({ viewport: { width: 1280, height: 800 } }, async (page) => {
      await page.locator('h2#epochs').scrollIntoViewIfNeeded();
      const box = await page.locator('nav').boundingBox();
      expect(box?.y).to.be.within(-1, 1);
      await page.getByRole('link', { name: 'Alarms', exact: true }).first().click();
      await page.waitForFunction(
        () => document.querySelector('nav a[aria-current]')?.textContent !== 'Accuracy and cost',
      );
    }));

  it('shows accuracy against another cost where it is chosen, with scripts off', () =>
    open({ javaScriptEnabled: false, viewport: { width: 1280, height: 800 } }, async (page) => {
      for (const cost of ['weights', 'multiply-adds', 'file size', 'training time', 'sparsity']) {
        await page.getByRole('radio', { name: cost }).check({ force: true });
        const shown = page.locator('.choice svg.plot:visible');
        expect(await shown.count(), cost).to.equal(1);
        expect(await shown.getAttribute('aria-label')).to.contain(`accuracy against ${cost}.`);
      }
    }));

  it('opens a caveat that is asked for, with scripts off', () =>
    open({ javaScriptEnabled: false }, async (page) => {
      const text = page.getByText('Every robust accuracy on this page is an upper bound');
      expect(await text.isVisible()).to.equal(false);
      await page.getByText('upper bound', { exact: true }).click();
      expect(await text.isVisible()).to.equal(true);
    }));

  it('sorts the leaderboard by the heading that is pressed, and has all rows without scripts', async () => {
    const column = (page: Page, number: number) =>
      page.locator(`section:has(h2#leaderboard) tbody td:nth-child(${number})`).allInnerTexts();
    await open({}, async (page) => {
      const press = (name: string) => page.getByRole('button', { name, exact: true }).click();
      await press('clean');
      expect((await column(page, 6))[0]).to.equal('98.9 %');
      await press('clean');
      expect((await column(page, 6)).at(-1)).to.equal('98.9 %');
      await press('training');
      expect(new Set((await column(page, 3)).slice(0, 1))).to.deep.equal(new Set(['undefended']));
    });
    await open({ javaScriptEnabled: false }, async (page) => {
      expect(await column(page, 6)).to.have.length(9);
      expect(await page.locator('thead button, .copy-button').count()).to.equal(0);
    });
  });

  it('copies the leaderboard', () =>
    open({ permissions: ['clipboard-read', 'clipboard-write'] }, async (page) => {
      await page.getByText('Copy as LaTeX').click();
      await page.locator('details:has-text("Copy as LaTeX") .copy-button').click();
      await page.getByText(/^(Copied|Selected)$/).waitFor();
      const text = await page.evaluate(() => navigator.clipboard.readText());
      expect(text).to.match(/^\\begin\{tabular\}[\s\S]*AGENT[\s\S]*\\end\{tabular\}\n$/);
    }));

  it('titles every point', () =>
    open({}, async (page) => {
      const titles = await page.evaluate(() =>
        [...document.querySelectorAll('svg.plot .mark-symbol path')].map(
          (point) => point.querySelector('title')?.textContent ?? '',
        ),
      );
      expect(titles.length).to.be.above(300);
      for (const title of titles) expect(title).to.match(/\d/);
      expect(titles.filter((title) => /^AGENT, 99 % sparse, seed 1: \d+\.\d % robust$/.test(title))).to.have.length(2);
    }));

  for (const [name, options] of Object.entries({
    'on a desk': { viewport: { width: 1280, height: 800 } },
    'on a phone': { viewport: { width: 390, height: 844 } },
    'in the dark': { colorScheme: 'dark' },
  } satisfies Record<string, BrowserContextOptions>)) {
    it(`gives axe nothing serious to find ${name}, all parts unfolded`, () =>
      open(options, async (page) => {
        await page.evaluate(() => {
          for (const details of document.querySelectorAll('details')) details.open = true;
        });
        // Run by the test, not by the page: its policy lets no other script in.
        expect(await seriousFaults(page)).to.deep.equal([]);
      }));
  }

  it('prints what is folded, and neither contents nor buttons', () =>
    open({ javaScriptEnabled: false }, async (page) => {
      await page.emulateMedia({ media: 'print' });
      const shown = (selector: string) => page.locator(selector).first().isVisible();
      expect(await shown('nav')).to.equal(false);
      expect(await shown('.choices')).to.equal(false);
      expect(await page.getByText('Every robust accuracy on this page is an upper bound').isVisible()).to.equal(true);
    }));

  it('prints nothing beyond the width of a sheet', () =>
    open({ viewport: { width: 718, height: 1000 } }, async (page) => {
      await page.emulateMedia({ media: 'print' });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(718);
    }));

  it('shows a single run on a phone, with nothing serious for axe to find', () =>
    open({ viewport: { width: 390, height: 844 } }, async (page) => {
      await page.setContent(singleRun);
      await page.evaluate(() => {
        for (const details of document.querySelectorAll('details')) details.open = true;
      });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(390);
      expect(await seriousFaults(page)).to.deep.equal([]);
    }));

  it('says on the first screen what AGENT changed', () =>
    open({ viewport: { width: 1280, height: 800 } }, async (page) => {
      expect((await page.locator('.answer').boundingBox())?.y).to.be.at.most(120);
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
