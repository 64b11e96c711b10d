// One part of an evaluation, on one of several machines: what it finds is kept in a file of its own beside the results.

import { UsageError } from '../../core/errors.ts';
import { withLock } from '../../files/lock.ts';
import { identityOf, outOf } from '../evaluate.ts';
import { measurePart } from '../measure/measure.ts';
import type { Part } from '../measure/types.ts';
import type { EvaluateOptions } from '../options.ts';
import { differences, readKept, writeInterrupted } from '../results/resume-file.ts';
import { settingsOf } from '../settings.ts';
import { checkFit, loadWith, namedData, testData } from '../targets/loading.ts';
import { type ModelSource, modelFiles } from '../targets/target.ts';
import { COMPLETE_FIELD, PART_FIELD } from './merge.ts';
import { formatPart } from './part.ts';

/** Where a part of the evaluation of one checkpoint is kept, given where the results go. */
export const partPath = (out: string, checkpoint: string, { index, count }: Part): string =>
  `${out.replace(/\.json$/, '')}.${checkpoint}.part-${index}-of-${count}.json`;

/** A part that is complete. */
export interface EvaluatedPart {
  readonly checkpoint: string;
  /** The part, such as `2/4`. */
  readonly part: string;
  readonly file: string;
}

/**
 * Attacks a part of the images of a model, or of each that a run's folder keeps, and keeps what it finds in a file. The same
 * command continues a part that was interrupted. `evaluate` with `merge` puts all parts together, to the bits of an evaluation
 * on one machine.
 *
 * @throws UsageError if nothing says where the results go; otherwise as `evaluate`
 */
export async function evaluatePart(
  source: ModelSource,
  options: EvaluateOptions & { readonly part: Part },
): Promise<EvaluatedPart[]> {
  const { part, signal, onProgress, onStep } = options;
  if (options.saveExamples !== undefined || options.expectClean !== undefined) {
    throw new UsageError('--shard takes neither --save-examples nor --expect-clean. Leave them out.');
  }
  const files = await modelFiles(source, options);
  const out = outOf(files[0], options);
  if (out === null) {
    throw new UsageError(
      `A part of an evaluation is written beside its results, and ${files[0].path} is not in a run's folder. Name the file of the results with --out.`,
    );
  }
  const done = new Set<string>();
  const parts: EvaluatedPart[] = [];
  let loaded = await namedData(options);
  for (const file of files) {
    const target = await loadWith(file, loaded, options);
    try {
      const { checkpoint, sha256 } = target.record;
      // The last epoch is often the best one, and equal files are evaluated once.
      if (done.has(sha256)) continue;
      done.add(sha256);
      loaded ??= await testData(target, options);
      const dataset = loaded;
      await checkFit(target, dataset);
      const path = partPath(out, checkpoint, part);
      const identity = { ...identityOf(target, dataset, options), [PART_FIELD]: formatPart(part) };
      await withLock(
        `${path}.lock`,
        { ...options.lockTimes, name: path, onWait: options.warn, signal },
        async (guard) => {
          const kept = await readKept(path);
          const from = kept !== null && differences(identity, kept.identity).length === 0 ? kept.state : undefined;
          const state = await measurePart(target.classify, dataset, {
            ...settingsOf(target, dataset, options),
            part,
            from,
            signal,
            onState: (found) => writeInterrupted(path, identity, found, guard),
            onProgress: onProgress && ((progress) => onProgress({ ...progress, checkpoint })),
            onStep: onStep && ((progress) => onStep({ ...progress, checkpoint })),
          });
          await writeInterrupted(path, { ...identity, [COMPLETE_FIELD]: true }, state, guard);
        },
      );
      parts.push({ checkpoint, part: formatPart(part), file: path });
    } finally {
      target.dispose();
    }
  }
  return parts;
}
