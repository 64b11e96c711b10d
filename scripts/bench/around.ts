// Times what is around the kernels: threads, memory, storage, start of the command.
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Tensor1D } from '@tensorflow/tfjs-core';
import * as tf from '@tensorflow/tfjs-core';
import { type Classifier, pgd } from '../../attacks/index.ts';
import { foldIn, seedKey } from '../../src/core/key.ts';
import { isSparse } from '../../src/core/params.ts';
import { ENGINE, engineInfo } from '../../src/engine/index.ts';
import { RunNetwork, RunNetworkGradient, runNetwork } from '../../src/ops/network.ts';
import { actionsOf } from './actions.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { FORMATS } from './duel.ts';
import { disposeNet, type Net, randomBatch, randomNet, storedNet } from './nets.ts';
import { engine } from './profile.ts';
import { startPython } from './rival.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number } from './table.ts';
import { verdict, verdictAtMost } from './targets.ts';
import { milliseconds, takeTurns } from './turns.ts';

const MOST_SPARSE = 0.99;
/** PGD-10 attacks of which the fastest is taken apart. */
const ATTACKS = 10;
const JOBS = 5000;
/** What the main thread does alone for so long, as JavaScript does between jobs; workers sleep after a tenth of it. */
const ALONE_MS = 1;
const JOBS_AFTER_SLEEP = 500;

type Row = readonly [what: string, figure: string, verdict: string];

const workAlone = (): void => {
  const end = performance.now() + ALONE_MS;
  while (performance.now() < end);
};

/** Microseconds of a job that ends when every thread has come: of workers that wait for the next one, and of sleeping ones. */
function handOff(): Row[] {
  const { heap, pool } = engine();
  const { threads } = pool;
  const arrived = heap.allocate(4);
  const times = (jobs: number, rest: () => void): number[] =>
    Array.from({ length: jobs }, () => {
      heap.int32(arrived, 1)[0] = 0;
      rest();
      const start = performance.now();
      pool.run(threads, 'meet', { arrived, threads });
      return 1000 * (performance.now() - start);
    });
  times(JOBS, () => {});
  const waiting = times(JOBS, () => {});
  const asleep = times(JOBS_AFTER_SLEEP, workAlone);
  heap.free(arrived);
  const what = `hand-off to ${threads} threads and back`;
  const figures = (all: readonly number[]): string => `${number(min(all))} / ${number(median(all))} µs`;
  return [
    [`${what} (minimum / median)`, figures(waiting), verdictAtMost(median(waiting), 5, ' µs')],
    [`${what}, after ${ALONE_MS} ms of the main thread alone (minimum / median)`, figures(asleep), ''],
  ];
}

/** Milliseconds spent in kernels of whole networks while `work` runs. */
async function insideNetworks(work: () => Promise<void>): Promise<number> {
  let inside = 0;
  const configs = [RunNetwork, RunNetworkGradient].map((name) => tf.getKernel(name, ENGINE));
  const originals = configs.map(({ kernelFunc }) => kernelFunc);
  configs.forEach((config, i) => {
    config.kernelFunc = (call) => {
      const start = performance.now();
      const result = originals[i](call);
      inside += performance.now() - start;
      return result;
    };
  });
  try {
    await work();
  } finally {
    configs.forEach((config, i) => {
      config.kernelFunc = originals[i];
    });
  }
  return inside;
}

/** The share of a PGD-10 attack at 99 % that is not the network: signs, projections, the loss, tfjs itself. */
async function outsideNetwork({ batch: size, width }: Context): Promise<Row> {
  const net = randomNet('vgg16', MOST_SPARSE, width);
  const batch = randomBatch(size);
  const actions = actionsOf(net, batch);
  await actions.perturb();
  const runs: { total: number; inside: number }[] = [];
  for (let i = 0; i < ATTACKS; i++) {
    let inside = 0;
    const total = await milliseconds(async () => {
      inside = await insideNetworks(actions.perturb);
    });
    runs.push({ total, inside });
  }
  actions.dispose();
  disposeNet(net);
  const [fastest] = runs.toSorted((a, b) => a.total - b.total);
  const share = 100 * (1 - fastest.inside / fastest.total);
  return [
    'share of PGD-10 at 99 % outside the network, in the fastest run',
    `${number(share)} %`,
    verdictAtMost(share, 10, ' %'),
  ];
}

/** Megabytes of a process: what its imports take, and its peak in all. */
interface Memory {
  readonly imports: number;
  readonly peak: number;
}

const ownMemory = ({ batch, width, threads }: Context): Memory => {
  const script = fileURLToPath(new URL('./memory-of-step.js', import.meta.url));
  const parameters = ['resnet18', MOST_SPARSE, width, batch, threads, engineInfo()?.build].map(String);
  const answer = execFileSync(process.execPath, [...process.execArgv, script, ...parameters], { encoding: 'utf8' });
  return JSON.parse(answer) as Memory;
};

