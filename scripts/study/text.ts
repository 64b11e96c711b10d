// The tables and sentences of the study, as Markdown.
import { mean, smallestDetectable } from '../../src/reporting/statistics/statistics.ts';
import type { EpochsToAccuracy } from '../../src/reporting/tables/epochs-to-accuracy.ts';
import { formatEstimate, formatPoints, percent, signed } from '../../src/reporting/tables/table.ts';
import { median } from '../bench/statistics.ts';
import {
  BASES,
  type Basis,
  bases,
  type Comparison,
  type Outcome,
  type PooledDifference,
  pairsOf,
  pooledDifference,
  primaryComparisons,
  robustDifference,
} from './analysis.ts';
import {
  ARMS,
  agentArms,
  armNames,
  CELLS,
  type CellName,
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
import { probability, spread, table } from './format.ts';
import { ALPHA, POWER } from './paired-test.ts';

/** The runs and outcomes from which the page docs/results/does-agent-help.md is written. */
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

const times = (ratio: number): string => (Number.isNaN(ratio) ? '–' : `${ratio.toFixed(2)}×`);
const are = (count: number): string => `${count} ${count === 1 ? 'is' : 'are'}`;
const millions = (values: readonly number[]): string => `${(mean(values) / 1e6).toFixed(2)} M`;
const listed = (names: readonly string[]): string =>
  names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;

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

const OUTCOME_COLUMNS = ['clean', 'robust', 'robust, last epoch', 'gradient evaluations', 'multiply-adds'];
const outcomeCells = (runs: readonly Outcome[]): string[] => [
  spread(runs.map(({ best }) => best.clean)),
  spread(runs.map(({ best }) => best.robust)),
  spread(runs.map(({ last }) => last.robust)),
  millions(runs.map(({ gradients }) => gradients)),
  `${(mean(runs.map(({ work }) => work)) / 1e12).toFixed(2)} T`,
];

const comparisonsTable = (comparisons: readonly Comparison[]): string =>
  table(
    [
      '',
      'AGENT',
      'at',
      'pairs',
      'seed by seed',
      'A-X − X, points',
      'p, Holm',
      'could have shown',
      'verdict',
      'last epoch',
      'gradient evaluations',
      'multiply-adds',
    ],
    comparisons.flatMap((comparison) => {
      const { cell, arm, basis, planned, seeds, differences, difference, lastDifference } = comparison;
      const { adjusted, smallest, verdict, cost } = comparison;
      if (difference === null || lastDifference === null) return [];
      return [
        [
          CELLS[cell].title,
          arm,
          BASES[basis],
          `${seeds.length} of ${planned}`,
          differences.map(signed).join(' '),
          difference.estimate === null ? '–' : formatEstimate(difference.estimate),
          probability(adjusted),
          `${percent(smallest.family)} (${percent(smallest.alone)})`,
          verdict,
          formatPoints(lastDifference),
          times(cost.gradients),
          times(cost.work),
        ],
      ];
    }),
  );

/** The cells that means are taken over, and how they are called. */
const POOLS: readonly { readonly title: string; readonly cells: readonly CellName[] }[] = [
  { title: 'all', cells: cellNames },
  { title: 'without BSR-Net', cells: cellNames.filter((name) => name !== 'bsr-net-90') },
];

const allPooled = (outcomes: readonly Outcome[], cells: readonly CellName[] = cellNames): PooledDifference[] =>
  agentArms.flatMap((arm) => bases.flatMap((basis) => pooledDifference(outcomes, arm, basis, cells) ?? []));

const pooledTable = (outcomes: readonly Outcome[]): string =>
  table(
    ['cells', 'AGENT', 'at', 'pairs', 'A-X − X, points', 'could have shown'],
    POOLS.flatMap(({ title, cells }) =>
      allPooled(outcomes, cells).map((entry) => [
        entry.cells === cells.length ? title : `${title}: ${entry.cells} of ${cells.length}`,
        entry.arm,
        BASES[entry.basis],
        String(entry.pairs),
        entry.estimate === null ? '–' : formatEstimate(entry.estimate),
        percent(entry.smallest),
      ]),
    ),
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
      const gradients = reached.map(({ at }) => at.inputGradients + at.weightGradients);
      return [
        [
          CELLS[cell].title,
          ARMS[arm].title,
          `${percent(group[0].target)} %`,
          `${reached.length} of ${group.length}`,
          reached.length === 0 ? '–' : mean(reached.map(({ at }) => at.epoch)).toFixed(1),
          reached.length === 0 ? '–' : millions(gradients),
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
        difference === null ? '–' : formatPoints(difference),
        millions(runs.map(({ gradients }) => gradients)),
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
        (outcome) => outcome.cell === cell && outcome.arm === arm && outcome.varianceRatios.length > 1,
      );
      if (runs.length === 0) return [];
      const { title } = arm in ARMS ? ARMS[arm as keyof typeof ARMS] : EXPLORATIONS[arm as keyof typeof EXPLORATIONS];
      const coefficients = runs.flatMap(({ coefficient }) => coefficient ?? []);
      return [
        [
          CELLS[cell].title,
          title,
          String(runs.length),
          mean(runs.map(({ varianceRatios }) => varianceRatios[0])).toFixed(2),
          mean(runs.map(({ varianceRatios }) => median(varianceRatios.slice(1)))).toFixed(2),
          coefficients.length === 0 ? '–' : mean(coefficients).toFixed(2),
        ],
      ];
    }),
  );
  return table(
    ['', 'arm', 'seeds', 'corrected variance over plain: first epoch', 'median of the others', 'c at the end'],
    rows,
  );
}

