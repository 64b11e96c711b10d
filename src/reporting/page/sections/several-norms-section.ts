// The section of a page on several norms at once: each norm beside the accuracy under all of them.
import { unionsIn } from '../../../evaluation/results/union.ts';
import type { AcrossNorms, Evaluation } from '../../../evaluation/types.ts';
import type { ReportGroup } from '../../report-data.ts';
import { threatsName } from '../../tables/result-rows.ts';
import { formatAccuracy, formatSparsity } from '../../tables/table.ts';
import { html } from '../html.ts';
import { type Column, type Section, table } from '../page-parts.ts';

interface Evaluated {
  readonly net: string;
  readonly evaluation: Evaluation;
  readonly across: AcrossNorms;
}

/** A table for each set of norms and radii, a row a network; null if no evaluation asked for several norms at once. */
export function severalNormsSection(group: ReportGroup): Section | null {
  const all = group.runs.flatMap(({ name, config, evaluations }) =>
    evaluations
      .filter(({ dataset }) => dataset.sha256 === group.sha256)
      .flatMap((evaluation) =>
        (evaluation.acrossNorms ?? []).map(
          (across): Evaluated => ({
            net: `${name}, ${formatSparsity(config.sparsity)} sparse, ${evaluation.target.checkpoint}`,
            evaluation,
            across,
          }),
        ),
      ),
  );
  if (all.length === 0) return null;
  const sets = [...new Set(all.map(({ across }) => threatsName(across)))];
  const tables = sets.map((set) => {
    const shown = all.filter(({ across }) => threatsName(across) === set);
    const columns: Column<Evaluated>[] = [
      { title: 'network', left: true, cell: ({ net }) => net },
      { title: 'images', cell: ({ evaluation }) => evaluation.clean.n },
      { title: 'clean', cell: ({ evaluation }) => formatAccuracy(evaluation.clean) },
      ...shown[0].across.threats.map(
        (threat): Column<Evaluated> => ({
          title: threatsName({ threats: [threat] }),
          cell: ({ evaluation }) => {
            const [union] = unionsIn(evaluation.attacks, [threat]);
            return union === undefined ? '' : formatAccuracy(union.robust);
          },
        }),
      ),
      { title: 'all norms', cell: ({ across }) => html`<b>${formatAccuracy(across.robust)}</b>` },
    ];
    return html`<div class="card">${table(null, columns, shown)}</div>`;
  });
  return {
    id: 'several-norms',
    title: 'Several norms',
    body: html`<p>Accuracy under the union of all attacks in each norm, and in all of them: an image counts only if it survives every attack in every norm. The last figure is at most the least of the others.</p>
${tables}`,
  };
}
