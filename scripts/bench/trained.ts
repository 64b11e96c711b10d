// Times trained masks against random ones.
import * as tf from '@tensorflow/tfjs-core';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { ACTION_LABELS, type Action } from './actions.ts';
import { describeDifferences } from './agreement.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { duel, timesOf } from './duel.ts';
import { type Loop, loopSparsities, loopTable, timeLoop } from './loop.ts';
import { countsOf, type Net, netOf, randomBatch } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import type { Times } from './turns.ts';

const ACTIONS: readonly Action[] = ['attack', 'step', 'pgd'];

/** A trained network's masks beside random ones of the same sizes, and PyTorch. */
async function maskTable(checkpoint: string, context: Context): Promise<string> {
  const { program, params, state, model } = await loadModel(checkpoint);
  const trained: Net = { name: 'trained', program, params, state };
  const random = netOf('random', program, countsOf(trained));
  const batch = randomBatch(context.batch, program.classes);
  const { times, differences } = await duel([trained, random], batch, ACTIONS, context);
  tf.dispose([batch.images, batch.labels]);
  const timed = (action: Action) =>
    ['pytorch', 'trained', 'random'].map((name) => timesOf(times.get(action) as Times, name));
  const rows = ACTIONS.map((action) => {
    const [pytorch, own, other] = timed(action);
    return [
      ACTION_LABELS[action],
      ...(context.python ? [number(min(pytorch)), number(median(pytorch))] : []),
      ...[min(own), median(own), min(other), median(other)].map(number),
      ratio(min(own) / min(other)),
      ...(context.python ? [ratio(min(pytorch) / min(own))] : []),
    ];
  });
  const header = [
    `${model.name}, width ${model.width}`,
    ...(context.python ? ['PyTorch min, ms', 'median'] : []),
    ...['trained masks min, ms', 'median', 'random masks min, ms', 'median', 'trained / random'],
    ...(context.python ? ['PyTorch / trained'] : []),
  ];
  const agreement =
    differences.length > 0
      ? `\n\nLargest relative l2 differences from PyTorch: ${describeDifferences(differences)}.`
      : '';
  return markdownTable(header, rows) + agreement;
}

/** The loop of `equipoise train` beside its bare steps, and the masks that come of it. */
export const trained: Section = {
  name: 'trained',
  conditions: inRounds,
  run: async (context) => {
    const loops: Loop[] = [];
    for (const sparsity of loopSparsities(context)) {
      loops.push(await timeLoop(sparsity, context));
      context.log(`  the loop timed at ${percent(sparsity)}`);
    }
    const [first] = loops;
    if (first === undefined) return 'The loop is timed at 95 and 99 % only, and neither is asked for.';
    const masks = await maskTable(first.checkpoint, context);
    const given = context.checkpoint ? await maskTable(context.checkpoint, context) : null;
    return [
      '### As `equipoise train` runs it, and trained masks',
      '',
      loopTable(loops, context),
      '',
      `Masks of that network at ${percent(first.sparsity)} beside random ones with as many weights in each layer:`,
      '',
      masks,
      ...(given
        ? ['', 'The same with the masks of a network that was trained for longer (`--checkpoint`):', '', given]
        : []),
    ].join('\n');
  },
};
