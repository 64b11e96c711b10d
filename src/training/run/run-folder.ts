// The files of a run's folder: which there are, how a run starts and goes on in it, and when a run is complete.
import { rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { hasCheckpoint } from '../../checkpoints/checkpoint.ts';
import { previousOf, removeFile, wholeLines, writeAtomically } from '../../checkpoints/files/atomic-file.ts';
import { readIfThere } from '../../checkpoints/files/read-if-there.ts';
import { InputError, UsageError } from '../../core/errors.ts';
import { jsonValue } from '../../core/parse-json.ts';
import { isBelowFile, writing } from '../../core/system-errors.ts';
import { makeFolder } from '../../files/folders.ts';
import type { Guard } from '../../files/lock.ts';
import { removeTemporaries } from '../../files/temporaries.ts';
import { changesBetween, type NameOf, readConfig, type TrainConfig } from '../config/config.ts';
import type { TaskFiles } from '../task.ts';
import { METRICS_HEADER, rowsUpTo } from './metrics.ts';
import { NO_TIMES, type Times } from './stopwatch.ts';

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
  /** Held by the process that writes into the folder. */
  readonly lock: string;
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
  lock: join(path, 'run.lock'),
});

/**
 * The configuration of the run in a folder; null if there is none.
 *
 * @throws UsageError if its config.json is no JSON; InputError where the system does not let it be read
 */
export async function readRunConfig(path: string): Promise<TrainConfig | null> {
  const file = runFolder(path).config;
  const text = await readIfThere(file).catch((error) => {
    if (!isBelowFile(error.cause)) throw error;
    const message = `${path} is a file, or is below a file. Expected the folder of a run: choose another path.`;
    throw new InputError(message, { cause: error.cause });
  });
  if (text === null) return null;
  const record = parseJson(text);
  if (record === undefined) {
    throw new UsageError(`${file} is not valid JSON; expected the configuration of a run. Choose another folder.`);
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
 * @returns true if there is a checkpoint to continue from; a run that was stopped before its first one starts again
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
      `${folder.path} holds a run already. Continue it with --resume, or choose another folder with --out.`,
    );
  }
  checkSame(folder, changesBetween(existing, config, nameOf));
  return { checkpointed: await hasCheckpoint(folder.last) };
}

const inputsSchema = z.object({ from: z.string().optional(), extraImages: z.string().optional() });

type Inputs = Pick<TaskFiles, 'from' | 'extraImages'>;

/**
 * The files that a run was started with, as far as it was with any.
 *
 * @throws InputError if inputs.json cannot be read
 */
export async function readInputs(folder: RunFolder): Promise<Inputs> {
  const text = await readIfThere(folder.inputs);
  if (text === null) return {};
  const inputs = inputsSchema.safeParse(parseJson(text));
  if (inputs.success) return inputs.data;
  throw new InputError(
    `${folder.inputs} is damaged: expected the paths of the run's files as JSON. Remove it, and name the files with --from and --extra-images.`,
  );
}

/** Writes a run's configuration at its start and at each resume, since a resume may change settings that do not affect training. */
export const recordConfig = (folder: RunFolder, config: TrainConfig, guard: Guard): Promise<void> =>
  writeAtomically(folder.config, `${JSON.stringify(config, null, 2)}\n`, { guard });

/** Removes what a process that was killed left in a run's folder. Its caller holds the folder's lock. */
export async function clearRemains(folder: RunFolder, guard: Guard): Promise<void> {
  await removeFile(folder.gradients, { guard });
  for (const place of [folder.path, join(folder.path, 'checkpoints')]) await removeTemporaries(place);
}

/** Removes the gradients that the pre-pass memory remembers, when a run is complete. */
export async function removeMemory({ memory }: RunFolder, guard: Guard): Promise<void> {
  await guard();
  await writing(memory, () => rm(memory, { recursive: true, force: true }));
}

/** Makes the folder of a new run, its configuration first. */
export async function createRunFolder(
  folder: RunFolder,
  config: TrainConfig,
  { from, extraImages }: Inputs,
  guard: Guard,
): Promise<void> {
  await recordConfig(folder, config, guard);
  if (from !== undefined || extraImages !== undefined) {
    const absolute = { from: from && resolve(from), extraImages: extraImages && resolve(extraImages) };
    await writeAtomically(folder.inputs, `${JSON.stringify(absolute, null, 2)}\n`, { guard });
  }
  const others = [folder.best, folder.ema, folder.guard].flatMap((file) => [file, previousOf(file)]);
  for (const file of others) await removeFile(file, { guard });
  await writing(folder.last, () => makeFolder(join(folder.path, 'checkpoints')));
  await writeAtomically(folder.events, '', { guard });
  await writeAtomically(folder.metrics, METRICS_HEADER, { guard });
}

