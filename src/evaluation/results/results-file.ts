// evaluation.json: how it is read, and how an evaluation is added to it.

import { addCosts } from '../../../attacks/loops/costs.ts';
import type { Cost } from '../../../attacks/types.ts';
import { writeAtomically } from '../../checkpoints/files/atomic-file.ts';
import { parseJson } from '../../core/parse-json.ts';
import type { Guard } from '../../files/lock.ts';
import type { Alarm } from '../alarms/alarms.ts';
import { type AcrossNorms, type AttackResult, type Evaluation, UNION } from '../types.ts';
import { readRecordFile } from './record-file.ts';
import { RECORD_VERSION, recordSchema } from './schemas.ts';
import { acrossNorms, withUnions } from './union.ts';

/**
 * The evaluations in a file, none where there is no file.
 *
 * @throws InputError that names the file and the field that is wrong, if it is no evaluation.json or a damaged one
 */
export async function readEvaluations(path: string): Promise<readonly Evaluation[]> {
  const file = { what: 'evaluations', command: 'evaluate', schema: recordSchema };
  return (await readRecordFile(path, file))?.evaluations ?? [];
}

/** Adds an evaluation to those of a file, in one piece: see `mergeEvaluation`. */
export async function recordEvaluation(path: string, evaluation: Evaluation, guard?: Guard): Promise<void> {
  const evaluations = mergeEvaluation(await readEvaluations(path), evaluation);
  // Reading gives fields the order of the schema; here it makes a resumed evaluation write the bytes of an undisturbed one.
  const record = parseJson(JSON.stringify({ version: RECORD_VERSION, evaluations }), path, recordSchema);
  await writeAtomically(path, `${JSON.stringify(record, null, 2)}\n`, { guard });
}

/**
 * `before` with an evaluation added. Attacks on the same network, images and seed gather in one evaluation, whose unions
 * are then over all of them; an attack that was run again replaces its result, and other weights of the same name
 * replace theirs.
 */
export function mergeEvaluation(before: readonly Evaluation[], added: Evaluation): Evaluation[] {
  const kept = before.filter(
    ({ target }) => target.checkpoint !== added.target.checkpoint || target.sha256 === added.target.sha256,
  );
  const index = kept.findIndex((other) => identity(other) === identity(added));
  return index < 0 ? [...kept, added] : kept.with(index, combine(kept[index], added));
}

const identity = ({ target, dataset, split, clean, seed }: Evaluation): string =>
  JSON.stringify([
    target.checkpoint,
    target.sha256,
    target.preprocessing ?? null,
    target.reading ?? null,
    dataset.sha256,
    split,
    clean.n,
    // What a module loads is not in its SHA-256: with another accuracy it is another network, or answers at random.
    target.format === 'module' ? clean.correct : null,
    seed,
  ]);

function combine(old: Evaluation, added: Evaluation): Evaluation {
  const attacks = new Map<string, AttackResult>();
  for (const result of [...old.attacks, ...added.attacks]) {
    if (result.attack !== UNION) {
      const { attack, norm, epsilon, steps, stepSize, restarts } = result;
      attacks.set(JSON.stringify([attack, norm, epsilon, steps, stepSize, restarts]), result);
    }
  }
  const all = withUnions([...attacks.values()]);
  const across = new Map(
    [...(old.acrossNorms ?? []), ...(added.acrossNorms ?? [])].map(({ threats }): [string, AcrossNorms] => [
      JSON.stringify(threats.toSorted((a, b) => a.norm.localeCompare(b.norm))),
      acrossNorms(all, threats),
    ]),
  );
  return {
    ...added,
    attacks: all,
    ...(across.size > 0 && { acrossNorms: [...across.values()] }),
    alarms: added.alarms.map((alarm, i) => worse(alarm, old.alarms[i])),
    ...[...attacks.values()].filter((result) => old.attacks.includes(result)).reduce(addCosts, costOf(added)),
  };
}

/** What was measured last, its accuracy without attack and its alarms included; attacks kept from before come on top. */
const costOf = ({ forwardPasses, inputGradients }: Evaluation): Cost => ({ forwardPasses, inputGradients });

const SEVERITY = { raised: 2, ok: 1, 'not checked': 0 } as const;

const worse = (added: Alarm, old: Alarm | undefined): Alarm =>
  old?.name === added.name && SEVERITY[old.status] > SEVERITY[added.status] ? old : added;
