// Times the engine, alone or beside PyTorch, SparseProp and tfjs-backend-wasm, all sides taking turns in one run.
//
//   npm run bench -- [--python PYTHON] [--tfjs-wasm FOLDER] [--write docs/performance/figures.md] [--only network,layers] …
//
// docs/performance/method.md says what is measured and how to set up the other sides. How the figures compare with the targets in
// bench/targets.ts is printed below each section, and is not written into the page.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs-core';
import { ENGINE, engineInfo, type KernelBuild, registerEngine } from '../src/engine/index.ts';
import { agent } from './bench/agent.ts';
import { Disagreement } from './bench/agreement.ts';
import { around } from './bench/around.ts';
import { replaceFigures } from './bench/blocks.ts';
import type { Context, Section } from './bench/context.ts';
import { imagenet } from './bench/imagenet.ts';
import { layers } from './bench/layers.ts';
import { network } from './bench/network.ts';
import { type Rival, startPython, startTfjsWasm } from './bench/rival.ts';
import { roofline } from './bench/roofline.ts';
import { scaling } from './bench/scaling.ts';
import { sweep } from './bench/sweep.ts';
import { tfjsWasm } from './bench/tfjs-wasm.ts';
import { threats } from './bench/threats.ts';
import { trained } from './bench/trained.ts';

const SECTIONS: readonly Section[] = [
  network,
  trained,
  layers,
  tfjsWasm,
  scaling,
  roofline,
  around,
  agent,
  imagenet,
  threats,
  sweep,
];

const { values: options } = parseArgs({
  options: {
    python: { type: 'string' },
    'tfjs-wasm': { type: 'string' },
    checkpoint: { type: 'string' },
    write: { type: 'string' },
    only: {
      type: 'string',
      default: SECTIONS.filter(({ optional }) => !optional)
        .map(({ name }) => name)
        .join(),
    },
    sparsity: { type: 'string', default: '0,0.9,0.95,0.99' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    batch: { type: 'string', default: '128' },
    width: { type: 'string', default: '1' },
    build: { type: 'string' },
  },
});
const [threads, rounds, batch, width] = [options.threads, options.rounds, options.batch, options.width].map(Number);
const names = options.only.split(',');
const unknown = names.find((name) => !SECTIONS.some((section) => section.name === name));
if (unknown !== undefined)
  throw new Error(`There is no section '${unknown}'; there are ${SECTIONS.map(({ name }) => name).join()}.`);

await registerEngine({ threads, build: options.build as KernelBuild | undefined });
await tf.setBackend(ENGINE);
const kernels: string = engineInfo()?.build ?? '';
const build = kernels === 'relaxed-revec' ? 'revectorize' : 'plain';
const node = `Node ${process.versions.node.split('.')[0]}`;
/** The processor's name without its marks, such as `Intel Xeon`. */
const processor = (cpus()[0]?.model ?? 'unknown processor')
  .replace(/\((?:R|TM)\)|\bProcessor\b|\bCPU\b|@.*$/g, '')
  .replace(/\s+/g, ' ')
  .trim();
const variant = `${node}, kernels ${kernels}, ${processor}`;

/** What stands in a section's place where the sides disagree. */
function refusal(error: unknown): string {
  if (!(error instanceof Disagreement)) throw error;
  process.exitCode = 1;
  return error.message;
}

/** Targets are set for these conditions only. */
const judged = threads === 2 && batch === 128 && width === 1 && kernels !== 'simd';
const verdicts: string[] = [];

const folder = mkdtempSync(join(tmpdir(), 'equipoise-bench-'));
const rivals: Rival[] = [];
const rival = async (starting: Promise<Rival>): Promise<Rival> => {
  const started = await starting;
  rivals.push(started);
  return started;
};
try {
  const python = options.python ? await rival(startPython(options.python, folder, threads)) : null;
  const wasm = options['tfjs-wasm'] ? await rival(startTfjsWasm(options['tfjs-wasm'], folder)) : null;
  const context: Context = {
    rounds,
    batch,
    width,
    threads,
    sparsities: options.sparsity.split(',').map(Number),
    build,
    judge: (figure, verdict) => void (judged && verdicts.push(`  ${figure}: ${verdict}`)),
    python,
    pythonPath: options.python,
    tfjsWasm: wasm,
    checkpoint: options.checkpoint,
    folder,
    log: (message) => console.error(message),
  };
  const versions = { node: process.versions.node, ...python?.versions, ...wasm?.versions };
  const machine = [
    `${cpus()[0]?.model.trim()}, ${availableParallelism()} processors, ${Math.round(totalmem() / 2 ** 30)} GiB`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version ?? 'not installed'}`),
  ].join('; ');
  if (!python) console.error('no --python: the engine alone');
  for (const section of SECTIONS.filter(({ name }) => names.includes(name))) {
    const load = loadavg()[0].toFixed(2);
    const start = performance.now();
    const figures = await section.run(context).catch(refusal);
    const seconds = Math.round((performance.now() - start) / 1000);
    const footer = `${machine}; kernels ${kernels}, ${threads} threads, ${section.conditions(context)}; load average before it ${load}.`;
    const text = `${figures}\n\n${footer}`;
    console.log(`${text}\n`);
    const reached = verdicts.splice(0);
    if (reached.length > 0) console.log(`Targets:\n${reached.join('\n')}\n`);
    console.error(`${section.name}: ${seconds} s`);
    if (options.write) {
      const page = readFileSync(options.write, 'utf8');
      writeFileSync(
        options.write,
        replaceFigures(
          page,
          variant,
          section.name,
          text,
          SECTIONS.map(({ name }) => name),
        ),
      );
    }
  }
} finally {
  for (const started of rivals) started.stop();
  rmSync(folder, { recursive: true });
}
