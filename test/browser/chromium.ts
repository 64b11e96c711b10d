// Starts Chromium for tests, and measures pictures and pages.
import { access, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import { type Browser, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** WebGPU in software, as Vulkan computes it on a processor. */
const WEBGPU = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--disable-gpu-watchdog',
];

/**
 * A browser without a window, which the caller closes; WebGL runs there in software.
 *
 * @param webgpu true for one that has WebGPU too
 */
export async function launchChromium({ webgpu = false } = {}): Promise<Browser> {
  await access(CHROMIUM).catch((error) => {
    throw new Error(
      `These tests need Chromium at ${CHROMIUM}. Install it (Debian: apt-get install chromium), or name it in the environment variable CHROMIUM.`,
      { cause: error },
    );
  });
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...(webgpu ? WEBGPU : ['--disable-gpu'])] });
}

/** WCAG's relative luminance of a colour that a browser computed. */
export function luminance(color: string): number {
  const [r, g, b] = (color.match(/[\d.]+/g) ?? []).map((part) => {
    const value = Number(part) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export const contrast = (a: string, b: string): number => {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
};

/** What axe-core finds wrong with a page that is serious or worse, each with the first elements that it is about. */
export async function seriousFaults(page: Page): Promise<readonly string[]> {
  const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await page.evaluate(source);
  // It would load style sheets once more, which a page that is opened as a file may not.
  const { violations } = (await page.evaluate('axe.run({ preload: false })')) as AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map(({ html }) => html.slice(0, 160))
          .join(' | ')}`,
    );
}
