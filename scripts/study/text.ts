import type { EpochsToAccuracy } from '../../src/reporting/epochs-to-accuracy.ts';
import { mean, standardDeviation } from '../../src/reporting/statistics.ts';
import { percent } from '../../src/reporting/table.ts';
import {
  ALPHA,
  BASES,
  type Basis,
  type Comparison,
  type Outcome,
  type PooledDifference,
  pairsOf,
  pooledDifference,
  primaryComparisons,
  robustDifference,
} from './analysis.ts';
import {
  type AgentArm,
  ARMS,
  agentArms,
  armNames,
  CELLS,
  cellNames,
  chosenRate,
  EXPLORATIONS,
  explorationNames,
  type Known,
  RATES,
  rateRuns,
  SHARED,
  type StudyRun,
  TOTALS,
} from './design.ts';

/** Everything that the section on the study in docs/results.md is made of. */
export interface StudyState {
  readonly known: Known;
  readonly outcomes: readonly Outcome[];
  readonly epochs: readonly EpochsToAccuracy[];
  /** The planned runs of `epochs`, by name. */
  readonly runs: ReadonlyMap<string, StudyRun>;
  /** Names of the runs that stopped because their loss was no longer finite. */
  readonly diverged: readonly string[];
  /** The data as they call themselves, such as `cifar10 (unofficial)`. */
  readonly datasets: readonly string[];
  /** What the runs were made with, such as `commit 1234abc, Node v24.21.0`. */
  readonly builds: readonly string[];
}

const BEGIN = '<!-- study: written by npm run study -->';
const END = '<!-- study: end -->';

