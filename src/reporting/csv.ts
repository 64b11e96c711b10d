import { stringify } from 'csv-stringify/sync';

export type Cell = string | number | null;

/** Comma-separated values with a header; a null or NaN cell is empty. */
export const formatCsv = <Column extends string>(
  columns: readonly Column[],
  rows: readonly Readonly<Record<Column, Cell>>[],
): string =>
  stringify(
    rows.map((row) => columns.map((column) => (Number.isNaN(row[column]) ? null : row[column]))),
    { header: true, columns: [...columns] },
  );

/** The rows of comma-separated values with a header, every cell as text. */
export async function parseCsv(text: string): Promise<Readonly<Record<string, string>>[]> {
  const { read } = await import('vega');
  return [...read(text, { type: 'csv' })] as Readonly<Record<string, string>>[];
}

/** A cell as a number; null where it is empty or absent. */
export const numberOf = (cell: string | undefined): number | null =>
  cell === undefined || cell === '' ? null : Number(cell);
