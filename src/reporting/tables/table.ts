// Text for the terminal: figures as people read them, and tables of aligned columns. Pages use the same figures.

import stringWidth from 'string-width';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import type { Accuracy } from '../../evaluation/intervals.ts';
import type { Estimate, PairedDifference } from '../statistics/paired-difference.ts';
import type { MeanAndDeviation, SummaryCell } from './summary.ts';

/** A fraction in per cent with one digit, such as `43.2`; `–` where it is unknown. */
export const percent = (fraction: number): string => (Number.isNaN(fraction) ? '–' : (100 * fraction).toFixed(1));

/** Mean and deviation over seeds, such as `43.2 ± 0.8 %`; a single seed has no deviation. */
export const formatSpread = ({ mean, deviation }: MeanAndDeviation): string =>
  Number.isNaN(deviation) ? `${percent(mean)} %` : `${percent(mean)} ± ${percent(deviation)} %`;

/** An accuracy with Wilson's 95 % interval over the test images, such as `43.2 % [41.0, 45.4]`. */
export const formatAccuracy = ({ value, low, high }: Accuracy): string =>
  `${percent(value)} % [${percent(low)}, ${percent(high)}]`;

/** A sparsity as people write it, such as `95 %`. */
export const formatSparsity = (sparsity: number): string => `${Number((100 * sparsity).toFixed(4))} %`;

/** Blanks that make a text as wide as a column; a character such as 犬 takes two places. */
const blanks = (text: string, width: number): string => ' '.repeat(width - stringWidth(text));

/** Columns of text aligned with blanks; the first `left` columns to the left, the others to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = header.map((title, i) =>
    Math.max(...[title, ...rows.map((row) => row[i])].map((text) => stringWidth(text))),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < left ? cell + blanks(cell, widths[i]) : blanks(cell, widths[i]) + cell))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(header), rule, ...rows.map(line)].join('\n');
}

/** What a summary says of each row; where all rows agree, it is said once above the table. */
const DETAILS: readonly (readonly [title: string, text: (cell: SummaryCell) => string])[] = [
  ['objective', ({ setting }) => setting.objective],
  ['checkpoint', ({ setting }) => setting.checkpoint],
  ['attack', ({ setting }) => setting.attack],
  ['ε', ({ setting }) => (setting.epsilon === null ? '' : formatEpsilon(setting.epsilon))],
  ['images', ({ setting }) => String(setting.n ?? '')],
  ['seeds', ({ rows }) => String(rows.length)],
];

/**
 * Cells as a table for the terminal: a row for each configuration and checkpoint, accuracies in per cent, mean ± standard
 * deviation over seeds.
 */
export function formatSummaryTable(cells: readonly SummaryCell[]): string {
  const differs = ([, text]: (typeof DETAILS)[number]) => new Set(cells.map(text)).size > 1;
  const details = DETAILS.filter(differs);
  const said = DETAILS.filter((detail) => !differs(detail)).map(([title, text]) => `${title} ${text(cells[0])}`);
  const table = formatTable(
    ['sparsity', 'method', 'optimizer', ...details.map(([title]) => title), 'clean', 'robust'],
    cells.map((cell) => [
      formatSparsity(cell.setting.sparsity ?? 0),
      cell.setting.method,
      cell.setting.variant ? `${cell.setting.optimizer}, ${cell.setting.variant}` : cell.setting.optimizer,
      ...details.map(([, text]) => text(cell)),
      formatSpread(cell.clean),
      formatSpread(cell.robust),
    ]),
    3,
  );
  return `${said.join(', ')}\n\n${table}`;
}

/** A fraction in points of per cent with its sign, such as `+1.2`; 0 has no sign. */
export function signed(fraction: number): string {
  const size = percent(Math.abs(fraction));
  return Number.isNaN(fraction) || Number(size) === 0 ? size : `${fraction < 0 ? '−' : '+'}${size}`;
}

/** An estimate with its interval in points of per cent, such as `+1.2 [−0.4, +2.8]`. */
export const formatEstimate = ({ mean, low, high }: Omit<Estimate, 'distinguishable'>): string =>
  `${signed(mean)} [${signed(low)}, ${signed(high)}]`;

/** The mean with its interval, in points of per cent; below three pairs the single differences, such as `−0.3 +1.1`. */
export const formatPoints = ({ differences, estimate }: PairedDifference): string =>
  estimate === null ? differences.map(signed).join(' ') : formatEstimate(estimate);

/**
 * Such as `+1.2 points [−0.4, +2.8], 5 seeds: not distinguishable`; below three pairs the differences seed by seed and no
 * verdict.
 */
export function formatDifference({ n, differences, estimate }: PairedDifference): string {
  if (estimate === null) {
    const seeds = n === 1 ? '1 seed' : `${n} seeds, seed by seed`;
    return `${differences.map(signed).join(' and ')} points, ${seeds}: not enough seeds for a verdict`;
  }
  const { mean, low, high, distinguishable } = estimate;
  return `${signed(mean)} points [${signed(low)}, ${signed(high)}], ${n} seeds: ${distinguishable ? '' : 'not '}distinguishable`;
}

/** Names of the optimizers as text sets them. */
const OPTIMIZERS: Readonly<Record<string, string>> = {
  agent: 'AGENT',
  svrg: 'SVRG',
  'alpha-svrg': 'α-SVRG',
  sgd: 'SGD',
};

export const optimizerTitle = (optimizer: string): string => OPTIMIZERS[optimizer] ?? optimizer;