/** Memory of the same two steps in PyTorch: the smaller peak of both memory formats, each in a process of its own. */
async function rivalMemory(python: string, { batch, width, threads, folder }: Context): Promise<Memory> {
  const net = randomNet('resnet18', MOST_SPARSE, width);
  const tensors = storedNet(net, randomBatch(batch));
  const { name, program } = net;
  disposeNet(net);
  const peaks: Memory[] = [];
  for (const side of FORMATS) {
    const rival = await startPython(python, folder, threads);
    try {
      await rival.ask({ do: 'load', net: name, file: rival.store('memory', tensors), program, sides: [side] });
      for (let i = 0; i < 2; i++) await rival.ask({ do: 'time', net: name, side, action: 'step' });
      const { imports, peak } = await rival.ask({ do: 'memory' });
      peaks.push({ imports: Number(imports), peak: Number(peak) });
    } finally {
      rival.stop();
    }
  }
  return peaks.toSorted((a, b) => a.peak - b.peak)[0];
}

/**
 * Peak resident memory of a process that trains ResNet-18 at 99 %: in all, and on top of imports, since a good part of
 * PyTorch's are libraries for devices that are not there.
 */
async function memory(context: Context): Promise<Row[]> {
  const what = 'peak resident memory, ResNet-18 step at 99 %';
  const above = ({ imports, peak }: Memory): number => peak - imports;
  const ours = ownMemory(context);
  if (context.pythonPath === undefined)
    return [
      [`${what}, above that of imports`, `${number(above(ours))} MiB`, ''],
      [`${what}, in all`, `${number(ours.peak)} MiB`, ''],
    ];
  const theirs = await rivalMemory(context.pythonPath, context);
  const row = (title: string, of: (memory: Memory) => number): Row => {
    const share = (100 * of(ours)) / of(theirs);
    return [
      `${what}, ${title}, over PyTorch's`,
      `${number(of(ours))} / ${number(of(theirs))} MiB: ${number(share)} %`,
      verdictAtMost(share, 50, ' %'),
    ];
  };
  return [row('above that of imports', above), row('in all', ({ peak }) => peak)];
}

/** A random network with its own predictions as labels falls quickly in a large ball: solved images leave the batch. */
async function compaction({ batch: size, width, rounds }: Context): Promise<Row> {
  const net: Net = randomNet('vgg16', MOST_SPARSE, width);
  const { images, labels } = randomBatch(size);
  const classifier: Classifier = (pixels) =>
    runNetwork(net.program, net.params, net.state, pixels, { training: false }).logits;
  const predicted = tf.tidy(() => tf.cast(tf.argMax(classifier(images), -1), 'int32')) as Tensor1D;
  const attack = pgd({ epsilon: 0.3, steps: 50, stepSize: 0.05 });
  const key = foldIn(seedKey('bench'), 'compaction');
  const sides = (['evaluate', 'train'] as const).map((mode) => ({
    name: mode,
    run: () =>
      milliseconds(async () => {
        (await attack.perturb(classifier, images, predicted, { key, mode })).dispose();
      }),
  }));
  const times = await takeTurns(sides, rounds);
  disposeNet(net);
  tf.dispose([images, labels, predicted]);
  const gain = min(times.get('train') ?? []) / min(times.get('evaluate') ?? []);
  return ['PGD-50 at 0.3 with solved images left out, against all steps of all', `${number(gain)}×`, verdict(gain, 3)];
}

/** Bytes of a network's weights stored sparse, 4 a value and 4 a position, over those stored dense. */
function storage({ width }: Context): Row {
  const net = randomNet('vgg16', MOST_SPARSE, width);
  let [sparse, dense] = [0, 0];
  for (const param of [...Object.values(net.params), ...Object.values(net.state)]) {
    sparse += isSparse(param) ? 8 * param.values.size : 4 * param.size;
    dense += 4 * (isSparse(param) ? param.structure.shape.reduce((a, b) => a * b) : param.size);
  }
  disposeNet(net);
  const share = (100 * sparse) / dense;
  return ['VGG16 at 99 % stored sparse, over dense', `${number(share)} %`, verdictAtMost(share, 3, ' %')];
}

async function help({ rounds }: Context): Promise<Row> {
  const main = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
  const times: number[] = [];
  for (let i = 0; i <= rounds; i++) {
    times.push(await milliseconds(() => void spawnSync(process.execPath, [main, '--help'], { stdio: 'ignore' })));
  }
  return ['equipoise --help (minimum)', `${number(min(times))} ms`, verdictAtMost(min(times), 300, ' ms')];
}

/** Costs beside the kernels: threads, memory, storage, start of the command. */
export const around: Section = {
  name: 'around',
  conditions: (context) =>
    `${inRounds(context)} (hand-off ${JOBS} and ${JOBS_AFTER_SLEEP} jobs, share outside the network ${ATTACKS} attacks, memory 2 steps)`,
  run: async (context) => {
    const rows = [
      ...handOff(),
      await outsideNetwork(context),
      ...(await memory(context)),
      storage(context),
      await help(context),
      await compaction(context),
    ];
    for (const [what, , verdict] of rows) if (verdict !== '') context.judge(what, verdict);
    return [
      '### Around the kernels',
      '',
      markdownTable(
        ['', 'figure'],
        rows.map(([what, figure]) => [what, figure]),
      ),
    ].join('\n');
  },
};
