// Everything that a report shows, as plain data: groups of runs that may be compared, and what is left out of them.

import { UNION } from '../evaluation/types.ts';
import type { TrainConfig } from '../training/config/config.ts';
import { measureOf } from '../training/run/best-epoch.ts';
import type { Breakdown } from './breakdown.ts';
import { type Series, type SeriesSetting, seriesOf } from './charts/series.ts';
import { groupBy } from './groups/group-by.ts';
import { groupsOf, type RunGroup } from './groups/groups.ts';
import { type IdentifiedRun, identitiesOf, NO_IDENTITY, type RunIdentity } from './groups/identity.ts';
import type { Gallery } from './pictures/gallery.ts';
import { costedRun, describeOutdated, isComplete, type LeftOut, type RunRecord, trainingState } from './runs/runs.ts';
import { type EpochsToAccuracy, epochsToAccuracy, measureName } from './tables/epochs-to-accuracy.ts';
import { attackKinds, resultRows } from './tables/result-rows.ts';
import type { ResultRow } from './tables/results.ts';
import { type SummaryCell, summarize } from './tables/summary.ts';

export type { Threat } from './groups/groups.ts';

/** Everything that a report shows. */
export interface ReportData {
  readonly title: string;
  /** All of them, those of which something is left out included. */
  readonly runs: readonly RunRecord[];
  readonly identities: ReadonlyMap<string, RunIdentity>;
  readonly results: readonly ResultRow[];
  /** Means over complete runs. */
  readonly cells: readonly SummaryCell[];
  /** Epochs to accuracy of complete runs. */
  readonly epochs: readonly EpochsToAccuracy[];
  /** Runs that are compared, the group with most runs first that were trained against its attack. */
  readonly groups: readonly ReportGroup[];
  /** Runs that means, charts and comparisons leave out, each with the reason. */
  readonly leftOut: readonly LeftOut[];
  /** What a single run makes of each class; null if it was not looked at, or if there are several runs. */
  readonly breakdown: Breakdown | null;
}

/** Runs on one data set under one attack, with the statistics that may be computed over them. */
export interface ReportGroup extends RunGroup {
  readonly identities: ReadonlyMap<string, RunIdentity>;
  /** Rows of this data set and norm, at every radius. */
  readonly results: readonly ResultRow[];
  /** Means over complete runs. */
  readonly cells: readonly SummaryCell[];
  readonly epochs: readonly EpochsToAccuracy[];
  readonly series: readonly Series[];
  /** How the figures of charts and headlines were measured; null if nothing was attacked. */
  readonly protocol: Protocol | null;
  /** The checkpoint that charts and headlines are about. */
  readonly checkpoint: string;
  readonly gallery: Gallery | null;
}

/** What evaluations must share for their figures to be compared. */
export type Protocol = Pick<ResultRow, 'split' | 'n' | 'attacks' | 'attack_seed' | 'preprocessing'>;

const OPTIMIZERS = ['sgd', 'agent', 'svrg', 'alpha-svrg'];

/** Runs as tables list them: without defence first, then by sparsity, method, correction and seed. */
const inOrder = (runs: readonly RunRecord[]): RunRecord[] =>
  runs.toSorted(
    ({ config: a }, { config: b }) =>
      Number(b.objective === 'natural') - Number(a.objective === 'natural') ||
      a.sparsity - b.sparsity ||
      a.method.localeCompare(b.method) ||
      OPTIMIZERS.indexOf(a.optimizer) - OPTIMIZERS.indexOf(b.optimizer) ||
      a.seed - b.seed,
  );

export interface CollectOptions {
  /** The checkpoint that charts and headlines are about; default `best` where there is one. */
  readonly checkpoint?: string;
  /** Runs that could not be read. */
  readonly leftOut?: readonly LeftOut[];
}

/** Puts together what a report of these runs shows. */
export function collectReport(
  given: readonly RunRecord[],
  title: string,
  { checkpoint, leftOut = [] }: CollectOptions = {},
): ReportData {
  const { runs, repeated } = withoutRepetitions(inOrder(given));
  const results = resultRows(runs);
  const identities = identitiesOf(runs);
  const complete = new Set(runs.filter(isComplete).map(({ name }) => name));
  const epochs = epochsToAccuracy(
    runs
      .filter(({ name }) => complete.has(name))
      .map((run) => ({ ...costedRun(run), setting: identities.get(run.name)?.paired })),
  );
  const groups = groupsOf(runs, results).map((group) => collectGroup(group, results, epochs, checkpoint));
  return {
    title,
    runs,
    identities,
    results,
    cells: summarize(
      results.filter(({ run }) => complete.has(run)),
      identities,
    ),
    epochs,
    groups,
    leftOut: [...leftOut, ...repeated, ...runs.flatMap((run) => reasonsFor(run, groups))],
    breakdown: null,
  };
}

