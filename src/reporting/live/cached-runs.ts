// Runs read again and again while they are made: whatever has not changed since is not read anew, checkpoints least of all.

import { stat } from 'node:fs/promises';
import { certificatesBeside } from '../../evaluation/certify/record.ts';
import { corruptionsBeside } from '../../evaluation/corruptions/record.ts';
import { runFolder } from '../../training/run/run-folder.ts';
import { type ReadRun, type RunRecord, readActivity, readRun } from '../runs/runs.ts';

/** Reads runs, and takes what is in unchanged files from the reading before. */
export function cachedReader(): ReadRun {
  const before = new Map<string, { readonly stamp: string; readonly record: RunRecord }>();
  return async (folder, warn) => {
    const { config, metrics, last, best, ema, evaluation } = runFolder(folder);
    const results = [evaluation, certificatesBeside(evaluation), corruptionsBeside(evaluation)];
    const stamp = await stampOf([config, metrics, last, best, ema, ...results]);
    const kept = before.get(folder);
    const record =
      kept?.stamp === stamp ? { ...kept.record, ...(await readActivity(folder)) } : await readRun(folder, warn);
    before.set(folder, { stamp, record });
    return record;
  };
}

/** Changes whenever one of the files does. */
const stampOf = async (files: readonly string[]): Promise<string> =>
  JSON.stringify(
    await Promise.all(
      files.map((file) =>
        stat(file, { bigint: true }).then(
          ({ mtimeNs, size, ino }) => `${mtimeNs} ${size} ${ino}`,
          () => null,
        ),
      ),
    ),
  );
