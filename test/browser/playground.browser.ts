// The playground in a real browser.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { layers, sequential } from '@tensorflow/tfjs-layers';
import { expect } from 'chai';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { type AttackName, attackNorms } from '../../attacks/index.ts';
import { encodePng } from '../../src/reporting/pictures/png.ts';
import { contrast, launchChromium, luminance } from './chromium.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const playground = join(root, 'docs/playground');
const address = pathToFileURL(join(playground, 'index.html')).href;
const SCREENSHOTS = join(root, 'dist/screenshots');
const BACKENDS = ['webgl', 'wasm', 'cpu'] as const;

const settled = (page: Page) => page.waitForSelector('#results[aria-busy="false"]');

async function choose(page: Page, choices: Readonly<Record<string, string>>): Promise<void> {
  for (const [id, value] of Object.entries(choices)) {
    const control = page.locator(`#${id}`);
    if ((await control.evaluate(({ tagName }) => tagName)) === 'SELECT') await control.selectOption(value);
    else {
      await control.fill(value);
      await control.dispatchEvent('change');
    }
  }
  await settled(page);
}

/** What the page shows of an attack. */
async function shown(page: Page) {
  const verdict = await page.textContent('#verdict');
  const figures = await page.evaluate(() =>
    Object.fromEntries(
      [...document.querySelectorAll('#figures > div')].map(({ children: [term, value] }) => [
        term.textContent,
        value.textContent ?? '',
      ]),
    ),
  );
  const pixels = async (id: string): Promise<number[]> =>
    page.evaluate((canvasId) => {
      const canvas = document.getElementById(canvasId) as HTMLCanvasElement;
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
    }, id);
  return { verdict, figures, clean: await pixels('clean'), adversarial: await pixels('adversarial') };
}

