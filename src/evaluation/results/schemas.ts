// What evaluations look like in files, for reading them: each field is checked, and what follows from other fields must agree
// with them, so that a damaged file gives an error and never a wrong figure.

import { z } from 'zod';
import type { AlarmName } from '../alarms/alarms.ts';
import { CLAIM, type Evaluation } from '../types.ts';
import { accuracySchema, normSchema } from './accuracy-schema.ts';
import { unpackBits } from './bits.ts';
import { countSchema, datasetSchema, targetSchema, textSchema } from './target-schema.ts';
import { survivorsOf, unionsIn } from './union.ts';

/** True if a text holds `n` truth values, and no bits beyond them. */
export function isPacked(bits: string, n: number): boolean {
  const bytes = Buffer.from(bits, 'base64');
  if (bytes.toString('base64') !== bits || bytes.length !== Math.ceil(n / 8)) return false;
  return n % 8 === 0 || bytes[bytes.length - 1] >> (n % 8) === 0;
}

const countBits = (bits: string, n: number): number => unpackBits(bits, n).reduce((sum, bit) => sum + bit, 0);

const survival = z
  .looseObject({ robust: accuracySchema, survived: z.string() })
  .refine(({ survived, robust }) => isPacked(survived, robust.n), {
    path: ['survived'],
    message: 'expected one bit for each of n images in base64',
  })
  .refine(({ survived, robust }) => countBits(survived, robust.n) === robust.correct, {
    path: ['survived'],
    message: 'expected as many bits as images are correct',
  });

const attackResult = survival.and(
  z.object({
    attack: textSchema,
    norm: normSchema,
    epsilon: z.number().min(0),
    steps: countSchema.nullable(),
    stepSize: z.number().min(0).nullable(),
    restarts: countSchema.nullable(),
    eot: countSchema.optional(),
    stages: z.array(survival.and(z.object({ attack: textSchema }))).optional(),
    forwardPasses: countSchema,
    inputGradients: countSchema,
  }),
);

const acrossNorms = survival.and(
  z.object({ threats: z.array(z.object({ norm: normSchema, epsilon: z.number().min(0) })).min(2) }),
);

const evaluation = z
  .object({
    claim: z.literal(CLAIM),
    target: targetSchema,
    dataset: datasetSchema,
    split: z.literal('test'),
    seed: z.int(),
    clean: accuracySchema,
    attacks: z.array(attackResult),
    acrossNorms: z.array(acrossNorms).optional(),
    // Another version may have alarms of other names.
    alarms: z.array(
      z.object({
        name: z.custom<AlarmName>((name) => typeof name === 'string', 'expected the name of an alarm'),
        status: z.enum(['ok', 'raised', 'not checked']),
        detail: z.string(),
        help: z.string(),
      }),
    ),
    forwardPasses: countSchema,
    inputGradients: countSchema,
    backend: textSchema,
    version: textSchema,
  })
  .superRefine(({ clean, attacks, acrossNorms: across = [] }, context) => {
    for (const [i, { threats, survived }] of across.entries()) {
      const all = unionsIn(attacks, threats);
      if (all.length === threats.length && survivorsOf(all, clean.n).survived === survived) continue;
      context.addIssue({
        code: 'custom',
        path: ['acrossNorms', i, 'survived'],
        message: 'expected the images that survive the unions of attacks in all of these norms',
      });
    }
    for (const [i, { robust, stages = [] }] of attacks.entries()) {
      const problem = [robust, ...stages.map((stage) => stage.robust)].some(
        ({ n, correct }) => n !== clean.n || correct > clean.correct,
      );
      if (problem) {
        context.addIssue({
          code: 'custom',
          path: ['attacks', i, 'robust'],
          message: `expected ${clean.n} images, at most ${clean.correct} of them correct, as without attack`,
        });
      }
    }
  });

/** The version of evaluation.json; a later one that means something else gets a higher number. */
export const RECORD_VERSION = 1;

/** The content of an evaluation.json. */
export const recordSchema: z.ZodType<{ readonly version: number; readonly evaluations: readonly Evaluation[] }> =
  z.object({
    version: z.literal(RECORD_VERSION),
    evaluations: z.array(evaluation as unknown as z.ZodType<Evaluation>),
  });