/** True if AGENT pays, as far as the runs show, in plain words. */
export function verdictOf(outcomes: readonly Outcome[]): string {
  const comparisons = primaryComparisons(outcomes);
  if (comparisons.every(({ seeds }) => seeds.length === 0)) {
    return 'No pair of runs with and without AGENT is complete yet, so nothing can be said.';
  }
  return [
    countSentence(comparisons),
    ...agentArms.map((arm) => armSentences(comparisons.filter((comparison) => comparison.arm === arm))),
    pooledSentence(allPooled(outcomes)),
  ]
    .filter(Boolean)
    .join(' ');
}

function countSentence(comparisons: readonly Comparison[]): string {
  const decided = comparisons.filter(({ verdict }) => verdict !== 'open');
  const open = comparisons.length - decided.length;
  const stand =
    open === 0
      ? `All ${comparisons.length} primary comparisons are decided`
      : `Of ${comparisons.length} primary comparisons ${are(open)} open`;
  if (decided.length === 0) return `${stand}: the figures below are a look before the end, and decide nothing.`;
  const { better, worse, same } = sorted(decided);
  return (
    `${stand}. Of the decided ones ${are(better.length)} distinguishable in favour of AGENT, ${worse.length} against it, ` +
    `and ${are(same.length)} not distinguishable.`
  );
}

interface Sorted {
  readonly better: readonly Comparison[];
  readonly worse: readonly Comparison[];
  readonly same: readonly Comparison[];
}

/** Decided comparisons by what they found. */
function sorted(comparisons: readonly Comparison[]): Sorted {
  const shown = comparisons.filter(({ verdict }) => verdict === 'distinguishable');
  return {
    better: shown.filter(({ difference }) => (difference?.estimate?.mean ?? 0) > 0),
    worse: shown.filter(({ difference }) => (difference?.estimate?.mean ?? 0) < 0),
    same: comparisons.filter(({ verdict }) => verdict === 'not distinguishable'),
  };
}

/** What the comparisons of one arm of AGENT found, what that arm costs, and whether it is worth that. */
function armSentences(comparisons: readonly Comparison[]): string {
  const [{ arm }] = comparisons;
  const of = (basis: Basis): Sorted => sorted(comparisons.filter((comparison) => comparison.basis === basis));
  const [atEpochs, atGradients] = [of('epochs'), of('gradients')];
  const clauses = (
    [
      [atEpochs, 'epochs'],
      [atGradients, 'gradients'],
    ] as const
  ).flatMap(([found, basis]) => {
    const clause = clauseOf(found);
    return clause === '' ? [] : [`at ${BASES[basis]} ${clause}`];
  });
  const costs = comparisons.filter(({ basis, seeds }) => basis === 'epochs' && seeds.length > 0);
  const price =
    costs.length === 0
      ? ''
      : `\`${arm}\` took ${times(mean(costs.map(({ cost }) => cost.gradients)))} the gradient evaluations of X in as many epochs, and ${times(mean(costs.map(({ cost }) => cost.work)))} its multiply-adds.`;
  if (clauses.length === 0) return price;
  return `Compared with X, \`${arm}\` is ${clauses.join('; ')}. ${price} ${gainSentence(atEpochs, atGradients)}`;
}

function clauseOf({ better, worse, same }: Sorted): string {
  const cells = (of: readonly Comparison[]): string => listed(of.map(({ cell }) => CELLS[cell].title));
  return [
    better.length > 0 && `better in ${cells(better)}`,
    worse.length > 0 && `worse in ${cells(worse)}`,
    same.length > 0 && `not distinguishable in ${cells(same)}`,
  ]
    .filter(Boolean)
    .join(', ');
}

