// Which runs of a report are shown together: those that were evaluated on the same images, in the same norm and at the same
// radius. Runs that nothing was measured of stand with those that were trained alike.

import { isSameThreat } from '../../evaluation/threat.ts';
import { UNION } from '../../evaluation/types.ts';
import { type RunRecord, UNOFFICIAL } from '../runs/runs.ts';
import type { ResultRow } from '../tables/results.ts';
import { groupBy } from './group-by.ts';
import { type GroupKey, groupName } from './group-name.ts';

/** Runs that are shown together. */
export interface RunGroup extends GroupKey {
  readonly name: string;
  /** The data set's name as people read it, marked if its files are not the official ones. */
  readonly datasetTitle: string;
  /** The norm and radius of the group; null if none of its runs was attacked. */
  readonly threat: Threat | null;
  readonly runs: readonly RunRecord[];
}

/** The attack that a group's headlines are about: one norm and radius, all attacks together. */
export interface Threat {
  readonly norm: string;
  readonly epsilon: number;
}

/**
 * The groups of runs, that with most runs first that were trained against its attack. A radius makes a group if runs that were evaluated at it were trained against it, or
 * if no other group has these runs; any other radius is one more point on the curve of accuracy against the radius.
 *
 * @param results rows of these runs
 */
export function groupsOf(runs: readonly RunRecord[], results: readonly ResultRow[]): RunGroup[] {
  const attacked = results.filter(({ attack, epsilon }) => attack === UNION && epsilon !== null && epsilon > 0);
  const families = groupBy(attacked, ({ dataset_sha256, norm }) => JSON.stringify([dataset_sha256, norm]));
  const evaluated = families.flatMap((rows) => groupsOfFamily(runs, rows));
  const lonely = runs.filter((run) => !evaluated.some((group) => group.runs.includes(run)));
  const joined = evaluated.map((group) => ({
    ...group,
    runs: runs.filter((run) => group.runs.includes(run) || (lonely.includes(run) && isTrainedLike(run, group))),
  }));
  const alone = lonely.filter((run) => !evaluated.some((group) => isTrainedLike(run, group)));
  return [
    ...joined,
    ...groupBy(alone, (run) => groupName(trainingKey(run))).map((members): RunGroup => {
      const key = trainingKey(members[0]);
      return { ...key, name: groupName(key), datasetTitle: key.dataset, threat: null, runs: members };
    }),
  ].sort(
    (a, b) =>
      Number(b.threat !== null) - Number(a.threat !== null) ||
      countTrainedAgainst(b) - countTrainedAgainst(a) ||
      b.runs.length - a.runs.length,
  );
}

const countTrainedAgainst = (group: Pick<RunGroup, 'runs'> & Threat): number =>
  group.runs.filter(({ config }) => isSameThreat(config, group)).length;

/** The groups of the rows of one data set and norm. */
function groupsOfFamily(runs: readonly RunRecord[], rows: readonly ResultRow[]): RunGroup[] {
  const candidates = groupBy(rows, ({ group }) => group).map(([first, ...more]) => {
    const threat = { norm: first.norm, epsilon: first.epsilon ?? 0 };
    const names = new Set([first, ...more].map(({ run }) => run));
    const members = runs.filter(({ name }) => names.has(name));
    return {
      dataset: first.dataset.endsWith(UNOFFICIAL) ? first.dataset.slice(0, -UNOFFICIAL.length) : first.dataset,
      datasetTitle: first.dataset,
      sha256: first.dataset_sha256,
      ...threat,
      name: first.group,
      threat,
      runs: members,
      defended: members.some(({ config }) => config.objective !== 'natural' && isSameThreat(config, threat)),
    };
  });
  const inOrder = candidates.toSorted(
    (a, b) =>
      Number(b.defended) - Number(a.defended) ||
      b.runs.length - a.runs.length ||
      countTrainedAgainst(b) - countTrainedAgainst(a) ||
      a.epsilon - b.epsilon,
  );
  const covered = new Set<RunRecord>();
  return inOrder.flatMap(({ defended, ...group }) => {
    if (!defended && group.runs.every((run) => covered.has(run))) return [];
    for (const run of group.runs) covered.add(run);
    return [group];
  });
}

/** The group that a run belongs to by its training. */
const trainingKey = ({ config, last }: RunRecord): GroupKey => ({
  dataset: config.dataset,
  sha256: last?.datasetSha256 ?? null,
  norm: config.norm,
  epsilon: config.epsilon,
});

function isTrainedLike(run: RunRecord, group: RunGroup): boolean {
  const { sha256 } = trainingKey(run);
  return sha256 !== null && sha256 === group.sha256 && group.threat !== null && isSameThreat(run.config, group.threat);
}
