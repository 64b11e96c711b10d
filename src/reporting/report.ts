import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../checkpoints/atomic-file.ts';
import { type Dataset, loadDataset } from '../data/index.ts';
import { checkpointIdentity, loadTarget } from '../evaluation/target.ts';
import { formatEpochsToAccuracy } from './epochs-to-accuracy.ts';
import { drawGallery, type Gallery, type GalleryNet } from './gallery.ts';
import { renderPage } from './page.ts';
import { collectReport, headlineCells, type ReportData } from './report-data.ts';
import { formatResults } from './results.ts';
import { type RunRecord, readRuns } from './runs.ts';
import { formatSummary, type SummaryCell } from './summary.ts';
import { formatSparsity, optimizerTitle } from './table.ts';

export interface ReportOptions {
  /** Where the files go; default: the folder that is reported. */
  readonly out?: string;
  readonly title?: string;
  /** The checkpoint that charts and headlines are about, `best` or `last`; default `best` where there is one. */
  readonly checkpoint?: string;
  /** Where data sets lie. */
  readonly dataDirectory?: string;
  /**
   * Whether adversarial examples are drawn, which runs two nets on the current backend; default true. Pictures that were
   * drawn before for the same nets are taken from gallery.json.
   */
  readonly gallery?: boolean;
  /** Told why something is missing from the page. */
  readonly warn?: (message: string) => void;
}

/** The files of a report, and what they show. */
export interface Report extends ReportData {
  readonly files: {
    readonly page: string;
    readonly results: string;
    readonly summary: string;
    readonly epochsToAccuracy: string;
  };
}

/**
 * Writes results.csv, summary.csv, epochs-to-accuracy.csv and report.html about a run, or about every run in the folders
 * directly below `folder`. The page needs nothing beside itself.
 *
 * @throws InputError if there is no run, or one cannot be read
 */
export async function writeReport(folder: string, options: ReportOptions = {}): Promise<Report> {
  const { out = folder, title = 'Clean and robust accuracy', warn } = options;
  const runs = withoutUnfinished(await readRuns(folder), warn);
  const bare = collectReport(runs, title, null, options.checkpoint);
  let gallery: Gallery | null = null;
  try {
    if (options.gallery !== false) gallery = await galleryOf(bare, out, options);
  } catch (error) {
    warn?.(`The page has no gallery: ${(error as Error).message}`);
  }
  const data = { ...bare, gallery };
  const files = {
    page: join(out, 'report.html'),
    results: join(out, 'results.csv'),
    summary: join(out, 'summary.csv'),
    epochsToAccuracy: join(out, 'epochs-to-accuracy.csv'),
  };
  await writeAtomically(files.results, formatResults(data.results));
  await writeAtomically(files.summary, formatSummary(data.cells));
  await writeAtomically(files.epochsToAccuracy, formatEpochsToAccuracy(data.epochs));
  await writeAtomically(files.page, await renderPage(data));
  return { ...data, files };
}

/**
 * Leaves the results of runs that are not complete out, beside other runs: they would be compared with, or averaged over,
 * what was trained for longer. Each is named.
 */
function withoutUnfinished(runs: readonly RunRecord[], warn?: (message: string) => void): RunRecord[] {
  return runs.map((run) => {
    if (run.unfinished === undefined) return run;
    const alone = runs.length === 1 || run.evaluations.length === 0;
    warn?.(`${run.name} is not complete: ${run.unfinished}.${alone ? '' : ' Its results are left out.'}`);
    return alone ? run : { ...run, evaluations: [] };
  });
}

/** A net to show, by the run that it comes from. */
interface Shown {
  readonly name: string;
  readonly file: string;
  readonly run: RunRecord;
}

/** The pictures for a report: those in gallery.json if they are of the same nets, else newly drawn ones, kept there. */
async function galleryOf(
  data: ReportData,
  out: string,
  { dataDirectory, warn }: ReportOptions,
): Promise<Gallery | null> {
  const shown = netsToShow(data);
  if (shown.length === 0 || data.threat === null) return null;
  const identities = await Promise.all(shown.map(({ file }) => checkpointIdentity(file, warn)));
  const identity = JSON.stringify([data.threat, shown.map(({ name }, i) => [name, identities[i].sha256])]);
  const path = join(out, 'gallery.json');
  const kept = await readKept(path);
  if (kept?.identity === identity) return kept.gallery;
  const dataset: Dataset = await loadDataset(shown[0].run.config.dataset, { directory: dataDirectory });
  const nets: GalleryNet[] = [];
  try {
    for (const { name, file } of shown) nets.push({ name, target: await loadTarget(file) });
    const { norm, epsilon } = data.threat;
    const gallery = await drawGallery(nets, dataset, { norm: norm as 'linf', epsilon });
    await writeAtomically(path, `${JSON.stringify({ identity, gallery })}\n`);
    return gallery;
  } finally {
    for (const { target } of nets) target.dispose();
  }
}

async function readKept(path: string): Promise<{ identity: string; gallery: Gallery } | null> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch {
    return null;
  }
}

/** The net without defence and the most robust sparse one; whichever of them there is. */
function netsToShow(data: ReportData): Shown[] {
  const cells = headlineCells(data).toSorted((a, b) => b.robust.mean - a.robust.mean);
  const defended = cells.filter(({ setting }) => setting.objective !== 'natural');
  const chosen = [
    cells.find(({ setting }) => setting.objective === 'natural'),
    defended.find(({ setting }) => (setting.sparsity ?? 0) > 0) ?? defended[0],
  ];
  return chosen.flatMap((cell) => {
    const run = data.runs.find(({ name }) => name === cell?.rows[0].run);
    if (!cell || !run) return [];
    return [
      { name: netName(cell), run, file: join(run.folder, 'checkpoints', `${cell.setting.checkpoint}.safetensors`) },
    ];
  });
}

const netName = ({ setting }: SummaryCell): string => {
  const sparse = setting.sparsity ? `${formatSparsity(setting.sparsity)} sparse` : 'dense';
  return `${sparse}, ${setting.objective === 'natural' ? 'undefended' : optimizerTitle(setting.optimizer)}`;
};
