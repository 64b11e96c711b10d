import { formatEpsilon } from '../evaluation/epsilon.ts';
import type { Accuracy } from '../evaluation/intervals.ts';
import type { PairedDifference } from './statistics.ts';
import type { MeanAndDeviation, SummaryCell } from './summary.ts';

/** A fraction in per cent with one digit, such as `43.2`; `–` where it is unknown. */
export const percent = (fraction: number): string => (Number.isNaN(fraction) ? '–' : (100 * fraction).toFixed(1));

/** Such as `43.2 ± 0.8 %` over seeds; a single seed has no deviation. */
export const formatSpread = ({ mean, deviation }: MeanAndDeviation): string =>
  Number.isNaN(deviation) ? `${percent(mean)} %` : `${percent(mean)} ± ${percent(deviation)} %`;

/** Such as `43.2 % [41.0, 45.4]`, the bracket being Wilson's 95 % interval over the test images. */
export const formatAccuracy = ({ value, low, high }: Accuracy): string =>
  `${percent(value)} % [${percent(low)}, ${percent(high)}]`;

/** A sparsity as people write it, such as `95 %`. */
export const formatSparsity = (sparsity: number): string => `${Number((100 * sparsity).toFixed(4))} %`;

/** Columns of text aligned with blanks; the first `left` columns to the left, the others to the right. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], left = 1): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i < left ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(header), rule, ...rows.map(line)].join('\n');
}

/**
 * Cells as a table for the terminal: a row a configuration and checkpoint, accuracies in per cent, mean ± standard
 * deviation over seeds.
 */
export const formatSummaryTable = (cells: readonly SummaryCell[]): string =>
  formatTable(
    ['sparsity', 'method', 'optimizer', 'objective', 'checkpoint', 'attack', 'ε', 'seeds', 'clean', 'robust'],
    cells.map(({ setting, rows, clean, robust }) => [
      formatSparsity(setting.sparsity ?? 0),
      setting.method,
      setting.variant ? `${setting.optimizer}, ${setting.variant}` : setting.optimizer,
      setting.objective,
      setting.checkpoint,
      setting.attack,
      setting.epsilon === null ? '' : formatEpsilon(setting.epsilon),
      String(rows.length),
      formatSpread(clean),
      formatSpread(robust),
    ]),
    6,
  );

/** In points of per cent with their sign, such as `+1.2`; 0 has none. */
export function signed(fraction: number): string {
  const size = percent(Math.abs(fraction));
  return Number.isNaN(fraction) || Number(size) === 0 ? size : `${fraction < 0 ? '−' : '+'}${size}`;
}

/** Such as `+1.2 points [−0.4, +2.8], 5 seeds: not distinguishable`. */
export function formatDifference({ n, mean, low, high, distinguishable }: PairedDifference): string {
  if (n < 2) return `${signed(mean)} points, 1 seed: no interval, not distinguishable`;
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

/**
 * A line for each cell that has a counterpart under plain SGD: what the correction changed in robust accuracy. Lines name
 * the method and the pre-pass where there are several.
 */
export function formatDifferences(cells: readonly SummaryCell[]): string[] {
  const compared = cells.filter(({ robustDifference }) => robustDifference !== null);
  const several = (column: 'method' | 'agent_prepass') =>
    new Set(compared.map(({ setting }) => setting[column])).size > 1;
  const [methods, prepasses] = [several('method'), several('agent_prepass')];
  return compared.flatMap(({ setting, robustDifference }) => {
    if (robustDifference === null) return [];
    const { method, agent_prepass, variant } = setting;
    const details = [prepasses && agent_prepass, methods && method, variant].filter(Boolean);
    const name = [optimizerTitle(setting.optimizer), ...details].join(', ');
    return [`${formatSparsity(setting.sparsity ?? 0)}  ${name} − SGD: ${formatDifference(robustDifference)}`];
  });
}
