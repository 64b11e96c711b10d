// The file results.csv: its columns, and how its rows are written and read.
import { InputError } from '../../core/errors.ts';
import { type Cell, formatCsv, numberOf, parseCsv } from './csv.ts';

/** The columns of results.csv that hold text; the others hold numbers. */
const TEXT_COLUMNS = [
  'run',
  'group',
  'dataset',
  'dataset_sha256',
  'split',
  'model',
  'method',
  'distribution',
  'optimizer',
  'agent_prepass',
  'objective',
  'complete',
  'checkpoint',
  'attack',
  'attacks',
  'norm',
  'preprocessing',
  'version',
] as const;

/** The columns of results.csv, in order: one row a run, checkpoint and attack. */
export const RESULT_COLUMNS = [
  'run',
  'group',
  'dataset',
  'dataset_sha256',
  'split',
  'model',
  'width',
  'method',
  'distribution',
  'optimizer',
  'agent_prepass',
  'gamma',
  'alpha',
  'objective',
  'sparsity',
  'sparsity_actual',
  'nonzeros',
  'seed',
  'complete',
  'epoch',
  'checkpoint',
  'attack',
  'attacks',
  'norm',
  'epsilon',
  'steps',
  'step_size',
  'restarts',
  'attack_seed',
  'preprocessing',
  'n',
  'clean_accuracy',
  'clean_low',
  'clean_high',
  'robust_accuracy',
  'robust_low',
  'robust_high',
  'forward_passes',
  'input_gradients',
  'weight_gradients',
  'train_seconds',
  'flops',
  'bytes',
  'version',
] as const;

export type ResultColumn = (typeof RESULT_COLUMNS)[number];
type TextColumn = (typeof TEXT_COLUMNS)[number];

/**
 * One run, checkpoint and attack. `group` names the data set, norm and radius; `complete` says whether training reached its
 * last epoch; `attacks` are those of a union, with their step sizes if these are unusual. Accuracies are fractions; the cost columns are those of training up to the
 * checkpoint, counted in images; null is what does not apply or is not known.
 */
export type ResultRow = { readonly [Column in ResultColumn]: Column extends TextColumn ? string : number | null };

const isText = (column: ResultColumn): column is TextColumn => (TEXT_COLUMNS as readonly string[]).includes(column);

export const formatResults = (rows: readonly ResultRow[]): string =>
  formatCsv(RESULT_COLUMNS, rows as readonly Readonly<Record<ResultColumn, Cell>>[]);

/**
 * The rows of a results.csv.
 *
 * @throws InputError if a column is missing, or a number is none
 */
export async function parseResults(text: string): Promise<ResultRow[]> {
  const rows = await parseCsv(text);
  const missing = RESULT_COLUMNS.filter((column) => rows.length > 0 && !(column in rows[0]));
  if (missing.length > 0) {
    throw new InputError(
      `A results.csv has the columns ${RESULT_COLUMNS.join(', ')}; ${missing.join(', ')} is missing. Take one that equipoise report wrote.`,
    );
  }
  return rows.map(
    (row, i) =>
      Object.fromEntries(
        RESULT_COLUMNS.map((column) => {
          if (isText(column)) return [column, row[column]];
          const value = numberOf(row[column]);
          if (Number.isNaN(value)) {
            throw new InputError(`results.csv, row ${i + 1}, column ${column}: expected a number, got ${row[column]}.`);
          }
          return [column, value];
        }),
      ) as ResultRow,
  );
}
