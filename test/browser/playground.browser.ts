// The playground in Chromium: what it shows of attacks on two networks, on every backend, and how it is worked.
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
import { launchChromium, luminance, seriousFaults } from './chromium.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const playground = join(root, 'docs/playground');
const address = pathToFileURL(join(playground, 'index.html')).href;
const SCREENSHOTS = join(root, 'dist/screenshots');
const BACKENDS = ['wasm', 'cpu', 'webgl', 'webgpu'] as const;

const attacked = (page: Page) => page.waitForSelector('#bench[aria-busy="false"]');
const complete = (page: Page) => page.waitForSelector('#curve[aria-busy="false"]');

/** Takes up the settings of an address, on the page that is open. */
async function settle(page: Page, hash: string): Promise<void> {
  await page.evaluate((given) => {
    document.getElementById('bench')?.setAttribute('aria-busy', 'true');
    // Another address must follow, even if it is the same one.
    history.replaceState(null, '', '#');
    location.hash = given;
  }, hash);
  await attacked(page);
}

/** Writes a radius, as a person does. */
async function write(page: Page, epsilon: string): Promise<void> {
  await page.locator('#epsilon').fill(epsilon);
  await page.locator('#epsilon').press('Enter');
}

/** What the page shows of an attack on one side. */
async function shown(page: Page, side: 'left' | 'right') {
  const column = page.locator(`.column[data-side="${side}"]`);
  const pixels = await column.locator('.example canvas').evaluate((element) => {
    const canvas = element as HTMLCanvasElement;
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
  });
  const text = async (name: string) => (await column.locator(name).textContent()) ?? '';
  return {
    reads: await text('.reading-class'),
    state: await text('.state'),
    trouble: await text('.trouble'),
    hasPicture: await column.locator('.example').isVisible(),
    pixels,
  };
}

const figure = async (page: Page, name: string): Promise<string[]> =>
  page.evaluate((title) => {
    const row = [...document.querySelectorAll('#figures tbody tr')].find((tr) => tr.children[0].textContent === title);
    return [...(row?.children ?? [])].slice(1).map(({ textContent }) => textContent ?? '');
  }, name);

/** A figure of both networks, as soon as it is there. */
async function figureOfBoth(page: Page, name: string): Promise<readonly [left: string, right: string]> {
  for (;;) {
    const [left, right] = await figure(page, name);
    if (right !== undefined) return [left, right];
    await page.waitForTimeout(20);
  }
}