/** The report with pictures of its first group. */
export function withGallery(data: ReportData, gallery: Gallery | null, breakdown: Breakdown | null = null): ReportData {
  const [first, ...others] = data.groups;
  return first === undefined ? data : { ...data, groups: [{ ...first, gallery }, ...others], breakdown };
}

/** The runs without those that repeat another one's configuration and seed, which are no further seeds. */
function withoutRepetitions(runs: readonly RunRecord[]): { runs: RunRecord[]; repeated: LeftOut[] } {
  const identities = identitiesOf(runs);
  const groups = groupBy(runs, ({ name, config }) => JSON.stringify([identities.get(name)?.repeated, config.seed])).map(
    (same) => same.toSorted((a, b) => Number(isComplete(b)) - Number(isComplete(a))),
  );
  const kept = new Set(groups.map(([first]) => first));
  return {
    runs: runs.filter((run) => kept.has(run)),
    repeated: groups.flatMap(([first, ...more]) =>
      more.map(({ name }) => ({ run: name, reason: `it has the configuration and the seed of ${first.name}` })),
    ),
  };
}

function collectGroup(
  group: RunGroup,
  all: readonly ResultRow[],
  epochs: readonly EpochsToAccuracy[],
  wanted: string | undefined,
): ReportGroup {
  const { runs, sha256, norm, threat } = group;
  const names = new Set(runs.map(({ name }) => name));
  const complete = new Set(runs.filter(isComplete).map(({ name }) => name));
  const identities = identitiesOf(runs);
  const results = all.filter((row) => names.has(row.run) && row.dataset_sha256 === sha256 && row.norm === norm);
  const here = results.filter((row) => complete.has(row.run) && row.group === group.name);
  const checkpoint =
    wanted ?? (here.some((row) => row.checkpoint === 'best') ? 'best' : (here[0]?.checkpoint ?? 'last'));
  return {
    ...group,
    identities,
    results,
    cells: summarize(
      results.filter(({ run }) => complete.has(run)),
      identities,
    ),
    epochs: epochs.filter(({ run }) => names.has(run.run)),
    series: seriesOf(runs.map((run) => seriesSetting({ identities }, run))),
    protocol: threat === null ? null : mainProtocol(here.filter((row) => row.checkpoint === checkpoint)),
    checkpoint,
    gallery: null,
  };
}

const protocolKey = ({ split, n, attacks, attack_seed, preprocessing }: Protocol): string =>
  JSON.stringify([split, n, attacks, attack_seed, preprocessing]);

/**
 * The protocol that most runs were evaluated by; of equally many that which more runs share, then that with more attacks, then
 * that with more images. A run that was attacked by less does not lower what the others are measured by.
 *
 * @param rows of one group and checkpoint
 */
function mainProtocol(rows: readonly ResultRow[]): Protocol | null {
  const unions = rows.filter(({ attack }) => attack === UNION);
  const attacksOf = ({ attacks }: ResultRow) => attacks.split(' + ').length;
  const whole = groupBy(unions, ({ attacks: _, ...row }) =>
    JSON.stringify([row.run, protocolKey({ ...row, attacks: '' })]),
  ).map((same) => same.toSorted((a, b) => attacksOf(b) - attacksOf(a))[0]);
  const shared = (row: ResultRow) => unions.filter((other) => protocolKey(other) === protocolKey(row)).length;
  const [first] = groupBy(whole, protocolKey).sort(
    ([a, ...moreA], [b, ...moreB]) =>
      moreB.length - moreA.length || shared(b) - shared(a) || attacksOf(b) - attacksOf(a) || (b.n ?? 0) - (a.n ?? 0),
  );
  return first?.[0] ?? null;
}

/** True if a row was measured as the headlines of its group are, the radius aside. */
export const isOfProtocol = (row: Protocol, { protocol }: Pick<ReportGroup, 'protocol'>): boolean =>
  protocol !== null && protocolKey(row) === protocolKey(protocol);

