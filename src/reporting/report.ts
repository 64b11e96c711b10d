// Writes a report: three CSV files, the page, and the pictures of its gallery.

import { basename, isAbsolute, join, relative, sep } from 'node:path';
import type { NormName } from '../../attacks/types.ts';
import { writeAtomically } from '../checkpoints/files/atomic-file.ts';
import { InputError } from '../core/errors.ts';
import { isMissing } from '../core/system-errors.ts';
import { loadDataset } from '../data/load.ts';
import type { Dataset } from '../data/types.ts';
import { checkpointIdentity, loadTarget } from '../evaluation/targets/target.ts';
import { isSameThreat } from '../evaluation/threat.ts';
import { UNION } from '../evaluation/types.ts';
import { checkWritable } from '../files/folders.ts';
import { readText } from '../files/regular-file.ts';
import { type BreakdownOptions, breakDown } from './breakdown.ts';
import { type Origin, renderPage } from './page/page.ts';
import { formatCorruptions } from './page/sections/corruption-section.ts';
import { contrasting } from './pictures/contrasting.ts';
import { drawGallery, type GalleryNet, type KeptPictures, parseGallery } from './pictures/gallery.ts';
import { collectReport, headlineCells, type ReportData, type ReportGroup, withGallery } from './report-data.ts';
import { findRuns, type RunRecord } from './runs/runs.ts';
import { formatEpochsToAccuracy } from './tables/epochs-to-accuracy.ts';
import { formatResults } from './tables/results.ts';
import { formatSummary, type SummaryCell } from './tables/summary.ts';
import { formatSparsity, optimizerTitle } from './tables/table.ts';

/** Options of a report. */
export interface ReportOptions {
  /** Where the files go; default: the folder that is reported. */
  readonly out?: string;
  readonly title?: string;
  /** The checkpoint that charts and headlines are about, `best` or `last`; default `best` where there is one. */
  readonly checkpoint?: string;
  /** Where data sets lie. */
  readonly dataDirectory?: string;
  /**
   * True if adversarial examples are drawn, which runs two nets on the current backend; default true. Pictures that were
   * drawn before for the same nets are taken from gallery.json.
   */
  readonly gallery?: boolean;
  /** Stops the drawing of the gallery within one call of a net. */
  readonly signal?: AbortSignal;
  /** The command that makes the report, which the page names. */
  readonly command?: string;
  /** Called with the reason if something is missing from the page or was made anew. */
  readonly warn?: (message: string) => void;
}

