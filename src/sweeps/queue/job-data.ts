// What a job of a queue is: plain data without a path, and the id that follows from them.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type AttackName, attackNames } from '../../../attacks/attacks.ts';
import { type LossName, losses, norms } from '../../../attacks/index.ts';
import type { NormName } from '../../../attacks/types.ts';
import { InputError } from '../../core/errors.ts';
import type { AttackSpec } from '../../evaluation/attacks/named-attacks.ts';
import { PROTOCOLS } from '../../evaluation/attacks/protocols.ts';
import { CHECKPOINTS } from '../../evaluation/targets/checkpoint-names.ts';
import { configHash, readConfig, type TrainConfig } from '../../training/config/config.ts';
import type { JobEvaluation } from '../job.ts';
import type { Provenance } from '../provenance.ts';

/** A run to be made by whichever worker takes it. */
export interface QueuedJob {
  readonly config: TrainConfig;
  /** The evaluation of the run; null if it is only trained. */
  readonly evaluation: JobEvaluation | null;
  readonly provenance: Provenance;
}

const countSchema = z.int().min(1);

const attackSchema = z.strictObject({
  kind: z.enum(attackNames as [AttackName, ...AttackName[]]),
  steps: countSchema.optional(),
  queries: countSchema.optional(),
  restarts: countSchema.optional(),
  stepSize: z.number().positive().optional(),
  loss: z.enum(Object.keys(losses) as [LossName, ...LossName[]]).optional(),
  version: z.enum(['standard', 'rand']).optional(),
  eot: countSchema.optional(),
}) satisfies z.ZodType<AttackSpec>;

const normSchema = z.enum(Object.keys(norms) as [NormName, ...NormName[]]);

const evaluationSchema = z.strictObject({
  checkpoints: z.array(z.enum(CHECKPOINTS)).min(1).optional(),
  attacks: z.array(attackSchema).min(1),
  norm: normSchema.optional(),
  epsilons: z.array(z.number().min(0)).min(1).optional(),
  norms: z.partialRecord(normSchema, z.number().min(0)).optional(),
  testLimit: countSchema.optional(),
  seed: z.int().optional(),
  batchSize: countSchema.optional(),
}) satisfies z.ZodType<JobEvaluation>;

const jobSchema = z.strictObject({
  config: z.unknown(),
  evaluation: evaluationSchema.nullable(),
  provenance: z.strictObject({
    version: z.string(),
    backend: z.string(),
    kernels: z.string().nullable(),
    fingerprint: z.string(),
    data: z.string(),
  }),
});

/** A job with everything in it that an evaluation takes by default, its fields in one order. */
export function queuedJob(config: TrainConfig, evaluation: JobEvaluation | null, provenance: Provenance): QueuedJob {
  return readQueuedJob({
    config,
    evaluation: evaluation && withoutAbsent({ ...evaluation, attacks: evaluation.attacks ?? PROTOCOLS.quick }),
    provenance,
  });
}

const withoutAbsent = (record: object): object =>
  Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));

/**
 * A job read from a queue, into which anyone may have written.
 *
 * @throws InputError if it is none
 */
export function readQueuedJob(data: unknown): QueuedJob {
  const { success, data: job, error } = jobSchema.safeParse(data);
  if (!success) {
    const [{ path, message }] = error.issues;
    throw new InputError(
      `The queue holds a job that is no run of this version of Equipoise (${path.join('.') || 'job'}: ${message}). Put it in with \`equipoise sweep --queue\` of the same version.`,
    );
  }
  return { ...job, config: readConfig(job.config) };
}

const versionSchema = z.object({ provenance: z.object({ version: z.string() }) });

/** The version of Equipoise that a job was queued for, whatever else that version writes; undefined if it names none. */
export const versionOf = (data: unknown): string | undefined => versionSchema.safeParse(data).data?.provenance.version;

/**
 * The id of a job: `run-` and 32 hexadecimal digits of the SHA-256 of configuration and evaluation. Whatever changes nothing of
 * the results, such as how often a run is saved, is left out.
 */
export const idOf = ({ config, evaluation }: Pick<QueuedJob, 'config' | 'evaluation'>): string =>
  `run-${createHash('sha256')
    .update(JSON.stringify([configHash(config), evaluation]))
    .digest('hex')
    .slice(0, 32)}`;

/** The last priority that the queue has; 1 is the first. */
export const LAST_PRIORITY = 2 ** 21;

/** Runs of one seed come before those of the next, so that a sweep has whole tables over few seeds early. */
export const priorityOf = ({ config: { seed } }: Pick<QueuedJob, 'config'>): number =>
  Math.min(Number(seed) + 1, LAST_PRIORITY - 1);
