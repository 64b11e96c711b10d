// Which networks of a report are shown beside each other in pictures.
import type { SummaryCell } from '../tables/summary.ts';

/**
 * At most two networks, of which the first is expected to lose: the one without defence and the most robust sparse one, or else
 * that and the most robust dense one; whichever of them there is.
 */
export function contrasting(cells: readonly SummaryCell[]): readonly SummaryCell[] {
  const sorted = cells.toSorted((a, b) => b.robust.mean - a.robust.mean);
  const isNatural = ({ setting }: SummaryCell) => setting.objective === 'natural';
  const isSparse = ({ setting }: SummaryCell) => (setting.sparsity ?? 0) > 0;
  const undefended = sorted.find(isNatural);
  const sparse = sorted.find((cell) => !isNatural(cell) && isSparse(cell));
  const dense = sorted.find((cell) => !isNatural(cell) && !isSparse(cell));
  const chosen = undefended === undefined ? [sparse, dense] : [undefended, sparse ?? dense];
  return chosen.filter((cell) => cell !== undefined);
}
