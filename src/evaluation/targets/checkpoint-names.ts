// The names of the checkpoints that a run keeps, and the refusal of others.
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';

/** The checkpoints that a run keeps, in the order of tables. */
export const CHECKPOINTS = ['best', 'last', 'ema'] as const;
export type CheckpointName = (typeof CHECKPOINTS)[number];

/** The message for `--checkpoints` beside a model that is no run's folder. */
export const namesOfNoRun = (path: string): string =>
  `--checkpoints names checkpoints of a run's folder, and ${path} is one model. Leave --checkpoints out.`;

/** @throws UsageError unless all are names of checkpoints, and there is one */
export function checkCheckpointNames(names: readonly string[] | undefined): void {
  const known: readonly string[] = CHECKPOINTS;
  const strange = names?.find((name) => !known.includes(name));
  if (strange === undefined && names?.length !== 0) return;
  throw new UsageError(
    `--checkpoints: expected names among ${known.join(', ')}, separated by commas, got ${strange ?? 'none'}.${suggestion(didYouMean(strange ?? '', known))}`,
  );
}
