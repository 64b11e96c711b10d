import { ACTION_LABELS, type Action, actionsOf, PGD_STEPS } from './actions.ts';
import { type Differences, describeDifferences, loadAndCompare, rivalSide } from './agreement.ts';
import type { Context, Section } from './context.ts';
import { disposeNet, type Net, randomBatch, randomNet } from './nets.ts';
import { median, min } from './statistics.ts';
import { markdownTable, number, percent, ratio } from './table.ts';
import { standing, targetOf } from './targets.ts';
import { fastestOf, milliseconds, type Side, type Times, takeTurns } from './turns.ts';

export const FORMATS = ['contiguous', 'channels_last'] as const;

/** PyTorch's sides of an action: one a memory format. */
export const pytorchSides = ({ python }: Context, net: Net, action: Action): Side[] =>
  python === null
    ? []
    : FORMATS.map((side) => rivalSide(python, `pytorch ${side}`, { net: net.name, side, action, steps: PGD_STEPS }));

/** Times of one side, or of PyTorch's faster format. */
export const timesOf = (times: Times, name: string): readonly number[] =>
  times.get(name) ?? [...times].find(([side]) => side.startsWith(name))?.[1] ?? [];

interface Model {
  readonly model: string;
  readonly actions: readonly Action[];
}

async function modelRows({ model, actions }: Model, context: Context): Promise<{ rows: string[][]; note: string }> {
  const batch = randomBatch(context.batch);
  const nets = context.sparsities.map((sparsity) => ({ sparsity, net: randomNet(model, sparsity, context.width) }));
  const differences: Differences[] = [];
  for (const { net, sparsity } of nets) {
    if (context.python === null) continue;
    differences.push(await loadAndCompare(context.python, net, batch));
    context.log(`  ${model} ${percent(sparsity)} agrees with PyTorch: ${describeDifferences(differences.slice(-1))}`);
  }
  const engines = nets.map(({ net, sparsity }) => ({ sparsity, actions: actionsOf(net, batch) }));
  const rows: string[][] = [];
  for (const action of actions) {
    // A masked dense network costs PyTorch the same at every sparsity.
    const theirs = pytorchSides(context, nets[nets.length - 1].net, action);
    const ours = engines.map(
      ({ sparsity, actions }): Side => ({ name: String(sparsity), run: () => milliseconds(actions[action]) }),
    );
    const sides = [...theirs, ...ours];
    const times = await takeTurns(
      sides,
      context.rounds,
      fastestOf(
        sides,
        theirs.map(({ name }) => name),
      ),
    );
    for (const sparsity of context.sparsities) {
      rows.push(row({ model, action, sparsity }, timesOf(times, String(sparsity)), timesOf(times, 'pytorch'), context));
    }
    context.log(`  ${model} ${action} timed`);
  }
  for (const { actions } of engines) actions.dispose();
  for (const { net } of nets) disposeNet(net);
  await context.python?.ask({ do: 'unload' });
  const note = differences.length > 0 ? `${model}: ${describeDifferences(differences)}` : '';
  return { rows, note };
}

function row(
  { model, action, sparsity }: { model: string; action: Action; sparsity: number },
  ours: readonly number[],
  theirs: readonly number[],
  { build, batch, width }: Context,
): string[] {
  const label = `${model}, ${ACTION_LABELS[action]}, ${percent(sparsity)}`;
  if (theirs.length === 0) return [label, number(min(ours)), number(median(ours))];
  const target = batch === 128 && width === 1 ? targetOf(model, action, sparsity, build) : undefined;
  return [
    label,
    ...[min(theirs), median(theirs), min(ours), median(ours)].map(number),
    ratio(min(theirs) / min(ours)),
    ratio(median(theirs) / median(ours)),
    target ? standing(min(theirs) / min(ours), target) : '',
  ];
}

export const networkHeader = (context: Context): string[] =>
  context.python === null
    ? ['', 'min, ms', 'median']
    : ['', 'PyTorch min, ms', 'median', 'Equipoise min, ms', 'median', 'ratio of minima', 'of medians', ''];

/** Whole networks with random masks against dense masked PyTorch. */
export const network: Section = {
  name: 'network',
  run: async (context) => {
    const models: Model[] = [
      { model: 'vgg16', actions: ['attack', 'step', 'pgd'] },
      { model: 'resnet18', actions: ['attack', 'step'] },
    ];
    const results = [];
    for (const model of models) results.push(await modelRows(model, context));
    const notes = results.flatMap(({ note }) => (note === '' ? [] : [note]));
    return [
      '### Whole networks, random masks',
      '',
      markdownTable(
        networkHeader(context),
        results.flatMap(({ rows }) => rows),
      ),
      '',
      ...(notes.length > 0 ? [`Largest relative l2 differences from PyTorch before timing: ${notes.join('; ')}.`] : []),
    ].join('\n');
  },
};