/** The sentence that says whether an arm is worth its cost, by its decided comparisons. */
function gainSentence(atEpochs: Sorted, atGradients: Sorted): string {
  const gains = atEpochs.better.length + atGradients.better.length;
  const losses = atEpochs.worse.length + atGradients.worse.length;
  if (gains > 0 && losses > 0) return 'So it helps in some of these comparisons and does harm in others.';
  if (losses > 0)
    return 'So it is not worth its cost here, whether cost is counted in epochs or in gradient evaluations, and it does harm.';
  if (atGradients.better.length > 0)
    return 'So it is worth its computation there: X with as many gradient evaluations stays behind.';
  if (atEpochs.better.length === 0)
    return 'So no gain is seen here, neither at equal epochs nor at equal gradient evaluations.';
  return atGradients.same.length > 0
    ? 'So it saves epochs, but no gain over X with as many gradient evaluations is seen.'
    : 'So it saves epochs; whether it is better than X with as many gradient evaluations is not decided.';
}

/** The secondary question. */
function pooledSentence(pooled: readonly PooledDifference[]): string {
  const parts = pooled.flatMap(({ arm, basis, estimate }) =>
    estimate === null ? [] : [`\`${arm}\` at ${BASES[basis]} ${formatEstimate(estimate)}`],
  );
  if (parts.length === 0) return '';
  return `The secondary figures are means over the cells in points of robust accuracy, with intervals that are not adjusted: ${parts.join('; ')}.`;
}

/** How many standard errors a difference must have, for the two numbers of seeds. */
function powerSentence(questions: number): string {
  const needed = (seeds: number): string =>
    smallestDetectable(1, seeds - 1, { alpha: ALPHA / questions, power: POWER }).toFixed(0);
  const seeds = [...new Set(cellNames.map((cell) => CELLS[cell].seeds))];
  const parts = seeds.map((count) => `${count} seeds ${needed(count)}`);
  return `To be found with that chance at Holm's first level, a true difference must have this number of standard errors: with ${parts.join(', with ')}. So three seeds can hardly decide anything alone.`;
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
    `**Is it worth its cost?** ${verdictOf(outcomes)}`,
    ...part(
      'Primary comparisons',
      `The columns are, for the checkpoint of best robust validation accuracy: the mean paired difference in robust ` +
        `accuracy over seeds with its 95 % t interval; p, adjusted by Holm over all ${comparisons.length} questions; the ` +
        `smallest true difference that would have been found with a chance of 80 % at Holm's first level (and at a level ` +
        `of ${ALPHA} alone); the same difference for the checkpoint of the last epoch; the cost of A-X over that of X. A ` +
        'comparison that still lacks pairs is open, whatever its figures. Intervals are over seeds of training, on one set ' +
        `of test images and one held-out set that chooses the checkpoint. ${powerSentence(comparisons.length)}`,
      comparisonsTable(comparisons),
    ),
    ...part(
      'Over all cells',
      'The mean of the cells’ mean differences, with a 95 % t interval that is not adjusted. The spread within cells is ' +
        'pooled, as if it were the same in all. BSR-Net’s learning rate is the one with which AGENT did worst where each ' +
        'arm was tuned. So the table also has means without BSR-Net, which were not planned.',
      pooledTable(outcomes),
    ),
    ...part(
      'All arms',
      'Percentages of the test images, as mean ± standard deviation over seeds, with the gradient evaluations and ' +
        'multiply-adds of training. Seconds are not given, since the machine had other work: ' +
        '[performance](../performance.md) has measured times.',
      outcomesTable(state),
    ),
    ...part(
      'Epochs to accuracy',
      'The target is the final validation accuracy of X, as a mean over its seeds. A run reaches it when two epochs in a ' +
        'row are at or above it. Epochs and gradient evaluations are means over the runs that reached it. On 500 images ' +
        'this is a coarse figure: X itself reaches the target long before its end.',
      epochsTable(state),
    ),
    ...part(
      'Learning rates',
      'Best robust validation accuracy at a seed that is not reported. On 500 images an accuracy has a standard error of ' +
        'about 2 points, so a choice between rates that differ by less is chance.',
      ratesTable(state),
    ),
    ...part(
      'Exploratory',
      'These comparisons are not part of the planned question. Their intervals are not adjusted, and a difference is a reason for another study, not a result. Accuracies are those of the checkpoint of best validation accuracy: robust, under natural training clean.',
      [explorationTable(state), varianceTable(state)].filter(Boolean).join('\n\n'),
    ),
  ].join('\n\n');
}
