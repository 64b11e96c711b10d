// The contact sheet of adversarial examples in a real browser.
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import type { Example, Examples } from '../../src/evaluation/examples/examples.ts';
import { renderExamples } from '../../src/reporting/pictures/examples.ts';
import { sampleRuns } from '../reporting/sample.ts';
import { launchChromium, seriousFaults } from './chromium.ts';

const CLASSES = ['chrysanthemum', 'American black bear cub', '2', '3', '4'];
const PIXELS = 28 * 28;
const probabilities = {
  before: Float32Array.of(0.5, 0.25, 0.2, 0.045, 0.005),
  after: Float32Array.of(0, 1, 0, 0, 0),
};

const example = (index: number): Example => ({
  index,
  label: 0,
  before: 0,
  after: 1,
  probabilities,
  distance: 25 / 255,
  image: new Uint8Array(PIXELS).fill(40),
  adversarial: new Uint8Array(PIXELS).fill(65),
});

const sha256 = '5c419f96beffaced'.repeat(4);
const [{ evaluations }] = sampleRuns();
const [{ target, dataset }] = evaluations;
const made: Examples = {
  path: 'runs/run',
  target: { ...target, sha256 },
  surrogate: { ...target, sha256, checkpoint: 'a surrogate' },
  dataset: { ...dataset, classes: CLASSES },
  imageShape: [28, 28, 1],
  attack: 'pgd-10-ce',
  norm: 'linf',
  epsilon: 0.1,
  seed: 0,
  examples: [0, 1, 2].map(example),
  backend: 'engine',
  version: '0.0.0',
};

describe('the contact sheet in a browser', () => {
  let browser: Browser;

  before(async () => {
    browser = await launchChromium();
  });
  after(() => browser?.close());

  const open = async <T>(options: BrowserContextOptions, use: (page: Page) => Promise<T>): Promise<T> => {
    const context = await browser.newContext(options);
    try {
      const page = await context.newPage();
      await page.setContent(renderExamples(made));
      return await use(page);
    } finally {
      await context.close();
    }
  };

  for (const width of [320, 390, 1280]) {
    it(`has margins and fits a window ${width} pixels wide`, () =>
      open({ viewport: { width, height: 844 } }, async (page) => {
        const edges = await page.evaluate(() =>
          [...document.querySelectorAll('h1, .lead, .card, .probabilities, footer')].map((element) => {
            const { left, right } = element.getBoundingClientRect();
            return { left, right, card: element.closest('.card')?.getBoundingClientRect().right ?? Infinity };
          }),
        );
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.be.at.most(width);
        expect(Math.min(...edges.map(({ left }) => left))).to.be.at.least(16);
        expect(Math.max(...edges.map(({ right }) => right))).to.be.at.most(width - 16);
        expect(edges.filter(({ right, card }) => right > card)).to.deep.equal([]);
      }));
  }

  it('begins the bars of a column below each other, and draws them equally long', () =>
    open({ viewport: { width: 390, height: 844 } }, async (page) => {
      const bars = await page.evaluate(() =>
        [...document.querySelectorAll('.card:first-child tbody tr')].map((row) =>
          [...row.querySelectorAll('meter')].map((meter) => {
            const { left, width } = meter.getBoundingClientRect();
            return [Math.round(left), Math.round(width)];
          }),
        ),
      );
      expect(bars).to.have.length(5);
      for (const bar of bars) expect(bar).to.deep.equal(bars[0]);
      expect(bars[0].every(([, width]) => width >= 20)).to.equal(true);
    }));

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`gives axe nothing serious to find in ${colorScheme}`, () =>
      open({ colorScheme }, async (page) => expect(await seriousFaults(page)).to.deep.equal([])));
  }
});