/** Why a run, or some of what was measured of it, is not in the charts. */
function reasonsFor(run: RunRecord, groups: readonly ReportGroup[]): LeftOut[] {
  const { name, last, evaluations } = run;
  if (!isComplete(run)) {
    const missing = last === null && run.writer === null ? ', and it has no whole checkpoint last' : '';
    return [{ run: name, reason: `its training is unfinished: ${trainingState(run)}${missing}` }];
  }
  const outdated = run.outdated.map((checkpoint) => ({ run: name, reason: describeOutdated(checkpoint) }));
  if (evaluations.length === 0) {
    return outdated.length > 0 ? outdated : [{ run: name, reason: 'it is not evaluated yet' }];
  }
  const others = groups.flatMap((group) => {
    const mine = group.results.filter(
      (row) => row.run === name && row.group === group.name && row.attack === UNION && group.threat !== null,
    );
    if (!group.runs.includes(run)) return [];
    const where = groups.length > 1 ? ` under ${group.name}` : '';
    if (mine.length === 0) return [{ run: name, reason: `it was not attacked${where}` }];
    const shown = mine.filter(({ checkpoint }) => checkpoint === group.checkpoint);
    if (shown.length === 0)
      return [{ run: name, reason: `its checkpoint ${group.checkpoint} was not evaluated${where}` }];
    if (shown.some((row) => isOfProtocol(row, group))) return [];
    return [{ run: name, reason: `it was evaluated in another way${where}: ${describeProtocol(shown[0])}` }];
  });
  return [...outdated, ...others];
}

/** A protocol in words, such as `pgd-20-ce + square-5000 on 1,000 test images, seed 0`. */
export const describeProtocol = ({ attacks, n, split, attack_seed, preprocessing }: Protocol): string =>
  `${attacks} on ${(n ?? 0).toLocaleString('en')} ${split} images, seed ${attack_seed}${preprocessing === '' ? '' : `, pixels changed by ${preprocessing}`}`;

/** A run as the lines of charts tell it from others. */
export const seriesSetting = (
  { identities }: Pick<ReportGroup, 'identities'>,
  { name, config }: IdentifiedRun,
): SeriesSetting => ({
  method: config.method,
  optimizer: config.optimizer,
  agent_prepass: config.agentPrepass ?? '',
  objective: config.objective,
  model: config.model,
  width: config.width,
  variant: (identities.get(name) ?? NO_IDENTITY).variant,
});

/** The cells under the union of all attacks, of the main protocol and checkpoint; ascending by sparsity. */
export const headlineCells = (group: ReportGroup): SummaryCell[] =>
  group.cells
    .filter(
      ({ setting }) =>
        setting.attack === UNION &&
        setting.checkpoint === group.checkpoint &&
        setting.group === group.name &&
        isOfProtocol(setting, group),
    )
    .sort(bySparsity);

/**
 * The cells of a checkpoint under the union of all attacks at every radius, one for each setting and radius: of several that
 * measurement that is nearest to the main protocol.
 */
export const cellsAtAllRadii = (group: ReportGroup): SummaryCell[] => {
  const { protocol } = group;
  const kinds = protocol && attackKinds(protocol);
  return atAllRadii(group, (setting) => setting.attack === UNION && attackKinds(setting) === kinds);
};

/** Cells at all radii under each single attack of the main protocol. */
export const singleCellsAtAllRadii = (group: ReportGroup): SummaryCell[] => {
  const { protocol } = group;
  const attacks = protocol === null ? [] : attackKinds(protocol).split(' + ');
  return atAllRadii(group, ({ attack }) => attacks.includes(attack));
};

function atAllRadii(group: ReportGroup, isWanted: (setting: SummaryCell['setting']) => boolean): SummaryCell[] {
  const { protocol } = group;
  if (protocol === null) return [];
  const candidates = group.cells.filter(
    ({ setting }) =>
      isWanted(setting) &&
      setting.checkpoint === group.checkpoint &&
      setting.attack_seed === protocol.attack_seed &&
      setting.preprocessing === protocol.preprocessing,
  );
  const repeated = ({ setting }: SummaryCell): string =>
    JSON.stringify([group.identities.get(setting.run)?.repeated, setting.group, setting.attack]);
  const distance = ({ setting }: SummaryCell): number => (setting.n === protocol.n ? 0 : 1);
  return groupBy(candidates, repeated).map(
    (same) => same.toSorted((a, b) => distance(a) - distance(b) || (b.setting.n ?? 0) - (a.setting.n ?? 0))[0],
  );
}

/** The accuracy that a setting is judged by: clean under natural training, else robust. */
export const measureOfSetting = ({ objective }: Pick<ResultRow, 'objective'>): 'clean' | 'robust' =>
  measureName(measureOf({ objective: objective as TrainConfig['objective'] }));

export const bySparsity = (a: SummaryCell, b: SummaryCell): number =>
  (a.setting.sparsity ?? 0) - (b.setting.sparsity ?? 0);
