import { startBackend } from '../backends/start.ts';
import { type Report, writeReport } from '../reporting/report.ts';
import { headlineCells } from '../reporting/report-data.ts';
import { formatDifferences, formatSummaryTable } from '../reporting/table.ts';
import { defineCommand } from './command.ts';
import { BACKEND_FLAGS } from './flags.ts';

export const report = defineCommand({
  positionals: [
    { name: 'folder', description: "a run's folder, or the one that holds a sweep's runs", required: true },
  ],
  flags: {
    out: { kind: 'text', description: 'where the files go; default: that folder' },
    title: { kind: 'text', description: "the page's title" },
    gallery: { kind: 'switch', description: 'draw adversarial examples; --no-gallery leaves them out' },
    ...BACKEND_FLAGS,
  },
  examples: [['equipoise report runs/sweep', 'results.csv, summary.csv, epochs-to-accuracy.csv and report.html']],
  async run({ positionals: [folder], flags, json }, terminal) {
    if (flags.gallery !== false)
      await startBackend(flags.backend ?? 'auto', {
        threads: flags.threads,
        revectorize: flags.revectorize,
        warn: terminal.note,
      });
    const written = await writeReport(folder, {
      out: flags.out,
      title: flags.title,
      gallery: flags.gallery,
      dataDirectory: flags.data,
      warn: terminal.note,
    });
    terminal.print(
      json ? JSON.stringify(written.files, null, 2) : [reportText(written), ...Object.values(written.files)].join('\n'),
    );
  },
});

/** The table that people look for first, of accuracies under the union of all attacks, and what AGENT changed. */
export function reportText(report: Report): string {
  if (report.cells.length === 0) return 'Nothing is evaluated yet: equipoise evaluate RUN.\n';
  const cells = headlineCells(report);
  return [formatSummaryTable(cells), '', ...formatDifferences(cells), ''].join('\n');
}
