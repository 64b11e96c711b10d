// Evaluations as text: a matrix of attacks by radii for each checkpoint, and one for checkpoints of equal weights.
import { readingFlags } from '../../checkpoints/pytorch/reading.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import type { Accuracy } from '../../evaluation/intervals.ts';
import { flagsOf } from '../../evaluation/targets/preprocessing.ts';
import { type AcrossNorms, type AttackResult, type Evaluation, UNION } from '../../evaluation/types.ts';
import { datasetTitle } from '../../reporting/runs/runs.ts';
import { formatAccuracy, formatSparsity, formatTable, percent } from '../../reporting/tables/table.ts';
import { fits } from './fits.ts';
import type { Terminal } from './terminal.ts';

type Look = Pick<Terminal, 'columns' | 'style'>;

/** Evaluations as text, in lines that fit where numbers allow it. */
export const evaluationsText = (evaluations: readonly Evaluation[], look: Look): string =>
  sameWeights(evaluations)
    .map((group) => evaluationText(group, look))
    .join('\n\n');

/** Evaluations that follow each other and are of the same weights, as `last` often is `best`. */
export function sameWeights(evaluations: readonly Evaluation[]): readonly (readonly Evaluation[])[] {
  const groups: Evaluation[][] = [];
  for (const evaluation of evaluations) {
    const before = groups.at(-1)?.[0];
    if (before !== undefined && isSame(before, evaluation)) groups.at(-1)?.push(evaluation);
    else groups.push([evaluation]);
  }
  return groups;
}

const isSame = (a: Evaluation, b: Evaluation): boolean =>
  a.target.sha256 === b.target.sha256 &&
  JSON.stringify([a.attacks, a.acrossNorms]) === JSON.stringify([b.attacks, b.acrossNorms]);

function evaluationText(group: readonly Evaluation[], { columns, style }: Look): string {
  const [{ clean, attacks, acrossNorms, alarms, claim }] = group;
  const raised = alarms.filter(({ status }) => status === 'raised');
  const unchecked = alarms.filter(({ status }) => status === 'not checked');
  return [
    style('heading', describeTarget(group)),
    '',
    formatMatrix(clean, attacks, columns, acrossNorms),
    '',
    `Accuracies are of ${clean.n} images. Accuracy under attack is an ${claim}.`,
    ...averagedText(attacks),
    ...raised.map(({ name, detail, help }) => style('bad', `alarm: ${name}: ${detail} See ${help}`)),
    raised.length === 0 ? style('good', 'no alarm') : style('bad', `${raised.length} of ${alarms.length} alarms`),
    ...(unchecked.length === 0 ? [] : [`alarms not checked: ${unchecked.map(({ name }) => `“${name}”`).join(', ')}`]),
  ].join('\n');
}

/** A line about attacks that averaged answers of a model that is random. */
function averagedText(attacks: readonly AttackResult[]): readonly string[] {
  const calls = [...new Set(attacks.flatMap(({ eot = 1 }) => (eot > 1 ? [eot] : [])))];
  return calls.length === 0
    ? []
    : [
        `For each answer attacks averaged ${calls.join(' or ')} calls of the model; a prediction that counts is one call.`,
      ];
}

function describeTarget(group: readonly Evaluation[]): string {
  const [{ target, dataset }] = group;
  const { format, epoch, averaged, sparsity, nonzeros, preprocessing, reading } = target;
  return [
    group.map((evaluation) => evaluation.target.checkpoint).join(' and '),
    ...(epoch === null ? [] : [`epoch ${epoch}`]),
    ...(averaged ? ['averaged weights'] : []),
    ...(format === 'checkpoint' ? [] : [format]),
    ...(sparsity === null ? [] : [`${formatSparsity(Number(sparsity.toFixed(4)))} sparse`]),
    ...(nonzeros === null ? [] : [`${nonzeros} weights`]),
    ...(preprocessing === null ? [] : [flagsOf(preprocessing)]),
    ...(reading === undefined ? [] : [readingFlags(reading)]),
    `on ${datasetTitle(dataset)}`,
  ].join(', ');
}

/** A row of the matrix: accuracies by radius. */
interface Row {
  readonly attack: string;
  readonly cells: ReadonlyMap<string, Accuracy>;
}

const radiusOf = ({ norm, epsilon }: Pick<AttackResult, 'norm' | 'epsilon'>): string =>
  `${norm} ${formatEpsilon(epsilon)}`;

/** Names of the columns of several norms: all norms, or the norms and radii where there are several such columns. */
const acrossColumns = (across: readonly AcrossNorms[]): readonly (readonly [string, Accuracy])[] =>
  across.map(({ threats, robust }) => [across.length === 1 ? 'all norms' : threats.map(radiusOf).join(' + '), robust]);

/** The accuracies of all attacks at all radii; stages of a cascade stand below it. Several norms have a column of their own. */
function rowsOf(clean: Accuracy, attacks: readonly AttackResult[], across: readonly AcrossNorms[]): readonly Row[] {
  const columns = acrossColumns(across);
  const radii = [...new Set(attacks.map(radiusOf)), ...columns.map(([name]) => name)];
  const rows = new Map<string, Map<string, Accuracy>>([['none', new Map(radii.map((radius) => [radius, clean]))]]);
  const names = [...new Set(attacks.map(({ attack }) => attack))];
  const add = (attack: string, radius: string, accuracy: Accuracy) =>
    rows.set(attack, (rows.get(attack) ?? new Map()).set(radius, accuracy));
  for (const name of names) {
    for (const result of attacks.filter(({ attack }) => attack === name)) add(name, radiusOf(result), result.robust);
    for (const result of attacks.filter(({ attack }) => attack === name)) {
      for (const stage of result.stages ?? []) add(`  after ${stage.attack}`, radiusOf(result), stage.robust);
    }
  }
  for (const [name, robust] of columns) add(UNION, name, robust);
  return [...rows].map(([attack, cells]) => ({ attack, cells }));
}

const INTERVALS = 'accuracy [95 %]';

/**
 * Attacks × radii. Intervals are left out where they do not fit, and radii that do not fit side by side are in a table
 * below.
 */
export function formatMatrix(
  clean: Accuracy,
  attacks: readonly AttackResult[],
  columns: number,
  across: readonly AcrossNorms[] = [],
): string {
  const rows = rowsOf(clean, attacks, across);
  const radii =
    attacks.length === 0 ? [''] : [...new Set(attacks.map(radiusOf)), ...acrossColumns(across).map(([name]) => name)];
  const table = (shown: readonly string[], cell: (accuracy: Accuracy) => string) =>
    formatTable(
      ['attack', ...shown],
      rows.map((row) => [
        row.attack,
        ...shown.map((radius) => {
          const accuracy = row.cells.get(radius) ?? (row.attack === 'none' ? clean : undefined);
          return accuracy === undefined ? '–' : cell(accuracy);
        }),
      ]),
    );
  const whole = table(radii, formatAccuracy);
  if (fits(whole, columns)) return `${INTERVALS}\n${whole}`;
  const short = ({ value }: Accuracy) => `${percent(value)} %`;
  const tables: string[] = [];
  for (let start = 0; start < radii.length; ) {
    let count = radii.length - start;
    while (count > 1 && !fits(table(radii.slice(start, start + count), short), columns)) count--;
    tables.push(table(radii.slice(start, start + count), short));
    start += count;
  }
  return `accuracy\n${tables.join('\n\n')}`;
}
