// What networks, attacks and amounts are called on a page.

import { UNION } from '../../evaluation/types.ts';
import type { Series } from '../charts/series.ts';
import type { ReportGroup } from '../report-data.ts';
import type { ResultRow } from '../tables/results.ts';
import type { SummaryCell } from '../tables/summary.ts';
import { formatSparsity } from '../tables/table.ts';

export const sparsityOf = ({ setting }: SummaryCell): number => setting.sparsity ?? 0;

/** The line of a chart that a cell is on. */
export const nameOf = (series: readonly Series[], { setting }: SummaryCell): string =>
  series.find(({ matches }) => matches(setting))?.name ?? setting.optimizer;

export const colorOf = ({ series }: Pick<ReportGroup, 'series'>, { setting }: SummaryCell): string =>
  series.find(({ matches }) => matches(setting))?.color ?? 'var(--muted)';

/** The name of a network in a report, such as `dense, SGD` or `95 % sparse, AGENT`. */
export const networkName = ({ series }: Pick<ReportGroup, 'series'>, cell: SummaryCell): string => {
  const sparsity = sparsityOf(cell);
  return `${sparsity === 0 ? 'dense' : `${formatSparsity(sparsity)} sparse`}, ${nameOf(series, cell)}`;
};

/** The architecture and its width, such as `resnet18 ×0.5`. */
export const architecture = ({ model, width }: { readonly model: string; readonly width: number | null }): string =>
  width === 1 ? model : `${model} ×${width}`;

export const isUnion = ({ attack }: Pick<ResultRow, 'attack'>): boolean => attack === UNION;

export const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

const COMPACT = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** A count with three digits, such as `1.23M`; '' where it is not known. */
export const compact = (value: number | null): string => (value === null ? '' : COMPACT.format(value));
