import { formatEpsilon } from '../evaluation/epsilon.ts';
import { SETTINGS, type Setting, settingsAffecting, type TrainConfig } from '../training/config.ts';
import { groupBy } from './group-by.ts';

/** With which other runs a run is averaged and compared. */
export interface RunIdentity {
  /** Equal for runs that differ in their seed alone: they are averaged. */
  readonly repeated: string;
  /** Equal for runs that differ in their seed and in the correction of the gradient alone: they are compared. */
  readonly paired: string;
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

const without = (config: TrainConfig, names: readonly Setting[]): string =>
  JSON.stringify(Object.entries(config).filter(([name]) => !names.includes(name as Setting)));

const SHORT: { readonly [S in Setting]?: string } = { agentGamma: 'γ', agentAlpha: 'α', agentAttackSteps: 'K' };

/** Settings whose defaults follow others: where they do in all runs, those name a run. */
const FOLLOWING: { readonly [S in Setting]?: readonly Setting[] } = {
  stepSize: ['dataset', 'norm', 'epsilon', 'steps'],
  milestones: ['epochs'],
  decayEvery: ['epochs'],
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
export function identitiesOf(
  runs: readonly { readonly name: string; readonly config: TrainConfig }[],
): ReadonlyMap<string, RunIdentity> {
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
  const naming = (Object.keys(SETTINGS) as Setting[]).filter((name) => !IRRELEVANT.includes(name) && !follows(name));
  return new Map(
    groups.flatMap((group) => {
      const reference = naming.map((name) => ({ name, value: usual(name, group) }));
      return group.map(({ name, config }): [string, RunIdentity] => [
        name,
        {
          repeated: without(config, IRRELEVANT),
          paired: without(config, [...IRRELEVANT, ...CORRECTION]),
          variant: reference
            .filter((setting) => written(config, setting.name) !== setting.value)
            .map((setting) => `${SHORT[setting.name] ?? setting.name} ${shownValue(setting.name, config)}`)
            .join(', '),
        },
      ]);
    }),
  );
}

/** Of a run of which no configuration is known. */
export const NO_IDENTITY: RunIdentity = { repeated: '', paired: '', variant: '' };
