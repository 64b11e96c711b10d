// Times whole networks with random masks against PyTorch, dense with masks.
import { ACTION_LABELS, type Action } from './actions.ts';
import { describeDifferences } from './agreement.ts';
import { type Context, inRounds, type Section } from './context.ts';
import { duel, timesOf } from './duel.ts';
import { randomBatch, randomNet } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { standing, targetOf } from './targets.ts';
import type { Times } from './turns.ts';

interface Model {
  readonly model: string;
  readonly actions: readonly Action[];
}

async function modelRows(
  { model, actions }: Model,
  context: Context,
): Promise<{ rows: string[][]; note: string; across: string }> {
  const { sparsities, width } = context;
  const nets = sparsities.map((sparsity) => randomNet(model, sparsity, width));
  const names = nets.map(({ name }) => name);
  const { times, differences } = await duel(nets, randomBatch(context.batch), actions, context);
  const rows = actions.flatMap((action) => {
    const timed = times.get(action) as Times;
    return sparsities.map((sparsity, i) =>
      row({ model, action, sparsity }, timesOf(timed, names[i]), timesOf(timed, 'pytorch'), context),
    );
  });
  const [quick, slow] = (['one-step', 'pgd'] as const).map((action) => times.get(action));
  const theirs = slow === undefined ? [] : timesOf(slow, 'pytorch');
  const across = sparsities.flatMap((sparsity, i) => {
    if (quick === undefined || theirs.length === 0) return [];
    return [`${ratio(min(theirs) / min(timesOf(quick, names[i])))} at ${percent(sparsity)}`];
  });
  return {
    rows,
    note: differences.length > 0 ? `${model}: ${describeDifferences(differences)}` : '',
    across: across.length > 0 ? `${model}: ${across.join(', ')}` : '',
  };
}

function row(
  { model, action, sparsity }: { model: string; action: Action; sparsity: number },
  ours: readonly number[],
  theirs: readonly number[],
  { build, judge }: Context,
): string[] {
  const label = `${model}, ${ACTION_LABELS[action]}, ${percent(sparsity)}`;
  if (theirs.length === 0) return [label, number(min(ours)), number(median(ours))];
  const target = targetOf(model, action, sparsity, build);
  if (target) judge(label, standing(min(theirs) / min(ours), target));
  return [
    label,
    ...[min(theirs), median(theirs), min(ours), median(ours)].map(number),
    ratio(min(theirs) / min(ours)),
    ratio(median(theirs) / median(ours)),
  ];
}

const headerOf = (context: Context): string[] =>
  context.python === null
    ? ['', 'min, ms', 'median']
    : ['', 'PyTorch min, ms', 'median', 'Equipoise min, ms', 'median', 'ratio of minima', 'of medians'];

/** Whole networks with random masks against dense masked PyTorch. */
export const network: Section = {
  name: 'network',
  conditions: inRounds,
  run: async (context) => {
    const models: Model[] = [
      { model: 'vgg16', actions: ['attack', 'step', 'one-step', 'pgd'] },
      { model: 'resnet18', actions: ['attack', 'step', 'one-step'] },
    ];
    const results = [];
    for (const model of models) results.push(await modelRows(model, context));
    const notes = results.flatMap(({ note }) => (note === '' ? [] : [note]));
    const across = results.flatMap((result) => (result.across === '' ? [] : [result.across]));
    return [
      '### Whole networks, random masks',
      '',
      markdownTable(
        headerOf(context),
        results.flatMap(({ rows }) => rows),
      ),
      '',
      ...(across.length > 0
        ? [
            `A one-step training step of Equipoise against a PGD-10 training step of PyTorch, which trains another network: ${across.join('; ')}.`,
            '',
          ]
        : []),
      ...(notes.length > 0 ? [`Largest relative l2 differences from PyTorch before timing: ${notes.join('; ')}.`] : []),
    ].join('\n');
  },
};
