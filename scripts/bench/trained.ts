import * as tf from '@tensorflow/tfjs-core';
import { loadModel } from '../../src/checkpoints/load-model.ts';
import { ACTION_LABELS, type Action } from './actions.ts';
import { describeDifferences } from './agreement.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { duel, timesOf } from './duel.ts';
import { countsOf, type Net, netOf, randomBatch } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { pretendedCifar, runTraining, type TrainingRun } from './training-run.ts';
import type { Times } from './turns.ts';

const SPARSITY = 0.95;
const STEPS = 10;
const ACTIONS: readonly Action[] = ['attack', 'step', 'pgd'];

/** RigL with adversarial training, as the command trains, with masks that change several times. */
const trainOneEpoch = (context: Context): Promise<TrainingRun> => {
  const images = STEPS * context.batch;
  return runTraining(
    {
      model: 'vgg16',
      width: context.width,
      method: 'rigl',
      sparsity: SPARSITY,
      distribution: 'uniform',
      updateInterval: 2,
      updateEnd: 1,
      batchSize: context.batch,
      trainLimit: images,
    },
    pretendedCifar(context.folder, images),
    context.folder,
  );
};

/** A trained network's masks beside random ones of the same sizes, and PyTorch. */
async function maskTable(checkpoint: string, context: Context): Promise<{ text: string; pgd: number; rival: number }> {
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
  const [rival, pgd] = timed('pgd').map(min);
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
  return { text: markdownTable(header, rows) + agreement, pgd, rival };
}

function epochText(run: TrainingRun, pgd: number, rival: number, { python, batch }: Context): string {
  const step = run.training / run.steps;
  const compared = python
    ? ` PyTorch's bare PGD-10 steps alone, without data, mask updates or metrics, would take ${number((run.steps * rival) / 1000)} s: ${ratio(rival / 1000 / step)} as long a step.`
    : '';
  return (
    `One epoch of ${run.steps} steps (batch ${batch}, PGD-10, RigL with ${run.maskUpdates} mask updates, generated images) ` +
    `took ${number(run.wall)} s from start to end. Of it training took ${number(run.training)} s, ${number(step)} s a step ` +
    `(${percent(run.attackShare)} of it the attack), against ${number(pgd / 1000)} s of the bare PGD-10 step in the table below; ` +
    `loading, metrics under attack and checkpoints took ${number(run.wall - run.training)} s.${compared}`
  );
}

/** One epoch as the command trains, and the masks that come of it. */
export const trained: Section = {
  name: 'trained',
  conditions: inRounds,
  run: async (context) => {
    const run = await trainOneEpoch(context);
    context.log('  one epoch trained');
    const { text, pgd, rival } = await maskTable(run.checkpoint, context);
    const given = context.checkpoint ? await maskTable(context.checkpoint, context) : null;
    return [
      '### As `equipoise train` runs it, and trained masks',
      '',
      `VGG16, ${percent(SPARSITY)}. ${epochText(run, pgd, rival, context)}`,
      '',
      'Masks of that network beside random ones with as many weights in each layer:',
      '',
      text,
      ...(given
        ? ['', 'The same with the masks of a network that was trained for longer (`--checkpoint`):', '', given.text]
        : []),
    ].join('\n');
  },
};
