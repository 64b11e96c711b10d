import { access, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { isMissing, writeAtomically } from '../checkpoints/atomic-file.ts';
import { hasCheckpoint } from '../checkpoints/checkpoint.ts';
import { InputError, UsageError } from '../core/errors.ts';
import { changesBetween, type NameOf, readConfig, type TrainConfig } from './config.ts';
import { METRICS_HEADER } from './metrics.ts';
import { NO_TIMES, type Times } from './stopwatch.ts';
import type { TaskFiles } from './task.ts';

/** The files of a run. */
export interface RunFolder {
  readonly path: string;
  readonly config: string;
  readonly metrics: string;
  readonly events: string;
  readonly last: string;
  readonly best: string;
  /** The checkpoint that a run with a guard goes back to if its network collapses; removed when the run is complete. */
  readonly guard: string;
  /** The averaged network, in runs with `ema`. */
  readonly ema: string;
  readonly evaluation: string;
  /** Where the files lie that the configuration names by their content, so that a resume finds them. */
  readonly inputs: string;
  /** Snapshot gradients that memory has no room for, while an epoch lasts. */
  readonly gradients: string;
  /** The folder of the gradients that the pre-pass memory remembers. */
  readonly memory: string;
}

export const LAST_CHECKPOINT = 'checkpoints/last.safetensors';
export const BEST_CHECKPOINT = 'checkpoints/best.safetensors';
export const EMA_CHECKPOINT = 'checkpoints/ema.safetensors';

export const runFolder = (path: string): RunFolder => ({
  path,
  config: join(path, 'config.json'),
  metrics: join(path, 'metrics.csv'),
  events: join(path, 'events.jsonl'),
  last: join(path, LAST_CHECKPOINT),
  best: join(path, BEST_CHECKPOINT),
  guard: join(path, 'checkpoints/guard.safetensors'),
  ema: join(path, EMA_CHECKPOINT),
  evaluation: join(path, 'evaluation.json'),
  inputs: join(path, 'inputs.json'),
  gradients: join(path, 'snapshot-gradients.bin'),
  memory: join(path, 'gradient-memory'),
});

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/**
 * The configuration of the run in a folder; null if there is none.
 *
 * @throws UsageError if its config.json is not readable; InputError where the path is that of a file
 */
export async function readRunConfig(path: string): Promise<TrainConfig | null> {
  const file = runFolder(path).config;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') {
      throw new InputError(`${path} is a file, or lies below one, and a run is a folder. Name another.`);
    }
    throw error;
  }
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    throw new UsageError(`${file} is no JSON; it should hold the configuration of a run.`);
  }
  try {
    return readConfig(record);
  } catch (error) {
    throw error instanceof UsageError ? new UsageError(`${file}: ${error.message}`) : error;
  }
}

/**
 * Looks at the folder that a run is to go to, and changes nothing.
 *
 * @returns whether there is a checkpoint to go on from; a run stopped before its first one starts again
 * @throws UsageError if the folder holds a run and none is resumed, or one of other training
 */
export async function inspectRunFolder(
  folder: RunFolder,
  config: TrainConfig,
  { resume, nameOf = String }: { readonly resume: boolean; readonly nameOf?: NameOf },
): Promise<{ checkpointed: boolean }> {
  const existing = await readRunConfig(folder.path);
  if (existing === null) return { checkpointed: false };
  if (!resume) {
    throw new UsageError(
      `${folder.path} holds a run already. Go on with it by --resume, or choose another folder with --out.`,
    );
  }
  checkSame(folder, changesBetween(existing, config, nameOf));
  return { checkpointed: await hasCheckpoint(folder.last) };
}

const inputsSchema = z.object({ from: z.string().optional(), extraImages: z.string().optional() });

type Inputs = Pick<TaskFiles, 'from' | 'extraImages'>;

/** The files that a run was started with, as far as it was with any. */
export async function readInputs(folder: RunFolder): Promise<Inputs> {
  try {
    return inputsSchema.parse(JSON.parse(await readFile(folder.inputs, 'utf8')));
  } catch {
    return {};
  }
}

