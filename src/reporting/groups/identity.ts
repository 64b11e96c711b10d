// With which other runs a run is averaged and compared, by the settings and the data that it was trained with.

import { formatEpsilon } from '../../evaluation/epsilon.ts';
import { SETTINGS, type Setting, settingsAffecting, type TrainConfig } from '../../training/config/config.ts';
import { groupBy } from './group-by.ts';

/** What decides which other runs a run is averaged and compared with. */
export interface RunIdentity {
  /** Equal for runs that differ in their seed alone: they are averaged. */
  readonly repeated: string;
  /** Equal for runs that differ in their seed and in the correction of the gradient alone: they are compared. */
  readonly paired: string;
  /** Equal for runs that would be paired if they were trained for as many epochs: they are compared at equal cost. */
  readonly pairedAtAnyLength: string;
  /**
   * The settings that tell a run from others of its sparsity, method, objective and correction, but for those that most
   * runs have; '' where none do.
   */
  readonly variant: string;
}

/** What changes nothing that a run computes, or in a way that does not matter here. */
const IRRELEVANT: readonly Setting[] = [
  'version',
  'seed',
  'backend',
  ...settingsAffecting('evaluation'),
  ...settingsAffecting('saving'),
];
const CORRECTION: readonly Setting[] = (Object.keys(SETTINGS) as Setting[]).filter(
  (name) => name === 'optimizer' || name.startsWith('agent'),
);
/** What other parts of a report tell apart already. */
const NAMED = ['dataset', 'model', 'width', 'method', 'objective', 'sparsity', 'optimizer', 'agentPrepass'] as const;

/** How long training is, and what counts epochs. */
const LENGTH: readonly Setting[] = ['epochs', 'milestones', 'decayEvery'];

/** A run as far as it is identified here. */
export interface IdentifiedRun {
  readonly name: string;
  readonly config: TrainConfig;
  /** What its last checkpoint says of the data that it was trained on; left out, nothing is known. */
  readonly last?: { readonly datasetSha256: string | null } | null;
}

const sha256Of = ({ last }: IdentifiedRun): string | null => last?.datasetSha256 ?? null;

const without = (run: IdentifiedRun, names: readonly Setting[]): string =>
  JSON.stringify([sha256Of(run), ...Object.entries(run.config).filter(([name]) => !names.includes(name as Setting))]);

const SHORT: { readonly [S in Setting]?: string } = {
  agentGamma: 'γ',
  agentAlpha: 'α',
  agentAttackSteps: 'K',
  agentVariant: 'variant',
};

/** Settings that name a run whenever they have another value, even where all runs have it. */
const USUAL: { readonly [S in Setting]?: string } = { agentVariant: '"published"', trainingAttack: '"pgd"' };

/** Settings whose defaults follow others: where they do in all runs, those name a run. */
const FOLLOWING: { readonly [S in Setting]?: readonly Setting[] } = {
  steps: ['dataset', 'trainingAttack', 'stepsSchedule'],
  stepSize: ['dataset', 'norm', 'epsilon', 'trainingAttack', 'steps'],
  guard: ['trainingAttack', 'stepsSchedule', 'steps'],
  milestones: ['epochs'],
  decayEvery: ['epochs'],
  agentBounds: ['agentVariant'],
  agentFirstEpoch: ['agentVariant'],
  agentSnapshotDelay: ['agentVariant', 'agentPrepass', 'updateInterval'],
  agentEmptyChannels: ['agentVariant'],
};

const written = (config: TrainConfig, name: Setting): string => JSON.stringify(config[name] ?? null);

const shownValue = (name: Setting, config: TrainConfig): string => {
  const value = config[name] ?? 'none';
  return (name === 'epsilon' || name === 'stepSize') && typeof value === 'number'
    ? formatEpsilon(value)
    : String(value);
};

/** Numbers by size, anything else by how it is written, so that of equally usual values every group takes the same. */
function compareWritten(a: string, b: string): number {
  const [x, y]: unknown[] = [JSON.parse(a), JSON.parse(b)];
  return typeof x === 'number' && typeof y === 'number' ? x - y : a.localeCompare(b);
}

/** The identities of runs by name. */
export function identitiesOf(runs: readonly IdentifiedRun[]): ReadonlyMap<string, RunIdentity> {
  const groups = groupBy(runs, ({ config }) => JSON.stringify(NAMED.map((name) => config[name])));
  const usual = (name: Setting, group: typeof runs): string => {
    const values = [...new Set(group.map(({ config }) => written(config, name)))];
    const count = (value: string) => runs.filter(({ config }) => written(config, name) === value).length;
    return values.toSorted((a, b) => count(b) - count(a) || compareWritten(a, b))[0];
  };
  const follows = (name: Setting): boolean => {
    const others = FOLLOWING[name];
    const keyOf = ({ config }: (typeof runs)[number]) => JSON.stringify(others?.map((other) => config[other]));
    return (
      others !== undefined &&
      groupBy(runs, keyOf).every((group) =>
        group.every(({ config }) => written(config, name) === written(group[0].config, name)),
      )
    );
  };
  const files = groupBy(runs, (run) => sha256Of(run) ?? '').toSorted((a, b) => b.length - a.length);
  const otherFiles = (run: IdentifiedRun): string[] =>
    sha256Of(run) === sha256Of(files[0][0]) ? [] : [`trained on files ${sha256Of(run)?.slice(0, 8) ?? 'unknown'}`];
  const naming = (Object.keys(SETTINGS) as Setting[]).filter((name) => !IRRELEVANT.includes(name) && !follows(name));
  return new Map(
    groups.flatMap((group) => {
      const reference = naming.map((name) => ({ name, value: USUAL[name] ?? usual(name, group) }));
      return group.map((run): [string, RunIdentity] => [
        run.name,
        {
          repeated: without(run, IRRELEVANT),
          paired: without(run, [...IRRELEVANT, ...CORRECTION]),
          pairedAtAnyLength: without(run, [...IRRELEVANT, ...CORRECTION, ...LENGTH]),
          variant: [
            ...reference
              .filter(({ name }) => !(name in USUAL && run.config[name] === undefined))
              .filter((setting) => written(run.config, setting.name) !== setting.value)
              .map((setting) => `${SHORT[setting.name] ?? setting.name} ${shownValue(setting.name, run.config)}`),
            ...otherFiles(run),
          ].join(', '),
        },
      ]);
    }),
  );
}

/** The identity of a run of which no configuration is known. */
export const NO_IDENTITY: RunIdentity = { repeated: '', paired: '', pairedAtAnyLength: '', variant: '' };
