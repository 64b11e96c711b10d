// The command that writes the tables and the page of runs.
import { groupTitle } from '../../reporting/page/sections/headline.ts';
import { type Report, writeReport } from '../../reporting/report.ts';
import { describeProtocol, headlineCells } from '../../reporting/report-data.ts';
import { comparisonsOf, formatDifferences } from '../../reporting/tables/comparisons.ts';
import { formatSummaryTable } from '../../reporting/tables/table.ts';
import { defineCommand } from '../command.ts';
import { BACKEND_FLAGS } from '../flags/flags.ts';
import { startFromFlags } from '../start.ts';

export const report = defineCommand({
  positionals: [
    {
      name: 'folder',
      description: "a run's folder, or the one that holds a sweep's runs",
      required: true,
      value: 'PATH',
    },
  ],
  flags: {
    out: { kind: 'text', value: 'FOLDER', description: 'where the files go; default: that folder' },
    title: { kind: 'text', description: "the page's title" },
    gallery: { kind: 'switch', description: 'draw adversarial examples; --no-gallery leaves them out' },
    ...BACKEND_FLAGS,
  },
  examples: [['equipoise report runs/sweep', 'results.csv, summary.csv, epochs-to-accuracy.csv and report.html']],
  async run({ positionals: [folder], flags, line, json }, terminal) {
    if (flags.gallery !== false) await startFromFlags(flags, terminal);
    const written = await writeReport(folder, {
      out: flags.out,
      title: flags.title,
      gallery: flags.gallery,
      dataDirectory: flags.data,
      signal: terminal.signal,
      command: line,
      warn: terminal.warn,
    });
    terminal.print(
      json ? JSON.stringify(written.files, null, 2) : [reportText(written), ...Object.values(written.files)].join('\n'),
    );
  },
});

/**
 * The tables that people look for first, one for each group: accuracies under the union of all attacks, and what AGENT changed.
 */
export function reportText({ groups }: Pick<Report, 'groups'>): string {
  const tables = groups.flatMap((group) => {
    const cells = headlineCells(group);
    if (group.protocol === null || cells.length === 0) return [];
    const title = `${groupTitle(group)}: union of ${describeProtocol(group.protocol)}`;
    return [[title, '', formatSummaryTable(cells), '', ...formatDifferences(comparisonsOf(group)), ''].join('\n')];
  });
  return tables.length === 0 ? 'No complete run is evaluated yet: equipoise evaluate RUN.\n' : tables.join('\n');
}