/** The page with the section between the two marks replaced, or with one added at its end. */
export function replaceSection(page: string, section: string): string {
  const block = `${BEGIN}\n\n${section.trim()}\n\n${END}`;
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (from < 0 || to < from) return `${page.trimEnd()}\n\n${block}\n`;
  return page.slice(0, from) + block + page.slice(to + END.length);
}

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  rows.length === 0
    ? ''
    : [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/** In points of per cent, with its sign. */
const points = (fraction: number): string =>
  Number.isNaN(fraction) ? '–' : `${fraction < 0 ? '−' : '+'}${percent(Math.abs(fraction))}`;
const unsigned = (fraction: number): string => (Number.isNaN(fraction) ? '–' : percent(fraction));
const interval = ({ mean: center, low, high }: { mean: number; low: number; high: number }): string =>
  Number.isNaN(low) ? points(center) : `${points(center)} [${points(low)}, ${points(high)}]`;
const times = (ratio: number): string => (Number.isNaN(ratio) ? '–' : `${ratio.toFixed(2)}×`);
const probability = (p: number): string => (Number.isNaN(p) ? '–' : p < 0.001 ? '< 0.001' : p.toFixed(3));
const spread = (values: readonly number[]): string => {
  const deviation = standardDeviation(values);
  return Number.isNaN(deviation) ? percent(mean(values)) : `${percent(mean(values))} ± ${percent(deviation)}`;
};
const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** How far the study has come, as a sentence. */
export function progress({ known, outcomes, diverged }: StudyState): string {
  const rates = rateRuns().filter(({ name }) => known.scores.has(name)).length;
  const primary = outcomes.filter(({ arm }) => arm in ARMS).length;
  const exploratory = outcomes.length - primary;
  const failed = diverged.length === 0 ? '' : ` Diverged: ${diverged.join(', ')}.`;
  return (
    `Done: ${rates} of ${TOTALS.rate} runs for the learning rates, ${primary} of ${TOTALS.primary} primary runs, ` +
    `${exploratory} of ${TOTALS.exploratory} exploratory ones.${failed}`
  );
}

function ratesTable({ known }: StudyState): string {
  const rows = cellNames.flatMap((cell) =>
    (['plain', ...agentArms] as const).flatMap((arm) => {
      const tried = rateRuns().filter((run) => run.cell === cell && run.arm === arm);
      const scores = tried.map(({ name }) => known.scores.get(name));
      if (scores.every((score) => score === undefined)) return [];
      const shown = scores.map((score) => (score === undefined ? '…' : score < 0 ? 'diverged' : `${percent(score)} %`));
      return [[CELLS[cell].title, ARMS[arm].title, ...shown, String(chosenRate(known, cell, arm) ?? '…')]];
    }),
  );
  return table(['', 'arm', ...RATES.map((rate) => `rate ${rate}`), 'chosen'], rows);
}

function outcomesTable({ outcomes }: StudyState): string {
  const rows = cellNames.flatMap((cell) =>
    armNames.flatMap((arm) => {
      const runs = outcomes.filter((outcome) => outcome.cell === cell && outcome.arm === arm);
      if (runs.length === 0) return [];
      return [[CELLS[cell].title, ARMS[arm].title, String(runs.length), ...outcomeCells(runs)]];
    }),
  );
  return table(['', 'arm', 'seeds', ...OUTCOME_COLUMNS], rows);
}

const OUTCOME_COLUMNS = ['clean', 'robust', 'robust, last epoch', 'gradient evaluations', 'seconds'];
const outcomeCells = (runs: readonly Outcome[]): string[] => [
  spread(runs.map(({ best }) => best.clean)),
  spread(runs.map(({ best }) => best.robust)),
  spread(runs.map(({ last }) => last.robust)),
  `${(mean(runs.map(({ gradients }) => gradients)) / 1e6).toFixed(2)} M`,
  mean(runs.map(({ seconds }) => seconds)).toFixed(0),
];

const comparisonsTable = (comparisons: readonly Comparison[]): string =>
  table(
    [
      '',
      'AGENT',
      'at',
      'pairs',
      'A-X − X, points',
      'p, Holm',
      'could have shown',
      'verdict',
      'gradient evaluations',
      'seconds',
    ],
    comparisons.flatMap(({ cell, arm, basis, planned, seeds, difference, adjusted, smallest, verdict, cost }) =>
      difference === null
        ? []
        : [
            [
              CELLS[cell].title,
              arm,
              BASES[basis],
              `${seeds.length} of ${planned}`,
              interval(difference),
              probability(adjusted),
              `${unsigned(smallest.family)} (${unsigned(smallest.alone)})`,
              verdict,
              times(cost.gradients),
              times(cost.seconds),
            ],
          ],
    ),
  );

const allPooled = (outcomes: readonly Outcome[]): PooledDifference[] =>
  agentArms.flatMap((arm) =>
    (['epochs', 'gradients'] as const).flatMap((basis) => pooledDifference(outcomes, arm, basis) ?? []),
  );

const pooledTable = (pooled: readonly PooledDifference[]): string =>
  table(
    ['AGENT', 'at', 'cells', 'pairs', 'A-X − X, points', 'could have shown'],
    pooled.map((entry) => [
      entry.arm,
      BASES[entry.basis],
      String(entry.cells),
      String(entry.pairs),
      interval(entry),
      unsigned(entry.smallest),
    ]),
  );

function epochsTable({ epochs, runs }: StudyState): string {
  const rows = cellNames.flatMap((cell) =>
    armNames.flatMap((arm) => {
      const group = epochs.filter(({ run }) => {
        const planned = runs.get(run.run);
        return planned?.part === 'primary' && planned.cell === cell && planned.arm === arm;
      });
      if (group.length === 0) return [];
      const reached = group.filter((entry) => entry.reached);
      const gradients = reached.map(({ at }) => (at.inputGradients + at.weightGradients) / 1e6);
      return [
        [
          CELLS[cell].title,
          ARMS[arm].title,
          `${percent(group[0].target)} %`,
          `${reached.length} of ${group.length}`,
          reached.length === 0 ? '–' : mean(reached.map(({ at }) => at.epoch)).toFixed(1),
          reached.length === 0 ? '–' : `${mean(gradients).toFixed(2)} M`,
        ],
      ];
    }),
  );
  return table(['', 'arm', 'target', 'reached', 'epochs', 'gradient evaluations'], rows);
}

function explorationTable({ outcomes }: StudyState): string {
  const rows = explorationNames.flatMap((arm) => {
    const {
      cell,
      title,
      against = 'plain',
    }: { cell: keyof typeof CELLS; title: string; against?: string } = EXPLORATIONS[arm];
    const runs = outcomes.filter((outcome) => outcome.cell === cell && outcome.arm === arm);
    if (runs.length === 0) return [];
    const difference = arm === against ? null : robustDifference(pairsOf(outcomes, cell, arm, against as typeof arm));
    return [
      [
        CELLS[cell].title,
        title,
        String(runs.length),
        spread(runs.map(({ best }) => best.clean)),
        spread(runs.map(({ best }) => best.robust)),
        difference === null ? '–' : interval(difference),
        `${(mean(runs.map(({ gradients }) => gradients)) / 1e6).toFixed(2)} M`,
      ],
    ];
  });
  return table(['', 'arm', 'seeds', 'clean', 'robust', 'minus X, points', 'gradient evaluations'], rows);
}

function varianceTable({ outcomes }: StudyState): string {
  const arms = [...armNames, ...explorationNames];
  const rows = cellNames.flatMap((cell) =>
    arms.flatMap((arm) => {
      const runs = outcomes.filter(
        (outcome) => outcome.cell === cell && outcome.arm === arm && outcome.varianceRatio !== null,
      );
      if (runs.length === 0) return [];
      const { title } = arm in ARMS ? ARMS[arm as keyof typeof ARMS] : EXPLORATIONS[arm as keyof typeof EXPLORATIONS];
      const coefficients = runs.flatMap(({ coefficient }) => coefficient ?? []);
      return [
        [
          CELLS[cell].title,
          title,
          String(runs.length),
          mean(runs.flatMap(({ varianceRatio }) => varianceRatio ?? [])).toFixed(3),
          coefficients.length === 0 ? '–' : mean(coefficients).toFixed(2),
        ],
      ];
    }),
  );
  return table(['', 'arm', 'seeds', 'corrected variance over plain', 'c at the end'], rows);
}

/** Whether AGENT pays, as far as the runs show, in plain words. */
export function verdictOf(outcomes: readonly Outcome[]): string {
  const comparisons = primaryComparisons(outcomes);
  const paired = comparisons.filter(({ seeds }) => seeds.length > 0);
  if (paired.length === 0) return 'No pair of runs with and without AGENT is complete yet, so nothing can be said.';
  const pooled = allPooled(outcomes);
  const cost = (arm: AgentArm): string => {
    const costs = paired.filter((comparison) => comparison.arm === arm && comparison.basis === 'epochs');
    if (costs.length === 0) return '';
    const of = (key: 'gradients' | 'seconds') => times(mean(costs.map((comparison) => comparison.cost[key])));
    return `\`${arm}\` took ${of('gradients')} the gradient evaluations and ${of('seconds')} the seconds of X`;
  };
  return [
    countSentence(comparisons),
    ...(['epochs', 'gradients'] as const).map((basis) => basisSentence(basis, pooled)),
    `The price, at equal epochs: ${agentArms.map(cost).filter(Boolean).join('; ')}.`,
    conclusion(comparisons, pooled),
  ].join(' ');
}

function countSentence(comparisons: readonly Comparison[]): string {
  const decided = comparisons.filter(({ verdict }) => verdict !== 'open');
  const shown = decided.filter(({ verdict }) => verdict === 'distinguishable');
  const better = shown.filter(({ difference }) => (difference?.mean ?? 0) > 0).length;
  const open = comparisons.length - decided.length;
  const stand =
    open === 0
      ? `All ${comparisons.length} primary comparisons are decided`
      : `Of ${comparisons.length} primary comparisons ${open} are open`;
  if (decided.length === 0) return `${stand}: what follows is a look before the end, and decides nothing.`;
  return (
    `${stand}; ${plural(better, 'difference')} in favour of AGENT and ${shown.length - better} against it ` +
    `${shown.length === 1 ? 'is' : 'are'} distinguishable, ${decided.length - shown.length} are not.`
  );
}

type Standing = 'gains' | 'loses' | 'unclear' | 'unknown';

/** What the interval of a mean over cells says. */
const standingOf = ({ low, high }: PooledDifference): Standing =>
  Number.isNaN(low) ? 'unknown' : low > 0 ? 'gains' : high < 0 ? 'loses' : 'unclear';

const STANDING: { readonly [S in Standing]: (entry: PooledDifference) => string } = {
  gains: () => 'a gain',
  loses: () => 'a loss',
  unclear: ({ smallest }) =>
    `not told from no correction, where a true difference of ${unsigned(smallest)} points would have shown with a chance of 80 %`,
  unknown: () => 'a single pair a cell, which says nothing',
};

/** What the means over cells say on one basis. */
function basisSentence(basis: Basis, pooled: readonly PooledDifference[]): string {
  const entries = pooled.filter((entry) => entry.basis === basis);
  if (entries.length === 0) return `At ${BASES[basis]} no pair is complete yet.`;
  const parts = entries.map(
    (entry) =>
      `\`${entry.arm}\` ${interval(entry)} points over ${plural(entry.pairs, 'pair')} in ${plural(entry.cells, 'cell')}: ${STANDING[standingOf(entry)](entry)}`,
  );
  return `At ${BASES[basis]}, A-X minus X in robust accuracy as a mean over cells (unadjusted): ${parts.join('; ')}.`;
}

/** In which currency AGENT pays. */
function conclusion(comparisons: readonly Comparison[], pooled: readonly PooledDifference[]): string {
  const soFar = comparisons.some(({ verdict }) => verdict === 'open') ? 'So far' : 'In the end';
  const arms = (basis: Basis, standing: Standing): string =>
    pooled
      .filter((entry) => entry.basis === basis && standingOf(entry) === standing)
      .map(({ arm }) => `\`${arm}\``)
      .join(' and ');
  const pays = arms('gradients', 'gains');
  const paysInEpochs = arms('epochs', 'gains');
  const harms = arms('epochs', 'loses');
  if (pooled.every((entry) => standingOf(entry) === 'unknown')) return `${soFar} there is no evidence either way.`;
  if (pays) return `${soFar} ${pays} pays in computation: X with as many gradient evaluations stays behind.`;
  const open = pooled.every((entry) => entry.basis === 'epochs' || standingOf(entry) === 'unknown');
  if (open) {
    const seen = paysInEpochs ? `${paysInEpochs} pays in epochs` : harms ? `${harms} does harm` : 'no gain is seen';
    return `${soFar}, at equal epochs, ${seen}; what it does for the same computation is not known yet.`;
  }
  const instead =
    arms('gradients', 'loses') !== ''
      ? 'training X longer for the same gradient evaluations brings more'
      : 'no gain over training X longer for the same gradient evaluations is seen';
  if (paysInEpochs) return `${soFar} ${paysInEpochs} pays in epochs alone, and not in computation: ${instead}.`;
  if (harms) return `${soFar} AGENT pays in no currency here, and ${harms} does harm; ${instead}.`;
  return `${soFar} no currency is seen in which AGENT pays here, and it costs further gradient evaluations; ${instead}.`;
}

/** The section on the study. */
export function studySection(state: StudyState): string {
  const { outcomes, builds, datasets } = state;
  const comparisons = primaryComparisons(outcomes);
  const part = (heading: string, text: string, figures: string): string[] =>
    figures === '' ? [] : [`### ${heading}`, text, figures];
  return [
    '## Does AGENT help?',
    'The question, the design and the analysis were [written down](study-plan.md) before the first run:',
    '    npm run study',
    progress(state),
    `${builds.length === 0 ? '' : `Made with ${builds.join('; ')}. `}Model \`${SHARED.model}\` ×${SHARED.width}, ${SHARED.trainLimit.toLocaleString('en')} training images of ${datasets.join(', ') || 'CIFAR-10'}, ` +
      `${SHARED.epochs} epochs, PGD-${SHARED.steps} adversarial training in linf at ε 8/255. These are small, short trainings: their accuracies do not compare with published ones.`,
    `**Does it pay?** ${verdictOf(outcomes)}`,
    ...part(
      'Primary comparisons',
      `Robust accuracy of the checkpoint of best robust validation accuracy: mean paired difference over seeds with its ` +
        `95 % t interval; p adjusted by Holm over all ${comparisons.length} questions; the smallest true difference that ` +
        `would have been found with a chance of 80 % at Holm's first level (and at a level of ${ALPHA} alone); what A-X took over what X took. ` +
        'A comparison with pairs to come is open, whatever its figures.',
      comparisonsTable(comparisons),
    ),
    ...part(
      'Over all cells',
      'The mean of the cells’ mean differences, their spread within cells pooled, with a 95 % t interval that is not adjusted.',
      pooledTable(allPooled(outcomes)),
    ),
    ...part(
      'All arms',
      'Per cent of the test images, mean ± standard deviation over seeds; gradient evaluations and seconds of training. ' +
        'Seconds are of the clock, on a machine that did other things beside: compare gradient evaluations.',
      outcomesTable(state),
    ),
    ...part(
      'Epochs to accuracy',
      'The target is what X ends with on validation images, mean over its seeds; reached where two epochs in a row are at ' +
        'or above it. Epochs and gradient evaluations are means over the runs that reached it.',
      epochsTable(state),
    ),
    ...part('Learning rates', 'Best robust validation accuracy at a seed that is not reported.', ratesTable(state)),
    ...part(
      'Exploratory',
      'Not part of the question; intervals are not adjusted, and a difference here is a reason to ask again, not a result.',
      [explorationTable(state), varianceTable(state)].filter(Boolean).join('\n\n'),
    ),
  ].join('\n\n');
}
