// What `evaluate` does with saved adversarial examples of another network: accuracies on them, without an attack of its own.
import { formatEpsilon } from '../evaluation/epsilon.ts';
import type { ModelSource } from '../evaluation/targets/target.ts';
import { evaluateExamples } from '../evaluation/transfer/evaluate.ts';
import type { TransferEvaluation } from '../evaluation/transfer/record.ts';
import { datasetTitle } from '../reporting/runs/runs.ts';
import { formatAccuracy, formatTable } from '../reporting/tables/table.ts';
import { ATTACKING, type EvaluateFlags, refuseFlags } from './flags/evaluate-flags.ts';
import { modelOptions } from './flags/model-flags.ts';
import type { Terminal } from './terminal/terminal.ts';
import { withBar } from './with-bar.ts';

export async function evaluateOnExamples(
  source: ModelSource,
  examples: string,
  flags: EvaluateFlags,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  refuseFlags(
    flags,
    [...ATTACKING, 'test-limit'],
    '--examples: the saved examples are evaluated, and nothing is attacked',
  );
  const found = await withBar(flags, 'example', terminal, (bar) =>
    evaluateExamples(source, {
      ...modelOptions(flags),
      examples,
      batchSize: flags['batch-size'],
      out: flags.out,
      signal: terminal.signal,
      warn: terminal.warn,
      onProgress: ({ done, total, attack }) => bar.update(done, total, attack, ''),
    }),
  );
  terminal.print(json ? JSON.stringify(found, null, 2) : found.map(describe).join('\n\n'));
}

const describe = ({ target, dataset, results, claim }: TransferEvaluation): string =>
  [
    `${target.checkpoint} on saved examples of test images of ${datasetTitle(dataset)}`,
    '',
    formatTable(
      ['made on', 'attack', 'within', 'images', 'clean [95 %]', 'examples [95 %]'],
      results.map(({ attack, norm, epsilon, madeOn, clean, robust }) => [
        madeOn?.checkpoint ?? '',
        attack,
        `${norm} ${formatEpsilon(epsilon)}`,
        String(clean.n),
        formatAccuracy(clean),
        formatAccuracy(robust),
      ]),
      3,
    ),
    '',
    `Accuracy on examples is a ${claim}.`,
    'Quote it as such. An attack on the network itself finds more, Square also without its gradient.',
  ].join('\n');
