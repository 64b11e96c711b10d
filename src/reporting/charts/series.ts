// The lines of charts: which runs share one, and its name, colour and dashes.

import type { RunIdentity } from '../groups/identity.ts';
import type { ResultRow } from '../tables/results.ts';
import { optimizerTitle } from '../tables/table.ts';

/** What tells one line of a chart from another: everything that was chosen but sparsity and seed. */
export type SeriesSetting = Pick<
  ResultRow,
  'method' | 'optimizer' | 'agent_prepass' | 'objective' | 'model' | 'width'
> &
  Pick<RunIdentity, 'variant'>;

/** A line of a chart. */
export interface Series {
  readonly name: string;
  /** The short name of a series, used where the sparse method is named beside it. */
  readonly shortName: string;
  /** The CSS custom property of its colour, the same for every way of sparsifying. */
  readonly color: string;
  /** Lengths of strokes and gaps that tell ways of sparsifying apart; [1, 0] is a whole line. */
  readonly dash: readonly number[];
  /** True if it was trained without adversarial examples. */
  readonly undefended: boolean;
  matches(setting: SeriesSetting): boolean;
}

const COLORS: Readonly<Record<string, string>> = {
  sgd: 'var(--sgd)',
  agent: 'var(--agent)',
  svrg: 'var(--svrg)',
  'alpha-svrg': 'var(--alpha-svrg)',
};
const MORE_COLORS = Array.from({ length: 8 }, (_, i) => `var(--more-${i + 1})`);

/** Strokes of the first way of sparsifying, the second, … */
const DASHES: readonly (readonly number[])[] = [
  [1, 0],
  [6, 3],
  [2, 3],
  [8, 3, 2, 3],
  [12, 4],
  [4, 2, 1, 2],
];

const ORDER = ['sgd', 'agent', 'svrg', 'alpha-svrg'];

/**
 * The lines of a set of settings, named by whatever tells them apart. Dense nets belong to every line that differs from
 * theirs in nothing but the way of sparsifying: they are its end at sparsity 0.
 */
export function seriesOf(settings: readonly SeriesSetting[]): Series[] {
  const distinct = <K extends keyof SeriesSetting>(column: K): SeriesSetting[K][] => [
    ...new Set(settings.map((setting) => setting[column])),
  ];
  const methods = distinct('method').filter((method) => method !== 'dense');
  const objectives = distinct('objective').filter((objective) => objective !== 'natural');
  const prepasses = distinct('agent_prepass').filter((prepass) => prepass !== '');
  const networks = new Set(settings.map(({ model, width }) => `${model} ×${width}`));
  const nameOf = (
    { method, optimizer, agent_prepass, objective, model, width, variant }: SeriesSetting,
    natural: boolean,
    withMethod: boolean,
  ) =>
    [
      natural
        ? optimizer === 'sgd'
          ? 'undefended'
          : `undefended, ${optimizerTitle(optimizer)}`
        : optimizerTitle(optimizer),
      prepasses.length > 1 && agent_prepass,
      withMethod && methods.length > 1 && method !== 'dense' && method,
      !natural && objectives.length > 1 && objective,
      networks.size > 1 && `${model} ×${width}`,
      variant,
    ]
      .filter((part) => part)
      .join(', ');
  const candidates = settings
    .filter((setting) => setting.method !== 'dense' || !settings.some((other) => extendsDense(setting, other)))
    // Those that differ from no other first: they have the colour of their optimizer.
    .toSorted((a, b) => rank(a) - rank(b) || a.variant.localeCompare(b.variant));
  const found = new Map<string, Series>();
  let extra = 0;
  const colors = new Map<string, string>();
  for (const setting of candidates) {
    const undefended = setting.objective === 'natural';
    const name = nameOf(setting, undefended, true);
    if (found.has(name)) continue;
    const shortName = nameOf(setting, undefended, false);
    const own = undefended ? 'var(--undefended)' : COLORS[setting.optimizer];
    const taken = [...colors.values()].includes(own);
    const color =
      colors.get(shortName) ?? (own !== undefined && !taken ? own : MORE_COLORS[extra++ % MORE_COLORS.length]);
    colors.set(shortName, color);
    found.set(name, {
      name,
      shortName,
      color,
      dash: DASHES[Math.max(0, methods.indexOf(setting.method)) % DASHES.length],
      undefended,
      matches: (other) => sameLine(setting, other) && (other.method === setting.method || other.method === 'dense'),
    });
  }
  return [...found.values()];
}

const rank = ({ objective, optimizer }: SeriesSetting): number =>
  (objective === 'natural' ? 100 : 0) + (ORDER.indexOf(optimizer) + 1 || 50);

const sameLine = (a: SeriesSetting, b: SeriesSetting): boolean =>
  a.optimizer === b.optimizer &&
  a.agent_prepass === b.agent_prepass &&
  a.objective === b.objective &&
  a.model === b.model &&
  a.width === b.width &&
  a.variant === b.variant;

const extendsDense = (dense: SeriesSetting, other: SeriesSetting): boolean =>
  other.method !== 'dense' && sameLine(dense, other);
