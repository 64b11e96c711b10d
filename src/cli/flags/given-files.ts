// The flags that name files of a training run, and how these are opened.
import { stat } from 'node:fs/promises';
import { readCheckpoint } from '../../checkpoints/checkpoint.ts';
import { UsageError } from '../../core/errors.ts';
import { checkFolderMeant } from '../../data/load.ts';
import { checkpointFiles } from '../../evaluation/targets/target.ts';
import { otherThanFile } from '../../files/regular-file.ts';
import type { TrainOptions } from '../../training/config/config.ts';
import { sha256OfFile } from '../../training/run/fingerprint.ts';
import type { TaskFiles } from '../../training/task.ts';

/** The flags that name files of a training run. */
interface FileFlags {
  readonly from?: string;
  readonly 'extra-images'?: string;
}

export interface OpenedFiles {
  readonly files: Pick<TaskFiles, 'from' | 'extraImages'>;
  /** The settings that name them by their content. */
  readonly content: Pick<TrainOptions, 'from' | 'extraImages'>;
  /** The settings that follow from the checkpoint unless they are given: its network and its data set. */
  readonly defaults: Readonly<Record<string, unknown>>;
}

/**
 * The files that flags name. Of a run's folder it is the best checkpoint.
 *
 * @throws InputError if one cannot be read
 */
export async function openFiles({ from: target, 'extra-images': extraImages }: FileFlags): Promise<OpenedFiles> {
  const from = target === undefined ? undefined : (await checkpointFiles(target))[0];
  return {
    files: { ...(from !== undefined && { from }), ...(extraImages !== undefined && { extraImages }) },
    content: {
      ...(from !== undefined && { from: await sha256OfFile(from) }),
      ...(extraImages !== undefined && { extraImages: await sha256OfFile(extraImages) }),
    },
    defaults: from === undefined ? {} : await describedBy(from),
  };
}

async function describedBy(checkpoint: string): Promise<OpenedFiles['defaults']> {
  const { model, config } = (await readCheckpoint(checkpoint)).stored;
  return { dataset: config.dataset, model: model.name, width: model.width, ...model.normalize };
}

/**
 * Refuses `--data` of one's own pictures beside a data set that nobody named, and `--out` that is a file.
 *
 * @param settings as flags and a file name them
 * @param dataset that they lead to
 * @throws UsageError
 */
export async function checkFolders(
  { data, out }: { readonly data?: string; readonly out?: string },
  settings: Readonly<Record<string, unknown>>,
  dataset: string,
): Promise<void> {
  if (settings.dataset === undefined) await checkFolderMeant(dataset, data);
  await checkIsFolder(out);
}

/**
 * Refuses `--out` that is no folder, if it exists.
 *
 * @throws UsageError
 */
export async function checkIsFolder(out: string | undefined): Promise<void> {
  const found = out ? await stat(out).catch(() => null) : null;
  if (found !== null && !found.isDirectory()) {
    throw new UsageError(`${out} is ${otherThanFile(found) ?? 'a file'}; --out names a folder. Choose another.`);
  }
}

const MEGABYTE = 2 ** 20;

/**
 * `--cache-memory` in bytes.
 *
 * @throws UsageError unless it is at least 0
 */
export function bytesOf(cacheMemory: number | undefined): number | undefined {
  if (cacheMemory === undefined) return undefined;
  if (!(cacheMemory >= 0)) {
    throw new UsageError(`--cache-memory is a number of megabytes and must be 0 or larger, got ${cacheMemory}.`);
  }
  return cacheMemory * MEGABYTE;
}