/** The files of a report, and what they show. */
export interface Report extends ReportData {
  readonly files: {
    readonly page: string;
    readonly results: string;
    readonly summary: string;
    readonly epochsToAccuracy: string;
    /** Written if a run was evaluated on corrupted images. */
    readonly corruptions?: string;
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
  const { runs, leftOut } = await findRuns(folder, warn);
  await checkWritable(out);
  const bare = collectReport(runs, title, { checkpoint: options.checkpoint, leftOut });
  for (const { run, reason } of bare.leftOut) warn?.(`Means and comparisons leave out ${run}: ${reason}.`);
  const kept = options.gallery === false ? null : await picturesIfPossible(bare, out, options);
  const data = withGallery(bare, kept?.gallery ?? null, kept?.breakdown);
  const files = {
    page: join(out, 'report.html'),
    results: join(out, 'results.csv'),
    summary: join(out, 'summary.csv'),
    epochsToAccuracy: join(out, 'epochs-to-accuracy.csv'),
  };
  await writeAtomically(files.results, formatResults(data.results));
  await writeAtomically(files.summary, formatSummary(data.cells));
  await writeAtomically(files.epochsToAccuracy, formatEpochsToAccuracy(data.epochs));
  await writeAtomically(files.page, await renderPage(data, originOf(out, files, options.command)));
  const corruptions = formatCorruptions(runs);
  if (corruptions === null) return { ...data, files };
  const path = join(out, 'corruptions.csv');
  await writeAtomically(path, corruptions);
  return { ...data, files: { ...files, corruptions: path } };
}

/** Where a page lies, as its links need it. */
const originOf = (out: string, { page: _, ...others }: Report['files'], command: string | undefined): Origin => ({
  command,
  files: Object.values(others).map((file) => basename(file)),
  address: ({ folder }) => addressOf(relative(out, folder)),
});

/** A relative path of a folder as an address; null if there is none, as on another drive. */
const addressOf = (path: string): string | null =>
  isAbsolute(path)
    ? null
    : ['.', ...path.split(sep).filter((part) => part !== '')].map(encodeURIComponent).join('/').concat('/');

/**
 * Pictures for the first group: those in gallery.json if they are of the same nets, else newly drawn ones, kept there. Null,
 * and a warning, if they cannot be drawn.
 *
 * @throws InputError if they cannot be kept
 */
async function picturesIfPossible(
  { groups }: ReportData,
  out: string,
  options: ReportOptions,
): Promise<KeptPictures | null> {
  if (groups.length === 0) return null;
  const path = join(out, 'gallery.json');
  const kept = await readKept(path, options.warn);
  const pictures = await picturesOf(groups[0], kept, options).catch((error: Error) => {
    options.signal?.throwIfAborted();
    options.warn?.(`The page has no gallery: ${error.message}`);
    return null;
  });
  if (pictures !== null && pictures !== kept) await writeAtomically(path, `${JSON.stringify(pictures)}\n`);
  return pictures;
}

/** A net to show, by the run that it comes from. */
interface Shown {
  readonly name: string;
  readonly file: string;
  readonly run: RunRecord;
}

/** The pictures for a group: those that were kept if they are of the same nets, else newly drawn ones. */
async function picturesOf(
  group: ReportGroup,
  kept: KeptPictures | null,
  { dataDirectory, signal, warn }: ReportOptions,
): Promise<KeptPictures | null> {
  const shown = netsToShow(group);
  if (shown.length === 0 || group.threat === null) return null;
  const identities = await Promise.all(shown.map(({ file }) => checkpointIdentity(file, warn)));
  const evaluated = group.runs.length === 1 ? evaluatedImages(group) : null;
  const identity = JSON.stringify([
    group.threat,
    ...(evaluated === null ? [] : [evaluated]),
    group.sha256,
    shown.map(({ name }, i) => [name, identities[i].sha256]),
  ]);
  if (kept?.identity === identity) return kept;
  const dataset: Dataset = await loadDataset(shown[0].run.config.dataset, { directory: dataDirectory });
  if (dataset.sha256 !== group.sha256) {
    throw new InputError(
      `the evaluations are of ${group.datasetTitle} of SHA-256 ${group.sha256}, and the data set here has ${dataset.sha256}. Name its folder with --data.`,
    );
  }
  const nets: GalleryNet[] = [];
  try {
    for (const { name, file } of shown) nets.push({ name, target: await loadTarget(file) });
    const { norm, epsilon } = group.threat;
    const attack = { norm: norm as NormName, epsilon };
    const gallery = await drawGallery(nets, dataset, { ...attack, signal });
    const breakdown =
      evaluated === null ? undefined : await breakDown(nets[0].target, dataset, { ...attack, ...evaluated, signal });
    return { identity, gallery, ...(breakdown && { breakdown }) };
  } finally {
    for (const { target } of nets) target.dispose();
  }
}

/** How many images the headline's evaluation of a single run was of, and which of them survived. */
function evaluatedImages({ runs: [run], sha256, threat, protocol, checkpoint }: ReportGroup): Evaluated | null {
  const evaluation = run.evaluations.find(
    ({ target, dataset, clean, seed }) =>
      target.checkpoint === checkpoint &&
      target.preprocessing === null &&
      dataset.sha256 === sha256 &&
      clean.n === protocol?.n &&
      seed === protocol?.attack_seed,
  );
  const union = evaluation?.attacks.find((result) => result.attack === UNION && isSameThreat(result, threat ?? {}));
  return union === undefined ? null : { images: union.robust.n, survived: union.survived };
}

type Evaluated = Pick<BreakdownOptions, 'images' | 'survived'>;

/** The pictures that were drawn before, if there are any; damaged ones are drawn again. */
async function readKept(path: string, warn: ReportOptions['warn']): Promise<KeptPictures | null> {
  try {
    return parseGallery(await readText(path), path);
  } catch (error) {
    if (isMissing(error)) return null;
    warn?.(`${(error as Error).message} Its pictures are drawn again.`);
    return null;
  }
}

/** The nets of a gallery, with their files. */
const netsToShow = (group: ReportGroup): Shown[] =>
  contrasting(headlineCells(group)).flatMap((cell) => {
    const run = group.runs.find(({ name }) => name === cell.rows[0].run);
    if (!run) return [];
    return [
      { name: netName(cell), run, file: join(run.folder, 'checkpoints', `${cell.setting.checkpoint}.safetensors`) },
    ];
  });

const netName = ({ setting }: SummaryCell): string => {
  const sparse = setting.sparsity ? `${formatSparsity(setting.sparsity)} sparse` : 'dense';
  return `${sparse}, ${setting.objective === 'natural' ? 'undefended' : optimizerTitle(setting.optimizer)}`;
};
