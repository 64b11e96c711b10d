// The rows of results.csv that evaluations of runs give: one for each attack, and one for each union of attacks. Unions are
// compared only if they are over the same attacks, so a run that was attacked by more than another has a union over their
// common attacks too.

import { attackSettings, parseAttacks } from '../../evaluation/attacks/named-attacks.ts';
import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { unionOf } from '../../evaluation/results/union.ts';
import { isSameThreat } from '../../evaluation/threat.ts';
import { type AcrossNorms, type AttackResult, type Evaluation, UNION } from '../../evaluation/types.ts';
import { groupBy } from '../groups/group-by.ts';
import { groupName } from '../groups/group-name.ts';
import { datasetTitle, isComplete, type RunRecord } from '../runs/runs.ts';
import type { ResultRow } from './results.ts';

/** What one evaluation found in one norm and at one radius. */
interface Attacked {
  readonly run: RunRecord;
  readonly evaluation: Evaluation;
  /** Results of single attacks, without unions. */
  readonly results: readonly AttackResult[];
}

/** The rows of runs: one for each evaluated checkpoint, radius and attack, then those of unions. */
export function resultRows(runs: readonly RunRecord[]): ResultRow[] {
  const attacked = runs.flatMap((run) =>
    run.evaluations.flatMap((evaluation) =>
      groupBy(
        evaluation.attacks.filter(({ attack }) => attack !== UNION),
        ({ norm, epsilon }) => `${norm} ${epsilon}`,
      ).map((results): Attacked => ({ run, evaluation, results })),
    ),
  );
  // The sets of attacks that were run on the same images.
  const sets = new Map(
    groupBy(attacked, sameImages).map((group) => [
      sameImages(group[0]),
      [...new Map(group.map(({ results }) => [unionName(results), new Set(results.map(attackName))])).values()],
    ]),
  );
  const across = runs.flatMap((run) =>
    run.evaluations.flatMap((evaluation) =>
      (evaluation.acrossNorms ?? []).map((result) => acrossRow(run, evaluation, result)),
    ),
  );
  const inOneNorm = attacked.flatMap((one) => {
    const { run, evaluation, results } = one;
    const names = new Set(results.map(attackName));
    const common = (sets.get(sameImages(one)) ?? []).filter((set) => [...set].every((name) => names.has(name)));
    const singles = results.map((result) => resultRow(run, evaluation, result, attackName(result)));
    const unions = common.map((set) => {
      const members = results.filter((result) => set.has(attackName(result)));
      return resultRow(run, evaluation, unionOf(members), unionName(members));
    });
    return [...singles, ...unions];
  });
  return [...inOneNorm, ...across];
}

/** The attack of a row that counts an image right only if it survived every attack in several norms. */
export const ALL_NORMS = 'all norms';

/** Norms and radii in a word, such as `linf 8/255 + l2 0.5`. */
export const threatsName = ({ threats }: Pick<AcrossNorms, 'threats'>): string =>
  threats.map(({ norm, epsilon }) => `${norm} ${formatEpsilon(epsilon)}`).join(' + ');

/** The row of several norms, whose column `norm` names them with their radii. */
function acrossRow(run: RunRecord, evaluation: Evaluation, { threats, robust }: AcrossNorms): ResultRow {
  const name = threatsName({ threats });
  const { dataset } = evaluation;
  const members = evaluation.attacks.filter(
    (result) => result.attack !== UNION && threats.some((threat) => isSameThreat(threat, result)),
  );
  return {
    ...resultRow(run, evaluation, { ...members[0], robust, steps: null, stepSize: null, restarts: null }, ''),
    group: [dataset.name, dataset.sha256.slice(0, 8), name].join(' '),
    attack: ALL_NORMS,
    attacks: [...new Set(members.map(attackName))].sort().join(' + '),
    norm: name,
    epsilon: null,
  };
}

const sameImages = ({ evaluation, results: [{ norm, epsilon }] }: Attacked): string =>
  JSON.stringify([evaluation.dataset.sha256, evaluation.split, evaluation.clean.n, evaluation.seed, norm, epsilon]);

/** The name of an attack, such as `pgd-20-ce`, with the size of its steps if that does not follow from the name. */
function attackName({ attack, epsilon, stepSize }: AttackResult): string {
  const usual = usualStepSize(attack, epsilon);
  const isUsual = stepSize === usual || (usual !== null && Math.abs((stepSize ?? 0) - usual) <= 1e-6 * usual);
  return isUsual || stepSize === null ? attack : `${attack} (steps of ${formatEpsilon(stepSize)})`;
}

function usualStepSize(attack: string, epsilon: number): number | null {
  try {
    return attackSettings(parseAttacks(attack)[0], epsilon).stepSize;
  } catch {
    // An attack of another version.
    return null;
  }
}

/** Names of attacks in a fixed order, such as `pgd-20-ce + square-5000`. */
const unionName = (results: readonly AttackResult[]): string => results.map(attackName).sort().join(' + ');

/** The attacks of a row by their names alone, which are the same at every radius. */
export const attackKinds = ({ attacks }: Pick<ResultRow, 'attacks'>): string =>
  attacks.replaceAll(/ \(steps of [^)]*\)/g, '');

function resultRow(run: RunRecord, evaluation: Evaluation, result: AttackResult, attacks: string): ResultRow {
  const { name, config, metrics } = run;
  const { target, dataset, clean } = evaluation;
  const cost = metrics.find(({ epoch }) => epoch === target.epoch);
  return {
    run: name,
    group: groupName({
      dataset: dataset.name,
      sha256: dataset.sha256,
      norm: result.norm,
      epsilon: result.epsilon,
    }),
    dataset: datasetTitle(dataset),
    dataset_sha256: dataset.sha256,
    split: evaluation.split,
    model: config.model,
    width: config.width,
    method: config.method,
    distribution: config.distribution ?? '',
    optimizer: config.optimizer,
    agent_prepass: config.agentPrepass ?? '',
    gamma: config.agentGamma ?? null,
    alpha: config.agentAlpha ?? null,
    objective: config.objective,
    sparsity: config.sparsity,
    sparsity_actual: target.sparsity,
    nonzeros: target.nonzeros,
    seed: config.seed,
    complete: String(isComplete(run)),
    epoch: target.epoch,
    checkpoint: target.checkpoint,
    attack: result.attack,
    attacks,
    norm: result.norm,
    epsilon: result.epsilon,
    steps: result.steps,
    step_size: result.stepSize,
    restarts: result.restarts,
    attack_seed: evaluation.seed,
    preprocessing: target.preprocessing === null ? '' : JSON.stringify(target.preprocessing),
    n: clean.n,
    clean_accuracy: clean.value,
    clean_low: clean.low,
    clean_high: clean.high,
    robust_accuracy: result.robust.value,
    robust_low: result.robust.low,
    robust_high: result.robust.high,
    forward_passes: cost?.forward_passes ?? null,
    input_gradients: cost?.input_gradients ?? null,
    weight_gradients: cost?.weight_gradients ?? null,
    train_seconds: cost?.seconds ?? null,
    flops: target.flops,
    bytes: target.bytes,
    version: evaluation.version,
  };
}
