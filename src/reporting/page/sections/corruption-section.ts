// Accuracies on published corrupted images: the section of a page, and the rows of corruptions.csv.
import { SEVERITIES } from '../../../data/sets/corruptions.ts';
import { accuracyOn, type CorruptionEvaluation, meanAccuracy } from '../../../evaluation/corruptions/record.ts';
import type { ReportGroup } from '../../report-data.ts';
import type { RunRecord } from '../../runs/runs.ts';
import { formatCsv } from '../../tables/csv.ts';
import { formatSparsity, percent } from '../../tables/table.ts';
import { html } from '../html.ts';
import { type Column, type Section, table } from '../page-parts.ts';

interface Evaluated {
  readonly run: RunRecord;
  readonly found: CorruptionEvaluation;
}

const evaluatedIn = (runs: readonly RunRecord[]): readonly Evaluated[] =>
  runs.flatMap((run) => run.corruptions.map((found) => ({ run, found })));

/** A row a corruption, a column a network, networks by their sparsity; null if nothing was evaluated. */
export function corruptionSection(group: ReportGroup): Section | null {
  const all = evaluatedIn(group.runs).toSorted(
    (a, b) => (a.found.target.sparsity ?? 0) - (b.found.target.sparsity ?? 0),
  );
  if (all.length === 0) return null;
  const sets = [...new Set(all.map(({ found }) => found.dataset.name))];
  const tables = sets.map((set) => {
    const shown = all.filter(({ found }) => found.dataset.name === set);
    const names = [...new Set(shown.flatMap(({ found }) => found.corruptions.map(({ corruption }) => corruption)))];
    const columns: Column<string>[] = [
      { title: set, left: true, cell: (corruption) => corruption.replaceAll('_', ' ') },
      ...shown.map(
        ({ run, found }): Column<string> => ({
          title: `${run.name}, ${formatSparsity(found.target.sparsity ?? 0)} sparse, ${found.target.checkpoint}`,
          cell: (corruption) => {
            if (corruption === MEAN) return html`<b>${percent(meanAccuracy(found))}</b>`;
            const result = found.corruptions.find((one) => one.corruption === corruption);
            return result === undefined ? '' : percent(accuracyOn(result, found.n));
          },
        }),
      ),
    ];
    return html`<div class="card">${table('Accuracy in per cent, the mean over five severities.', columns, [...names, MEAN])}</div>`;
  });
  return {
    id: 'corruptions',
    title: 'Accuracy on corrupted images',
    body: html`<p>Test images with noise, blur, weather and digital artefacts as published. Nothing is attacked. The mean is over the fifteen corruptions of the benchmark; extra ones are shown and not in it. Severities one by one are in corruptions.csv.</p>
${tables}`,
  };
}

const MEAN = 'mean of fifteen';

const COLUMNS = [
  'run',
  'checkpoint',
  'sparsity_actual',
  'dataset',
  'dataset_sha256',
  'corruption',
  'severity',
  'correct',
  'n',
  'accuracy',
  'version',
] as const;

/** corruptions.csv: a row a run, checkpoint, corruption and severity; null if nothing was evaluated. */
export function formatCorruptions(runs: readonly RunRecord[]): string | null {
  const rows = evaluatedIn(runs).flatMap(({ run, found: { target, dataset, n, corruptions, version } }) =>
    corruptions.flatMap(({ corruption, correct }) =>
      Array.from({ length: SEVERITIES }, (_, i) => ({
        run: run.name,
        checkpoint: target.checkpoint,
        sparsity_actual: target.sparsity,
        dataset: dataset.name,
        dataset_sha256: dataset.sha256,
        corruption,
        severity: i + 1,
        correct: correct[i],
        n,
        accuracy: correct[i] / n,
        version,
      })),
    ),
  );
  return rows.length === 0 ? null : formatCsv(COLUMNS, rows);
}