describe('the playground', function () {
  this.timeout(180_000);
  let browser: Browser;
  let withWebgpu: Browser;
  let folder: string;
  before(async () => {
    execFileSync(process.execPath, [join(root, 'scripts/build-playground.mjs')], { stdio: 'inherit' });
    mkdirSync(SCREENSHOTS, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'equipoise-playground-'));
    browser = await launchChromium();
    withWebgpu = await launchChromium({ webgpu: true });
    await tf.setBackend('cpu');
  });
  after(async () => {
    for (const each of [browser, withWebgpu]) await each?.close();
    if (folder) rmSync(folder, { recursive: true });
  });

  /** Opens the page, which must ask for its own files alone, throw nothing and say nothing in the console. */
  async function open(hash: string, use: (page: Page) => Promise<void>, options: BrowserContextOptions = {}) {
    const context = await (/backend=webgpu/.test(hash) ? withWebgpu : browser).newContext(options);
    const asked = new Set<string>();
    const faults: string[] = [];
    try {
      const page = await context.newPage();
      page.on('request', (request) => asked.add(request.url()));
      page.on('pageerror', ({ message }) => faults.push(message));
      page.on('console', (message) => {
        if (message.type() === 'error') faults.push(message.text());
      });
      await page.goto(address + hash);
      await attacked(page);
      await use(page);
      expect(faults).to.deep.equal([]);
      const strange = [...asked].filter(
        (url) => !/^(data|blob):/.test(url) && !url.startsWith(pathToFileURL(playground).href),
      );
      expect(strange).to.deep.equal([]);
    } finally {
      await context.close();
    }
  }

  /** Writes a LayersModel as its two files. */
  async function writeLayersModel(name: string): Promise<readonly string[]> {
    const net = sequential({
      layers: [
        layers.conv2d({ inputShape: [8, 8, 3], filters: 4, kernelSize: 3, padding: 'same', activation: 'relu6' }),
        // Its gradient is among those that the WebAssembly backend lacks.
        layers.depthwiseConv2d({ kernelSize: 3, padding: 'same', activation: 'elu' }),
        layers.batchNormalization(),
        layers.averagePooling2d({ poolSize: 2 }),
        layers.flatten(),
        layers.dense({ units: 4, activation: 'softmax', kernelInitializer: 'randomNormal' }),
      ],
    });
    const files = [`${name}.json`, `${name}.weights.bin`].map((file) => join(folder, file));
    await net.save(
      tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData }) => {
        writeFileSync(files[1], new Uint8Array(weightData as ArrayBuffer));
        const weightsManifest = [{ paths: [`${name}.weights.bin`], weights: weightSpecs }];
        writeFileSync(files[0], JSON.stringify({ modelTopology, weightsManifest }));
        return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
      }),
    );
    net.dispose();
    return files;
  }

  it('fools the undefended network and not the robust one, alike on every backend', async () => {
    const examples: number[][] = [];
    for (const backend of BACKENDS) {
      await open(`#attack=fgsm&epsilon=0.1&backend=${backend}`, async (page) => {
        const [left, right] = [await shown(page, 'left'), await shown(page, 'right')];
        expect([left.reads, left.state, right.reads, right.state]).to.deep.equal(['3', 'falls', '2', 'holds']);
        expect(await page.textContent('#verdict')).to.equal(
          'Within ε = 0.1 the undefended network reads the 2 as 3; the robust network still reads 2.',
        );
        for (const distance of await figure(page, 'distance in linf')) expect(distance).to.equal('0.1000 (25.5/255)');
        examples.push(left.pixels);
      });
    }
    for (const example of examples.slice(1)) {
      const differing = example.filter((value, i) => Math.abs(value - examples[0][i]) > 1).length;
      // Where the gradient is hardly other than 0, rounding decides its sign.
      expect(differing / example.length).to.be.below(0.05);
    }
  });

  it('runs every attack in each of its norms', () =>
    open('#backend=wasm', async (page) => {
      await page.locator('#cancel').click();
      for (const [attack, norms] of Object.entries(attackNorms) as [AttackName, readonly string[]][]) {
        for (const norm of norms) {
          await settle(page, `#backend=wasm&attack=${attack}&norm=${norm}&steps=2`);
          for (const side of ['left', 'right'] as const) {
            expect((await shown(page, side)).state, `${attack} in ${norm}`).to.match(/^(falls|holds)$/);
          }
          for (const passes of await figure(page, 'forward passes')) expect(Number(passes)).to.be.above(0);
        }
      }
    }));

  it('draws probability against ε, and marks where each network falls', () =>
    open('#backend=wasm&steps=2', async (page) => {
      await complete(page);
      expect(await page.textContent('#progress-text')).to.match(/^PGD of 2 steps in linf, at 31 radii: /);
      for (const side of ['left', 'right'] as const) {
        expect(await page.locator(`#chart .${side} .dot`).count()).to.equal(31);
        const heights = await page
          .locator(`#chart .${side} path`)
          .evaluate((path) => [...(path.getAttribute('d') ?? '').matchAll(/ ([\d.]+)/g)].map(([, y]) => Number(y)));
        expect(heights, 'only falls, so is drawn ever lower').to.deep.equal([...heights].sort((a, b) => a - b));
        const [, radius] = /^falls at ([\d.]+)$/.exec((await page.textContent(`#chart .${side} text`)) ?? '') ?? [];
        await write(page, radius);
        expect((await shown(page, side)).state).to.equal('falls');
        await write(page, (Number(radius) - 0.01).toFixed(2));
        expect((await shown(page, side)).state).to.equal('holds');
      }
      const said = await page.locator('#chart svg').getAttribute('aria-label');
      expect(said).to.match(/^Probability of “2” against ε\. Undefended falls at 0\.\d+; Robust falls at 0\.\d+\.$/);
      // The mark stands below the slider's thumb.
      const line = await page.locator('#chart .now').boundingBox();
      const slider = (await page.locator('#epsilon-slider').boundingBox()) ?? { x: 0, width: 0 };
      const value = Number(await page.inputValue('#epsilon-slider')) / 30;
      expect(line?.x).to.be.closeTo(slider.x + 15 + value * (slider.width - 30), 3);
    }));

  it('takes a radius as people write it, and shows no pictures beside a radius that is none', () =>
    open('#backend=wasm&steps=1&epsilon=8/255', async (page) => {
      expect(await page.inputValue('#epsilon')).to.equal('8/255');
      expect(await figure(page, 'distance in linf')).to.deep.equal(['0.0314 (8.0/255)', '0.0314 (8.0/255)']);
      for (const [written, distance] of [
        ['25.5 / 255', '0.1000 (25.5/255)'],
        ['0,2', '0.2000 (51.0/255)'],
        ['.06', '0.0600 (15.3/255)'],
      ]) {
        await write(page, written);
        await attacked(page);
        expect((await figure(page, 'distance in linf'))[1], written).to.equal(distance);
      }
      for (const [written, message] of [
        ['8', 'Did you mean 8/255?'],
        ['abc', 'Expected a number such as 0.1 or 8/255, got “abc”.'],
        ['', 'got nothing.'],
        ['-0.1', 'got “-0.1”.'],
        ['1/0', 'got “1/0”.'],
      ]) {
        await write(page, written);
        await page.getByText(message).waitFor();
        expect(await page.getByRole('alert').textContent(), written).to.contain(message);
        expect(await page.locator('#epsilon').getAttribute('aria-invalid')).to.equal('true');
        await page.waitForFunction(() => document.querySelector('.example')?.checkVisibility() === false);
        expect(await page.textContent('#verdict')).to.equal('');
      }
      await write(page, '0.1');
      await attacked(page);
      expect(await page.getByRole('alert').textContent()).to.equal('');
      expect((await shown(page, 'left')).hasPicture).to.equal(true);
    }));

  it('takes up the true class of another address', () =>
    open('#backend=wasm&attack=fgsm', async (page) => {
      await settle(page, '#backend=wasm&attack=fgsm&label=3');
      expect(await page.inputValue('#label')).to.equal('3');
      expect(await page.evaluate(() => location.hash)).to.equal('#attack=fgsm&label=3&backend=wasm');
      expect((await shown(page, 'right')).state).to.equal('misread as it is');
      await page.getByRole('radio', { name: 'Digit 4', exact: true }).check();
      await page.waitForFunction(() => !location.hash.includes('label'));
      expect(await page.inputValue('#label')).to.equal('');
    }));

  it('keeps the settings in the address, and passes over what is none', () =>
    open('#backend=wasm&steps=2&seed=7&norm=l7&picture=99&goal=x&stepz=3', async (page) => {
      await page.getByRole('radio', { name: 'Digit 4', exact: true }).check();
      await page.locator('#epsilon-slider').fill('12');
      expect(await page.evaluate(() => location.hash)).to.equal('#picture=4&epsilon=0.12&steps=2&seed=7&backend=wasm');
      await write(page, '8/255');
      await attacked(page);
      const hash = await page.evaluate(() => location.hash);
      expect(hash).to.equal('#picture=4&epsilon=8/255&steps=2&seed=7&backend=wasm');
      const { pixels } = await shown(page, 'left');
      await open(hash, async (again) => {
        expect((await shown(again, 'left')).pixels).to.deep.equal(pixels);
      });
    }));

  it('ends and goes on with a curve as it is told, and attacks within a new radius meanwhile', () =>
    open('#backend=wasm&attack=square&steps=300', async (page) => {
      await page.getByRole('button', { name: 'Cancel' }).click();
      await page.getByRole('button', { name: 'Continue' }).waitFor();
      const done = await page.textContent('#progress-text');
      expect(done).to.match(/^\d+ of 62 attacks$/);
      await write(page, '0.07');
      await page.waitForFunction((before) => document.querySelector('#progress-text')?.textContent !== before, done);
      await attacked(page);
      await complete(page);
      expect((await shown(page, 'left')).state).to.match(/falls|holds/);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('button', { name: 'Cancel' }).waitFor();
    }));

  it('goes for a class, and makes examples of whole grey levels, if asked', () =>
    open('#backend=wasm&epsilon=0.3&goal=8&steps=10', async (page) => {
      const { reads, state } = await shown(page, 'left');
      expect([reads, state]).to.deep.equal(['8', 'falls']);
      await settle(page, '#backend=wasm&goal=2&steps=1');
      expect((await shown(page, 'left')).state).to.equal('as it was');
      await settle(page, '#backend=wasm&epsilon=0.1&bytes=1&steps=2');
      expect(await figureOfBoth(page, 'distance in linf')).to.deep.equal(['0.0980 (25.0/255)', '0.0980 (25.0/255)']);
    }));

  it('attacks a LayersModel and a picture that a person brings, on every backend', async () => {
    const files = await writeLayersModel('net');
    const picture = Uint8Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 37) % 256);
    writeFileSync(join(folder, 'picture.png'), encodePng(picture, [30, 40, 3]));
    // WebGPU in software loses its device with this model.
    for (const backend of BACKENDS.filter((name) => name !== 'webgpu')) {
      await open(`#backend=${backend}&left=own&right=own&epsilon=0.5&attack=fgsm`, async (page) => {
        expect((await shown(page, 'left')).trouble).to.match(/^Choose the files of a network/);
        await page.getByLabel('Files of the left network').setInputFiles([...files]);
        await page.locator('#picture').setInputFiles(join(folder, 'picture.png'));
        await page.locator('.column[data-side="left"] .reading').waitFor();
        await attacked(page);
        const { reads, state, trouble, pixels } = await shown(page, 'left');
        expect(trouble, backend).to.equal('');
        expect(pixels).to.have.length(4 * 8 * 8);
        expect(`${reads} ${state}`, backend).to.match(/^class [0-3] falls$/);
      });
    }
  });

  it('attacks a checkpoint that a person brings, and says what is wrong with other files', () =>
    open('#backend=wasm&left=own&steps=2', async (page) => {
      const choose = (file: string) =>
        page.getByLabel('Files of the left network').setInputFiles(join(playground, file));
      await choose('robust.safetensors');
      await page.locator('.column[data-side="left"] .reading').waitFor();
      await attacked(page);
      expect((await shown(page, 'left')).state).to.equal('holds');
      await choose('digits.png');
      await page.getByText('Expected a model.json together with its .bin files').waitFor();
      expect((await shown(page, 'left')).hasPicture).to.equal(false);
      expect((await shown(page, 'right')).hasPicture).to.equal(true);
    }));

  it('attacks photos with a network of the zoo, names its classes, and takes up digits again', () =>
    open('#backend=wasm&pictures=photos&attack=fgsm', async (page) => {
      expect(await page.inputValue('#epsilon')).to.equal('8/255');
      await page.getByRole('radio', { name: 'Photo ship', exact: true }).check();
      await page.waitForFunction(() => document.querySelector('#curve-title')?.textContent?.includes('“ship”'));
      await attacked(page);
      expect(await page.textContent('#verdict')).to.match(
        / the robust network (still reads ship|reads the ship as [a-z]+)/,
      );
      const names = await page.locator('#figures tbody th').allTextContents();
      expect(names).to.include.members(['airplane', 'ship', 'truck']);
      await page.getByRole('radio', { name: 'Digits' }).check();
      await page.locator('#samples [aria-label="Digit 3"]').waitFor();
      await attacked(page);
      expect(await page.inputValue('#epsilon')).to.equal('0.1');
      await page.waitForFunction(() => document.querySelector('#curve-title')?.textContent?.includes('“2”'));
    }));

  it('runs the fastest of the backends that it has timed', () =>
    open('#attack=fgsm', async (page) => {
      await page.waitForFunction(() =>
        /A step of both/.test(document.querySelector('#backend-note')?.textContent ?? ''),
      );
      await attacked(page);
      const note = (await page.textContent('#backend-note')) ?? '';
      const times = [...note.matchAll(/(\w+) (\d+) ms/g)].map(([, name, ms]): [string, number] => [name, Number(ms)]);
      expect(Object.fromEntries(times)).to.have.property('WebAssembly');
      const least = Math.min(...times.map(([, ms]) => ms));
      const [, running] = /^(\w+) runs\./.exec(note) ?? [];
      expect(new Map(times).get(running)).to.equal(least);
    }));

  it('is worked by the keyboard, and announces its result', () =>
    open('#backend=wasm&steps=2', async (page) => {
      await page.locator('#epsilon-slider').focus();
      for (let i = 0; i < 8; i++) await page.keyboard.press('ArrowLeft');
      await attacked(page);
      expect(await page.inputValue('#epsilon')).to.equal('0.02');
      expect(await page.locator('#epsilon-slider').getAttribute('aria-valuetext')).to.equal('ε = 0.02');
      expect(await page.getByRole('status').textContent()).to.match(
        /^Within ε = 0\.02 the undefended network still reads 2;/,
      );
    }));

  it('keeps networks and slider in view on a phone, with text that can be read', () =>
    open(
      '#backend=wasm&steps=2',
      async (page) => {
        expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.be.at.most(390);
        const sizes = await page.evaluate(() =>
          [...document.querySelectorAll('#chart text')].map((text) =>
            Number.parseFloat(getComputedStyle(text).fontSize),
          ),
        );
        expect(Math.min(...sizes)).to.be.at.least(11);
        await page.getByText('Or one of your own').scrollIntoViewIfNeeded();
        await page.evaluate(() => scrollBy(0, 400));
        for (const part of [
          '.column[data-side="left"] canvas',
          '.column[data-side="right"] canvas',
          '#epsilon-slider',
        ]) {
          const box = await page.locator(part).first().boundingBox();
          expect(box?.y, part).to.be.at.least(0);
          expect((box?.y ?? 0) + (box?.height ?? 0), part).to.be.at.most(422);
        }
        await page.screenshot({ path: join(SCREENSHOTS, 'playground-phone.png') });
      },
      { viewport: { width: 390, height: 844 }, hasTouch: true },
    ));

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`gives axe nothing serious to find in ${colorScheme}, on a screen and on a phone, all parts unfolded`, () =>
      open(
        '#backend=wasm&steps=2',
        async (page) => {
          await complete(page);
          await page.screenshot({ path: join(SCREENSHOTS, `playground-${colorScheme}.png`) });
          await page.evaluate(() => {
            for (const details of document.querySelectorAll('details')) details.open = true;
          });
          const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
          expect(luminance(background) > 0.5).to.equal(colorScheme === 'light');
          expect(await seriousFaults(page)).to.deep.equal([]);
          await page.setViewportSize({ width: 390, height: 844 });
          expect(await seriousFaults(page)).to.deep.equal([]);
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
