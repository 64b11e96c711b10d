// Compares the clean accuracy of a model with the one that the user expects.
import { InputError, UsageError } from '../../core/errors.ts';
import type { Dataset } from '../../data/types.ts';
import type { Accuracy } from '../intervals.ts';
import type { EvaluateOptions } from '../options.ts';
import { describeSuggestion, suggestPreprocessing } from './suggestions.ts';
import type { Target } from './target.ts';

/** @throws UsageError if the value is not an accuracy */
export function checkExpectation({ expectClean }: EvaluateOptions): void {
  if (expectClean === undefined || (expectClean >= 0 && expectClean <= 1)) return;
  const meant = expectClean > 1 && expectClean <= 100 ? ` Did you mean ${expectClean / 100}?` : '';
  throw new UsageError(`--expect-clean must be a fraction from 0 to 1, got ${expectClean}.${meant}`);
}

/** Below this clean accuracy, an unknown model probably gets its images in another form than in its training. */
const LOW_ACCURACY = 0.8;

/**
 * Compares the accuracy without attack with the one that is known, and suggests another preprocessing where it is off.
 *
 * @throws InputError if it is off
 */
export async function holdAgainst(
  clean: Accuracy,
  target: Target,
  dataset: Dataset,
  { expectClean, warn }: EvaluateOptions,
): Promise<void> {
  const percent = (value: number): string => `${Number((100 * value).toFixed(1))} %`;
  if (expectClean !== undefined) {
    if (expectClean >= clean.low && expectClean <= clean.high) return;
    const suggestion = await suggestPreprocessing(target, dataset);
    throw new InputError(
      `Clean accuracy is ${percent(clean.value)} (${percent(clean.low)} to ${percent(clean.high)}, n ${clean.n}); ${percent(expectClean)} was expected. No attack was run. ${describeSuggestion(suggestion)}`,
    );
  }
  if (clean.value >= LOW_ACCURACY || target.trainedOn !== null) return;
  const suggestion = await suggestPreprocessing(target, dataset);
  warn?.(
    `Clean accuracy is only ${percent(clean.value)}. ${describeSuggestion(suggestion)} Say --expect-clean ${clean.value} if it is meant to be so.`,
  );
}
