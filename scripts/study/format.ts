// How the studies write numbers and tables in Markdown.

import { mean, standardDeviation } from '../../src/reporting/statistics/statistics.ts';
import { percent } from '../../src/reporting/tables/table.ts';

/** A table; empty without rows. */
export const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** A p-value; a dash if it is not known. */
export const probability = (p: number): string => (Number.isNaN(p) ? '–' : p < 0.001 ? '< 0.001' : p.toFixed(3));

/** The mean of fractions as a percentage, from two values on with their standard deviation. */
export const spread = (values: readonly number[]): string => {
  const deviation = standardDeviation(values);
  return Number.isNaN(deviation) ? percent(mean(values)) : `${percent(mean(values))} ± ${percent(deviation)}`;
};
