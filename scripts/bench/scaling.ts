// Times how work grows with batch, width, sparsity and threads.
import * as tf from '@tensorflow/tfjs-core';
import { ENGINE, engineInfo, registerEngine } from '../../src/engine/index.ts';
import { flops } from '../../src/models/inspect.ts';
import { actionsOf } from './actions.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { type Batch, disposeNet, type Net, randomBatch, randomNet } from './nets.ts';
import { growthExponent, median, min } from './statistics.ts';
import { markdownTable, number, percent } from './table.ts';
import { milliseconds, type Side, takeTurns } from './turns.ts';

const MODEL = 'vgg16';
const SPARSITY = 0.95;
const BATCHES = [16, 32, 64, 128, 256];
const WIDTHS = [0.25, 0.5, 1, 1.5];
const SPARSITIES = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995];
const THREADS = [1, 2, 3];

/** One point on an axis: what is run there, on how many threads. */
interface Point {
  readonly label: string;
  /** What time is compared with: images, multiply-adds an image, threads. */
  readonly amount: number;
  readonly net: Net;
  readonly batch: Batch;
  readonly threads: number;
}

interface Axis {
  readonly name: string;
  readonly amount: string;
  points(context: Context): Point[];
}

const point = (label: string, amount: (net: Net) => number, net: Net, batch: number, threads: number): Point => ({
  label,
  amount: amount(net),
  net,
  batch: randomBatch(batch),
  threads,
});

/** Multiply-adds of a training step's or attack's forward pass. */
const multiplyAdds = ({ program, params }: Net): number => flops(program, params);

const AXES: readonly Axis[] = [
  {
    name: 'batch',
    amount: 'images',
    points: ({ threads, width }) =>
      BATCHES.map((batch) => point(String(batch), () => batch, randomNet(MODEL, SPARSITY, width), batch, threads)),
  },
  {
    name: 'width',
    amount: 'multiply-adds',
    points: ({ threads, batch, width }) =>
      WIDTHS.map((factor) =>
        point(`${factor}`, multiplyAdds, randomNet(MODEL, SPARSITY, factor * width), batch, threads),
      ),
  },
  {
    name: 'sparsity',
    amount: 'multiply-adds',
    points: ({ threads, batch, width }) =>
      SPARSITIES.map((sparsity) =>
        point(
          `${Number((100 * sparsity).toFixed(1))} %`,
          multiplyAdds,
          randomNet(MODEL, sparsity, width),
          batch,
          threads,
        ),
      ),
  },
  {
    name: 'threads',
    amount: 'threads',
    points: ({ batch, width }) =>
      THREADS.map((threads) =>
        point(String(threads), () => threads, randomNet(MODEL, SPARSITY, width), batch, threads),
      ),
  },
];

const ACTIONS = ['attack', 'step'] as const;

async function axisTable({ name, amount, points: pointsOf }: Axis, context: Context): Promise<string> {
  const points = pointsOf(context);
  const sides = points.flatMap(({ label, net, batch, threads }) => {
    const actions = actionsOf(net, batch);
    return ACTIONS.map(
      (action): Side => ({
        name: `${label} ${action}`,
        run: async () => {
          if (engineInfo()?.threads !== threads) {
            await registerEngine({ threads });
            // New threads start cold.
            await actions[action]();
          }
          return milliseconds(actions[action]);
        },
      }),
    );
  });
  const times = await takeTurns(sides, context.rounds);
  await registerEngine({ threads: context.threads });
  for (const { net, batch } of points) {
    disposeNet(net);
    tf.dispose([batch.images, batch.labels]);
  }
  const of = (label: string, action: string): readonly number[] => times.get(`${label} ${action}`) ?? [];
  const rows = points.map(({ label, amount: x }) => [
    label,
    ...ACTIONS.flatMap((action) => {
      const list = of(label, action);
      const first = points[0];
      const growth = min(list) / min(of(first.label, action));
      return [number(min(list)), number(median(list)), `${growth.toFixed(2)} (${(x / first.amount).toFixed(2)})`];
    }),
  ]);
  const exponents = ACTIONS.map((action) => {
    const exponent = growthExponent(
      points.map((at) => at.amount),
      points.map(({ label }) => min(of(label, action))),
    );
    return `${action} ${exponent.toFixed(2)}`;
  });
  const header = [name, ...ACTIONS.flatMap((action) => [`${action} min, ms`, 'median', `grows (${amount})`])];
  return `${markdownTable(header, rows)}\n\nTime grows as the power of the ${amount}: ${exponents.join(', ')}.`;
}

/** How time grows with batch, width, sparsity and threads. */
export const scaling: Section = {
  name: 'scaling',
  conditions: inRounds,
  run: async (context) => {
    await tf.setBackend(ENGINE);
    const tables: string[] = [];
    for (const axis of AXES) {
      tables.push(await axisTable(axis, context));
      context.log(`  ${axis.name} timed`);
    }
    return [
      '### How time grows',
      '',
      `VGG16, ${percent(SPARSITY)}, batch ${context.batch}, ${context.threads} threads unless the table says otherwise. "Grows" is the time over that of the first row, and in brackets what the work, or the number of threads, grew by.`,
      '',
      tables.join('\n\n'),
    ].join('\n');
  },
};