/** Writes a run's configuration: at its start, and when it goes on, as settings beside training may be others then. */
export const recordConfig = (folder: RunFolder, config: TrainConfig): Promise<void> =>
  writeAtomically(folder.config, `${JSON.stringify(config, null, 2)}\n`);

/** Makes the folder of a new run, its configuration first. */
export async function createRunFolder(
  folder: RunFolder,
  config: TrainConfig,
  { from, extraImages }: Inputs,
): Promise<void> {
  await recordConfig(folder, config);
  if (from !== undefined || extraImages !== undefined) {
    const absolute = { from: from && resolve(from), extraImages: extraImages && resolve(extraImages) };
    await writeAtomically(folder.inputs, `${JSON.stringify(absolute, null, 2)}\n`);
  }
  const others = [folder.events, folder.best, folder.ema, folder.guard];
  await Promise.all(others.map((file) => rm(file, { force: true })));
  await mkdir(join(folder.path, 'checkpoints'), { recursive: true });
  await writeAtomically(folder.metrics, METRICS_HEADER);
}

function checkSame({ path }: RunFolder, changes: readonly string[]): void {
  if (changes.length === 0) return;
  throw new UsageError(
    `${path} holds a run of another configuration: ${changes.join('; ')}. Resume it without ${changes.length === 1 ? 'this change' : 'these changes'}, or choose another folder.`,
  );
}

/** Adds lines to a file and waits until they are on disk. */
export async function appendDurably(path: string, lines: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    await file.writeFile(lines);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A line of events.jsonl, as far as it matters for going on. */
interface EventLine {
  readonly kind: string;
  readonly epoch?: number;
  readonly step?: number;
  readonly times?: Times;
}

/** Where a checkpoint stands: epochs completed, batches done in the next one, steps in all. */
export interface Position {
  readonly epoch: number;
  readonly batch: number;
  readonly step: number;
  /** How often the run had gone back after a collapse. */
  readonly collapses: number;
}

/** Events that a checkpoint inside an epoch never follows at the same step: what they tell is found out after it. */
const AFTER_CHECKPOINT: ReadonlySet<string> = new Set(['guard', 'collapse', 'epoch']);

/**
 * Whether an event happened before the checkpoint at `position` was written.
 *
 * @param collapses how often the run had gone back before the event
 */
function happenedBefore({ kind, epoch = 0, step = 0 }: EventLine, collapses: number, position: Position): boolean {
  if (collapses !== position.collapses) return collapses < position.collapses;
  if (epoch <= position.epoch) return true;
  const reached = AFTER_CHECKPOINT.has(kind) ? step < position.step : step <= position.step;
  return epoch === position.epoch + 1 && position.batch > 0 && reached;
}

/**
 * Cuts metrics.csv and events.jsonl back to a checkpoint: what came after it happens again.
 *
 * @returns the seconds that training had taken by then, as the last event that knows says
 */
export async function cutBack(folder: RunFolder, position: Position): Promise<Times> {
  await cutMetrics(folder, position.epoch);
  let collapses = 0;
  const events = (await readLines(folder.events)).flatMap((line) => {
    const event = parseLine(line);
    const kept = event && happenedBefore(event, collapses, position) ? [{ line, event }] : [];
    if (event?.kind === 'collapse') collapses++;
    return kept;
  });
  await writeAtomically(folder.events, events.map(({ line }) => `${line}\n`).join(''));
  return events.findLast(({ event }) => event.times)?.event.times ?? NO_TIMES;
}

/** Cuts metrics.csv back to its rows of the first `epochs` epochs. */
export async function cutMetrics({ metrics }: RunFolder, epochs: number): Promise<void> {
  const rows = (await readLines(metrics)).slice(1).filter((row) => Number.parseInt(row, 10) <= epochs);
  await writeAtomically(metrics, METRICS_HEADER + rows.map((row) => `${row}\n`).join(''));
}

async function readLines(path: string): Promise<string[]> {
  if (!(await exists(path))) return [];
  const text = await readFile(path, 'utf8');
  // What follows the last line break was cut off by a crash.
  return text.split('\n').slice(0, -1);
}

function parseLine(line: string): EventLine | null {
  try {
    return JSON.parse(line) as EventLine;
  } catch {
    return null;
  }
}
