// What `evaluate` does with a set of corrupted images: accuracies by corruption and severity, without attacks.
import { InputError } from '../core/errors.ts';
import { pathWord, shellCommand } from '../core/shell.ts';
import { type CorruptionSetName, SEVERITIES } from '../data/sets/corruptions.ts';
import { evaluateCorruptions } from '../evaluation/corruptions/evaluate.ts';
import {
  accuracyOn,
  type CorruptionEvaluation,
  meanAccuracy,
  meanCorruptionError,
  readCorruptionEvaluations,
} from '../evaluation/corruptions/record.ts';
import type { ModelSource } from '../evaluation/targets/target.ts';
import { formatTable, percent } from '../reporting/tables/table.ts';
import { ATTACKING, type EvaluateFlags, refuseFlags } from './flags/evaluate-flags.ts';
import { modelOptions } from './flags/model-flags.ts';
import type { Terminal } from './terminal/terminal.ts';
import { withBar } from './with-bar.ts';

export async function evaluateOnCorruptions(
  source: ModelSource,
  dataset: CorruptionSetName,
  flags: EvaluateFlags,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  refuseFlags(flags, [...ATTACKING, 'examples'], `${dataset}: its images are corrupted, and nothing is attacked`);
  const baseline = flags.baseline === undefined ? null : await readBaseline(flags.baseline, dataset);
  const found = await withBar(flags, 'severity', terminal, (bar) =>
    evaluateCorruptions(source, {
      ...modelOptions(flags),
      dataset,
      testLimit: flags['test-limit'],
      batchSize: flags['batch-size'],
      out: flags.out,
      signal: terminal.signal,
      warn: terminal.warn,
      onProgress: ({ done, total, corruption }) => bar.update(done, total, corruption, ''),
    }),
  );
  terminal.print(json ? JSON.stringify(found, null, 2) : found.map((one) => describe(one, baseline)).join('\n\n'));
}

/** The last evaluation of a file of results on this set. */
async function readBaseline(path: string, dataset: CorruptionSetName): Promise<CorruptionEvaluation> {
  const found = (await readCorruptionEvaluations(path)).filter((one) => one.dataset.name === dataset);
  if (found.length > 0) return found[found.length - 1];
  throw new InputError(
    `${path} holds no accuracies on ${dataset}. Evaluate the baseline with --dataset ${dataset} ${shellCommand('--out', pathWord(path))} first.`,
  );
}

function describe(found: CorruptionEvaluation, baseline: CorruptionEvaluation | null): string {
  const { target, dataset, n, corruptions } = found;
  const severities = Array.from({ length: SEVERITIES }, (_, i) => `${i + 1}`);
  return [
    `${target.checkpoint} on ${dataset.name}, ${n} images of each corruption and severity`,
    '',
    formatTable(
      ['accuracy (%)', ...severities, 'mean'],
      corruptions.map((result) => [
        result.corruption,
        ...result.correct.map((correct) => percent(correct / n)),
        percent(accuracyOn(result, n)),
      ]),
      1,
    ),
    '',
    `mean over the 15 corruptions: ${percent(meanAccuracy(found))} % right, ${percent(1 - meanAccuracy(found))} % wrong`,
    ...(baseline === null
      ? []
      : [`mCE against ${baseline.target.checkpoint}: ${percent(meanCorruptionError(found, baseline))} %`]),
  ].join('\n');
}
