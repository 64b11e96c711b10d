// An evaluation under way, kept so that an interrupted one continues where it stopped. The file says what it belongs to, and
// has a checksum, since a damaged one would lead to wrong figures. It is removed when the evaluation is done.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { removeFile, writeAtomically } from '../../checkpoints/files/atomic-file.ts';
import { readIfThere } from '../../checkpoints/files/read-if-there.ts';
import { parseJson } from '../../core/parse-json.ts';
import type { Guard } from '../../files/lock.ts';
import type { MeasureState } from '../measure/types.ts';

import { packBits, unpackBits } from './bits.ts';
import { isPacked } from './schemas.ts';
import { countSchema } from './target-schema.ts';

const VERSION = 4;

/** Where the evaluation of one checkpoint is kept while it runs, given where its result goes. */
export const interruptedPath = (out: string, checkpoint: string): string =>
  `${out.replace(/\.json$/, '')}.${checkpoint}.interrupted.json`;

/** What a state belongs to: the model, the images and every setting, by what messages call them. */
export type Identity = Readonly<Record<string, unknown>>;

const versionSchema = z.looseObject({ version: z.number() });

const storedSchema = z
  .strictObject({
    version: z.literal(VERSION),
    identity: z.record(z.string(), z.unknown()),
    /** One class for each image, −1 where the model gave no numbers. */
    predictions: z.array(z.int().min(-1)).min(1),
    done: countSchema,
    seen: z.strictObject({
      outside: countSchema,
      successes: countSchema,
      unstable: countSchema,
      nonFinite: countSchema,
      withinNoise: countSchema,
      notNumbers: countSchema,
    }),
    cells: z.array(
      z.strictObject({
        survived: z.string(),
        standing: z.record(z.string(), z.string()),
        cost: z.strictObject({ forwardPasses: countSchema, inputGradients: countSchema }),
      }),
    ),
    sha256: z.string(),
  })
  .superRefine(({ sha256, ...content }, context) => {
    const { predictions, cells } = content;
    for (const [i, { survived, standing }] of cells.entries()) {
      if (![survived, ...Object.values(standing)].every((bits) => isPacked(bits, predictions.length))) {
        context.addIssue({ code: 'custom', path: ['cells', i], message: 'expected one bit for each image in base64' });
      }
    }
    if (sha256 !== checksumOf(content)) {
      context.addIssue({ code: 'custom', path: ['sha256'], message: 'expected the checksum of the other fields' });
    }
  });

type Stored = z.infer<typeof storedSchema>;

const checksumOf = (content: Omit<Stored, 'sha256'>): string =>
  createHash('sha256').update(JSON.stringify(content)).digest('hex');

export async function writeInterrupted(
  path: string,
  identity: Identity,
  state: MeasureState,
  guard: Guard,
): Promise<void> {
  const { outside, successes, unstable, nonFinite, withinNoise, notNumbers } = state.seen;
  // Its fields are in the order of the schema, which reading gives them back in: the checksum is over the text.
  const content: Omit<Stored, 'sha256'> = {
    version: VERSION,
    identity,
    predictions: [...state.predictions],
    done: state.done,
    seen: { outside, successes, unstable, nonFinite, withinNoise, notNumbers },
    cells: state.cells.map(({ survived, standing, cost: { forwardPasses, inputGradients } }) => ({
      survived: packBits(survived),
      standing: Object.fromEntries(Object.entries(standing).map(([name, left]) => [name, packBits(left)])),
      cost: { forwardPasses, inputGradients },
    })),
  };
  await writeAtomically(path, `${JSON.stringify({ ...content, sha256: checksumOf(content) })}\n`, { guard });
}

/** A state as a file holds it. */
export interface KeptState {
  readonly identity: Identity;
  readonly state: MeasureState;
}

/**
 * What a file holds of an evaluation under way, or of a part; null if there is none, or only one of another version.
 *
 * @throws InputError that names the file and the field that is wrong, if it is damaged
 */
export async function readKept(path: string): Promise<KeptState | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  if (parseJson(text, path, versionSchema).version !== VERSION) return null;
  const { identity, predictions, cells, done, seen } = parseJson(text, path, storedSchema);
  const n = predictions.length;
  return {
    identity,
    state: {
      predictions: Int32Array.from(predictions),
      done,
      seen,
      cells: cells.map(({ survived, standing, cost }) => ({
        survived: unpackBits(survived, n),
        standing: Object.fromEntries(Object.entries(standing).map(([name, left]) => [name, unpackBits(left, n)])),
        cost,
      })),
    },
  };
}

/** The names of what differs between two identities. */
export const differences = (wanted: Identity, kept: Identity): readonly string[] =>
  Object.keys(wanted).filter((name) => JSON.stringify(wanted[name]) !== JSON.stringify(kept[name]));

/**
 * The state in a file; null if there is none, or only one of another version. If it belongs to something else, the names of
 * what differs.
 *
 * @throws InputError that names the file and the field that is wrong, if it is damaged
 */
export async function readInterrupted(
  path: string,
  identity: Identity,
): Promise<MeasureState | readonly string[] | null> {
  const kept = await readKept(path);
  if (kept === null) return null;
  const others = differences(identity, kept.identity);
  return others.length > 0 ? others : kept.state;
}

/** Removes what was kept, as its result is recorded. */
export const removeInterrupted = (path: string, guard: Guard): Promise<void> => removeFile(path, { guard });