describe('the playground', function () {
  this.timeout(120_000);
  let browser: Browser;
  let folder: string;
  before(async () => {
    execFileSync(process.execPath, [join(root, 'scripts/build-playground.mjs')], { stdio: 'inherit' });
    mkdirSync(SCREENSHOTS, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'equipoise-playground-'));
    browser = await launchChromium();
    await tf.setBackend('cpu');
  });
  after(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  /** Opens the page, which must ask for its own files alone and throw nothing. */
  async function open(use: (page: Page) => Promise<void>, options: BrowserContextOptions = {}): Promise<void> {
    const context = await browser.newContext(options);
    const asked = new Set<string>();
    const thrown: string[] = [];
    try {
      const page = await context.newPage();
      page.on('request', (request) => asked.add(request.url()));
      page.on('pageerror', ({ message }) => thrown.push(message));
      await page.goto(address);
      await settled(page);
      await use(page);
      expect(thrown).to.deep.equal([]);
      const strange = [...asked].filter(
        (url) => !/^(data|blob):/.test(url) && !url.startsWith(pathToFileURL(playground).href),
      );
      expect(strange).to.deep.equal([]);
    } finally {
      await context.close();
    }
  }

  for (const backend of BACKENDS) {
    it(`fools the undefended net and not the robust one, within epsilon, on ${backend}`, () =>
      open(async (page) => {
        await choose(page, { backend, model: 'undefended', epsilon: '0.1' });
        const fallen = await shown(page);
        expect(fallen.verdict).to.match(/^It fell: 2 became 3 \(\d+\.\d %\) under PGD within linf 0\.1\.$/);
        expect(fallen.figures.time).to.match(new RegExp(`on ${backend}$`));
        expect(fallen.figures['distance in linf']).to.match(/^0\.1000 \(25\.5\/255\)$/);
        const change = fallen.adversarial.map((value, i) => Math.abs(value - fallen.clean[i]));
        expect(Math.max(...change)).to.be.within(25, 26);
        const top = (kind: string) => page.textContent(`#predictions tr:has(.${kind}.top) th`);
        expect([await top('before'), await top('after')]).to.deep.equal(['2', '3']);
        await choose(page, { model: 'robust' });
        expect((await shown(page)).verdict).to.match(/^It held: still 2/);
      }));
  }

  it('finds the same one step of FGSM on every backend', () =>
    open(async (page) => {
      await choose(page, { attack: 'fgsm' });
      const examples: number[][] = [];
      for (const backend of BACKENDS) {
        await choose(page, { backend });
        examples.push((await shown(page)).adversarial);
      }
      for (const example of examples.slice(1)) {
        const differing = example.filter((value, i) => Math.abs(value - examples[0][i]) > 1).length;
        // Where the gradient is hardly other than 0, rounding decides its sign.
        expect(differing / example.length).to.be.below(0.05);
      }
    }));

  it('runs every attack in each of its norms', () =>
    open(async (page) => {
      await choose(page, { backend: 'wasm' });
      for (const [attack, norms] of Object.entries(attackNorms) as [AttackName, readonly string[]][]) {
        for (const norm of norms) {
          await choose(page, { attack });
          await choose(page, attack === 'fgsm' ? { norm } : { norm, steps: '3' });
          const { verdict, figures } = await shown(page);
          expect(verdict, `${attack} in ${norm}`).to.match(/^It (fell|held): .* within (linf|l2|l1) [\d.]+\.$/);
          expect(Number(figures['forward passes']), `${attack} in ${norm}`).to.be.above(0);
        }
      }
    }));

  it('goes for a class, and says whether it was reached', () =>
    open(async (page) => {
      await choose(page, { backend: 'wasm', epsilon: '0.3', goal: '8' });
      expect((await shown(page)).verdict).to.match(/^It fell: 2 became 8/);
      await choose(page, { goal: '2' });
      expect((await shown(page)).verdict).to.equal('The model says 2 already: there is nothing to attack.');
    }));

  it('makes examples of whole grey levels when asked', () =>
    open(async (page) => {
      await choose(page, { backend: 'wasm', epsilon: '0.1' });
      await page.locator('#bytes').check();
      await settled(page);
      expect((await shown(page)).figures['distance in linf']).to.equal('0.0980 (25.0/255)');
    }));

  it('attacks a LayersModel and a picture that a person brings', async () => {
    const net = sequential({
      layers: [
        layers.flatten({ inputShape: [8, 8, 3] }),
        layers.dense({ units: 4, activation: 'softmax', kernelInitializer: 'glorotNormal' }),
      ],
    });
    let weights = new ArrayBuffer(0);
    await net.save(
      tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
        weights = weightData as ArrayBuffer;
        writeFileSync(join(folder, 'net.weights.bin'), new Uint8Array(weights));
        const weightsManifest = [{ paths: ['net.weights.bin'], weights: weightSpecs }];
        writeFileSync(join(folder, 'model.json'), JSON.stringify({ modelTopology, weightsManifest }));
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    net.dispose();
    const picture = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 37) % 256);
    writeFileSync(join(folder, 'picture.png'), encodePng(picture, [30, 40, 3]));
    await open(async (page) => {
      await choose(page, { backend: 'cpu' });
      await page.selectOption('#model', 'own');
      await page.setInputFiles(
        '#model-files',
        ['model.json', 'net.weights.bin'].map((name) => join(folder, name)),
      );
      await settled(page);
      await page.setInputFiles('#picture', join(folder, 'picture.png'));
      await settled(page);
      expect(await page.locator('#clean').evaluate((canvas) => (canvas as HTMLCanvasElement).width)).to.equal(8);
      expect(await page.locator('#predictions tbody tr').count()).to.equal(4);
      await choose(page, { epsilon: '0.5' });
      expect((await shown(page)).verdict).to.match(/^It fell: (\d) became (?!\1)/);
    });
  });

  it('attacks a checkpoint that a person brings', () =>
    open(async (page) => {
      await choose(page, { backend: 'wasm' });
      await page.selectOption('#model', 'own');
      await page.setInputFiles('#model-files', join(playground, 'robust.safetensors'));
      await settled(page);
      expect((await shown(page)).verdict).to.match(/^It held: still 2/);
    }));

  it('attacks photos with a network of the zoo, names its classes, and takes up digits again', () =>
    open(async (page) => {
      await choose(page, { backend: 'wasm', attack: 'fgsm', model: 'vgg16-99' });
      expect(await page.inputValue('#epsilon')).to.equal('0.0314');
      expect(await page.getByRole('radiogroup', { name: 'Photos of CIFAR-10' }).isVisible()).to.equal(true);
      expect(await page.locator('#samples input').count()).to.equal(20);
      await page.getByRole('radio', { name: 'Photo ship', exact: true }).check();
      await settled(page);
      expect((await shown(page)).verdict).to.match(
        /^(It (fell|held): .*[a-z] \(\d|The model takes this ship for [a-z]+ as it is)/,
      );
      const names = await page.locator('#predictions tbody th').allTextContents();
      expect(names).to.have.length(10);
      expect(names).to.include.members(['airplane', 'truck']);
      expect(await page.locator('#label option:checked').textContent()).to.equal('ship');
      await page.setInputFiles('#picture', join(playground, 'digits.png'));
      await settled(page);
      await choose(page, { model: 'robust' });
      expect(await page.locator('#samples input:checked').count()).to.equal(0);
      expect(await page.inputValue('#epsilon')).to.equal('0.1');
      expect(await page.locator('#label option:checked').textContent()).to.equal('as the model reads it');
    }));

  it('says what is wrong', () =>
    open(async (page) => {
      await choose(page, { backend: 'cpu', epsilon: '8' });
      expect((await shown(page)).verdict).to.match(/did you mean 8\/255\?/);
      await choose(page, { epsilon: '' });
      expect((await shown(page)).verdict).to.match(/^Radius ε: a number is needed/);
      await choose(page, { epsilon: '0.1' });
      await page.selectOption('#model', 'own');
      await page.setInputFiles('#model-files', join(playground, 'digits.png'));
      await settled(page);
      expect((await shown(page)).verdict).to.match(/Choose a model\.json together with its \.bin files/);
    }));

  it('is worked by the keyboard, and announces its result', () =>
    open(async (page) => {
      await page.locator('#samples input').nth(2).focus();
      await page.keyboard.press('ArrowRight');
      await settled(page);
      expect(await page.inputValue('#label')).to.equal('3');
      await page.locator('#seed').focus();
      await page.keyboard.press('Enter');
      await settled(page);
      expect(await page.getByRole('status').textContent()).to.match(/^It (fell|held)/);
      const unnamed = await page.evaluate(() =>
        [...document.querySelectorAll<HTMLInputElement | HTMLSelectElement>('input, select')]
          .filter((control) => !control.ariaLabel && (control.labels?.length ?? 0) === 0)
          .map(({ id }) => id),
      );
      expect(unnamed).to.deep.equal([]);
    }));

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`reads well in ${colorScheme}, on a screen and on a phone`, () =>
      open(
        async (page) => {
          const colors = await page.evaluate(() => {
            const of = (selector: string, property: string) =>
              [...document.querySelectorAll(selector)].map((element) =>
                getComputedStyle(element).getPropertyValue(property),
              );
            return {
              page: of('body', 'background-color'),
              card: of('.card', 'background-color'),
              button: of('#run', 'background-color'),
              onButton: of('#run', 'color'),
              onPage: of('h1, .lead, footer p, footer a', 'color'),
              onCard: of('.card label, .card legend, .card .hint, .verdict, td, th, dt, dd, figcaption', 'color'),
              bars: of('.bar', '--bar'),
            };
          });
          for (const color of colors.onPage) expect(contrast(color, colors.page[0]), color).to.be.at.least(4.5);
          for (const color of colors.onCard) expect(contrast(color, colors.card[0]), color).to.be.at.least(4.5);
          expect(contrast(colors.onButton[0], colors.button[0])).to.be.at.least(4.5);
          expect(luminance(colors.page[0]) > 0.5).to.equal(colorScheme === 'light');
          await page.screenshot({ path: join(SCREENSHOTS, `playground-${colorScheme}.png`), fullPage: true });
          await page.setViewportSize({ width: 380, height: 800 });
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.be.at.most(380);
          const drawn = await page.screenshot({ path: join(SCREENSHOTS, `playground-${colorScheme}-phone.png`) });
          expect(drawn.length).to.be.above(5000);
        },
        { colorScheme, viewport: { width: 1200, height: 1000 } },
      ));
  }

  it('asks for its script where it has not been built', async () => {
    const page = await browser.newPage({ javaScriptEnabled: false });
    await page.goto(address);
    expect(await page.getByText('npm run build:playground').isVisible()).to.equal(true);
    await page.close();
  });
});
