// Comma-separated values as reports write and read them. A spreadsheet takes a text that begins with =, +, - or @ for a
// formula, so such a text gets an apostrophe before it, which is taken off again in reading. Numbers stay numbers.

import { stringify } from 'csv-stringify/sync';

export type Cell = string | number | null;

/** Beginnings of a text that a spreadsheet may take for a formula, their full-width forms included. */
const FORMULA = /^'*[=+\-@＝＋－＠\t\r\n]/;

const escapeFormula = (cell: Cell): Cell => (typeof cell === 'string' && FORMULA.test(cell) ? `'${cell}` : cell);

const unescapeFormula = (text: string): string => (text.startsWith("'") && FORMULA.test(text) ? text.slice(1) : text);

/** Comma-separated values with a header; a null or NaN cell is empty. */
export const formatCsv = <Column extends string>(
  columns: readonly Column[],
  rows: readonly Readonly<Record<Column, Cell>>[],
): string =>
  stringify(
    rows.map((row) => columns.map((column) => (Number.isNaN(row[column]) ? null : escapeFormula(row[column])))),
    { header: true, columns: [...columns] },
  );

/** The rows of comma-separated values with a header, every cell as text. */
export async function parseCsv(text: string): Promise<Readonly<Record<string, string>>[]> {
  const { read } = await import('vega');
  const rows = [...read(text, { type: 'csv' })] as Readonly<Record<string, string>>[];
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).map(([column, cell]) => [column, unescapeFormula(cell)])),
  );
}

/** A cell as a number; null if it is empty or absent. */
export const numberOf = (cell: string | undefined): number | null =>
  cell === undefined || cell === '' ? null : Number(cell);
