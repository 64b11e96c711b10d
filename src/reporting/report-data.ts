import { UNION } from '../evaluation/types.ts';
import { type EpochsToAccuracy, epochsToAccuracy } from './epochs-to-accuracy.ts';
import type { Gallery } from './gallery.ts';
import { groupBy } from './group-by.ts';
import { identitiesOf, NO_IDENTITY, type RunIdentity } from './identity.ts';
import type { ResultRow } from './results.ts';
import { costedRun, type RunRecord, resultRows } from './runs.ts';
import { type Series, type SeriesSetting, seriesOf } from './series.ts';
import { type SummaryCell, summarize } from './summary.ts';

/** The attack that headlines are about: one norm and radius, all attacks together. */
export interface Threat {
  readonly norm: string;
  readonly epsilon: number;
}

/** Everything that a report shows. */
export interface ReportData {
  readonly title: string;
  readonly runs: readonly RunRecord[];
  readonly identities: ReadonlyMap<string, RunIdentity>;
  readonly results: readonly ResultRow[];
  readonly cells: readonly SummaryCell[];
  readonly epochs: readonly EpochsToAccuracy[];
  readonly series: readonly Series[];
  /** Null where nothing was evaluated. */
  readonly threat: Threat | null;
  /** The checkpoint that charts and headlines are about. */
  readonly checkpoint: string;
  readonly gallery: Gallery | null;
}

const OPTIMIZERS = ['sgd', 'agent', 'svrg', 'alpha-svrg'];

/** As tables list them: without defence first, then by sparsity, method, correction and seed. */
const inOrder = (runs: readonly RunRecord[]): RunRecord[] =>
  runs.toSorted(
    ({ config: a }, { config: b }) =>
      Number(b.objective === 'natural') - Number(a.objective === 'natural') ||
      a.sparsity - b.sparsity ||
      a.method.localeCompare(b.method) ||
      OPTIMIZERS.indexOf(a.optimizer) - OPTIMIZERS.indexOf(b.optimizer) ||
      a.seed - b.seed,
  );

/**
 * Puts together what a report of these runs shows.
 *
 * @param checkpoint that charts and headlines are about; default `best` where there is one
 */
export function collectReport(
  given: readonly RunRecord[],
  title: string,
  gallery: Gallery | null,
  checkpoint?: string,
): ReportData {
  const runs = inOrder(given);
  const results = runs.flatMap(resultRows);
  const identities = identitiesOf(runs);
  return {
    title,
    runs,
    identities,
    results,
    cells: summarize(results, identities),
    epochs: epochsToAccuracy(runs.map((run) => ({ ...costedRun(run), setting: identities.get(run.name)?.paired }))),
    series: seriesOf(runs.map((run) => seriesSetting({ identities }, run))),
    threat: mainThreat(runs, results),
    checkpoint:
      checkpoint ?? (results.some((row) => row.checkpoint === 'best') ? 'best' : (results[0]?.checkpoint ?? 'last')),
    gallery,
  };
}

/** A run as the lines of charts tell it from others. */
export const seriesSetting = (
  { identities }: Pick<ReportData, 'identities'>,
  { name, config }: RunRecord,
): SeriesSetting => ({
  method: config.method,
  optimizer: config.optimizer,
  agent_prepass: config.agentPrepass ?? '',
  objective: config.objective,
  model: config.model,
  width: config.width,
  variant: (identities.get(name) ?? NO_IDENTITY).variant,
});

/** That which most runs were trained against, if it was evaluated; else that which most were evaluated under. */
function mainThreat(runs: readonly RunRecord[], results: readonly ResultRow[]): Threat | null {
  const evaluated = groupBy(
    results.filter(({ attack, epsilon }) => attack === UNION && epsilon !== null && epsilon > 0),
    ({ norm, epsilon }) => `${norm} ${epsilon}`,
  );
  const trainedAgainst = ({ norm, epsilon }: ResultRow): number =>
    runs.filter(({ config }) => config.objective !== 'natural' && config.norm === norm && config.epsilon === epsilon)
      .length;
  const [first] = evaluated.sort((a, b) => trainedAgainst(b[0]) - trainedAgainst(a[0]) || b.length - a.length);
  return first ? { norm: first[0].norm, epsilon: first[0].epsilon ?? 0 } : null;
}

/** The cells under the union of all attacks of the main threat, of the main checkpoint; ascending by sparsity. */
export const headlineCells = ({ cells, threat, checkpoint }: ReportData): SummaryCell[] =>
  cells
    .filter(
      ({ setting }) =>
        setting.attack === UNION &&
        setting.checkpoint === checkpoint &&
        setting.norm === threat?.norm &&
        setting.epsilon === threat?.epsilon,
    )
    .sort(bySparsity);

export const bySparsity = (a: SummaryCell, b: SummaryCell): number =>
  (a.setting.sparsity ?? 0) - (b.setting.sparsity ?? 0);