function checkSame({ path }: RunFolder, changes: readonly string[]): void {
  if (changes.length === 0) return;
  throw new UsageError(
    `${path} holds a run of another configuration: ${changes.join('; ')}. Resume it without ${changes.length === 1 ? 'this change' : 'these changes'}, or choose another folder.`,
  );
}

/** A line of events.jsonl, as far as it matters for going on. */
interface EventLine {
  readonly kind: string;
  readonly epoch?: number;
  readonly step?: number;
  readonly times?: Times;
}

/** The message for a run whose checkpoint is of other training than its configuration, as where the files of two runs were mixed. */
export function mixedRun(last: string): string {
  const { config } = runFolder(dirname(dirname(last)));
  return `${last} is a checkpoint of another configuration than ${config}. Put back the file of this run, or train into another folder.`;
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
const AFTER_CHECKPOINT: ReadonlySet<string> = new Set([
  'guard',
  'collapse',
  'epoch',
  'prepass-start',
  'prepass-end',
  'warning',
]);

/**
 * True if an event happened before the checkpoint at `position` was written. The end of a run happens again.
 *
 * @param collapses how often the run had gone back before the event
 */
function happenedBefore({ kind, epoch = 0, step = 0 }: EventLine, collapses: number, position: Position): boolean {
  if (kind === 'end') return false;
  if (collapses !== position.collapses) return collapses < position.collapses;
  if (epoch <= position.epoch) return true;
  const reached = AFTER_CHECKPOINT.has(kind) ? step < position.step : step <= position.step;
  return epoch === position.epoch + 1 && position.batch > 0 && reached;
}

/** What cutting a run back to a checkpoint leaves. */
export interface CutBack {
  /** The seconds that training had taken by then, as the last event that knows says. */
  readonly times: Times;
  /** Warnings about what is missing from the files. */
  readonly warnings: readonly string[];
}

/** Cuts metrics.csv and events.jsonl back to a checkpoint. What followed it happens again. */
export async function cutBack(folder: RunFolder, position: Position, guard: Guard): Promise<CutBack> {
  const lost = await cutMetrics(folder, position.epoch, guard);
  let collapses = 0;
  const events = wholeLines((await readIfThere(folder.events)) ?? '').flatMap((line) => {
    const event = parseJson(line) as EventLine | null | undefined;
    const kept = event && happenedBefore(event, collapses, position) ? [{ line, event }] : [];
    if (event?.kind === 'collapse') collapses++;
    return kept;
  });
  await writeAtomically(folder.events, events.map(({ line }) => `${line}\n`).join(''), { guard });
  return {
    times: events.findLast(({ event }) => event.times)?.event.times ?? NO_TIMES,
    warnings:
      lost === 0
        ? []
        : [`${folder.metrics} is damaged: the rows of ${lost} of ${position.epoch} epochs are lost, and stay empty.`],
  };
}

/**
 * Cuts metrics.csv back to its rows of the first `epochs` epochs.
 *
 * @returns how many of these are lost
 */
export async function cutMetrics({ metrics }: RunFolder, epochs: number, guard: Guard): Promise<number> {
  const { rows, lost } = rowsUpTo(epochs, (await readIfThere(metrics)) ?? '');
  await writeAtomically(metrics, METRICS_HEADER + rows.map((row) => `${row}\n`).join(''), { guard });
  return lost;
}

/**
 * How many epochs a run without its last checkpoint had, by its metrics; 0 for one that was stopped before its first checkpoint,
 * whose row may be there already.
 */
export async function lostEpochs({ metrics }: RunFolder): Promise<number> {
  const rows = wholeLines((await readIfThere(metrics)) ?? '').length - 1;
  return rows > 1 ? rows : 0;
}

/**
 * True if the last event of a run is its end. It follows the last checkpoint, so a process that was killed between the
 * two leaves a complete run without it.
 */
export async function hasEndEvent(folder: RunFolder): Promise<boolean> {
  const last = wholeLines((await readIfThere(folder.events)) ?? '').at(-1) ?? '';
  return (parseJson(last) as EventLine | null | undefined)?.kind === 'end';
}

function parseJson(text: string): unknown {
  try {
    return jsonValue(text);
  } catch {
    return undefined;
  }
}
