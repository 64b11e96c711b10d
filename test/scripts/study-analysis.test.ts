import { expect } from 'chai';
import { type Outcome, pooledDifference, primaryComparisons } from '../../scripts/study/analysis.ts';
import {
  ARMS,
  armNames,
  CELLS,
  type CellName,
  cellNames,
  type PrimaryArm,
  TOTALS,
} from '../../scripts/study/design.ts';
import { replaceSection, type StudyState, studySection, verdictOf } from '../../scripts/study/text.ts';
import { holm, smallestDetectable } from '../../src/reporting/statistics/statistics.ts';

const outcome = (cell: CellName, arm: PrimaryArm, seed: number, robust: number): Outcome => ({
  cell,
  arm,
  seed,
  best: { clean: robust + 0.1, robust },
  last: { clean: robust + 0.1, robust },
  gradients: arm === 'plain' ? 9e6 : arm === 'matched' || arm === 'plain-as-matched' ? 12e6 : 13e6,
  work: arm === 'plain' ? 100e12 : 140e12,
  varianceRatios: arm === 'published' ? [3, 0.9, 0.8, 0.8] : [],
  coefficient: arm === 'published' ? 0.5 : null,
});

/** Seeds differ by a point, and the noise of a pair is that of `wobble`. */
const wobble = [0.001, -0.001, 0.0005, -0.0005, 0];
const all = (gain: (arm: PrimaryArm, cell: CellName) => number): Outcome[] =>
  cellNames.flatMap((cell) =>
    armNames.flatMap((arm) =>
      Array.from({ length: CELLS[cell].seeds }, (_, i) =>
        outcome(
          cell,
          arm,
          i + 1,
          0.25 + 0.01 * i + gain(arm, cell) + (arm === 'plain' ? 0 : wobble[i] * (armNames.indexOf(arm) + 1)),
        ),
      ),
    ),
  );

describe('the analysis of the study', () => {
  it('asks sixteen questions, and answers none before there are runs', () => {
    const comparisons = primaryComparisons([]);
    expect(comparisons).to.have.length(16);
    for (const { difference, verdict, seeds } of comparisons) {
      expect(difference).to.equal(null);
      expect(verdict).to.equal('open');
      expect(seeds).to.deep.equal([]);
    }
    expect(pooledDifference([], 'matched', 'epochs')).to.equal(null);
    expect(verdictOf([])).to.match(/nothing can be said/);
  });

  it('pairs runs by their seed and waits for all of them', () => {
    const some = [
      outcome('rigl-90', 'published', 2, 0.3),
      outcome('rigl-90', 'plain', 1, 0.1),
      outcome('rigl-90', 'plain', 2, 0.28),
      outcome('rigl-90', 'published', 3, 0.9),
      outcome('set-itop-90', 'published', 1, 0.5),
    ];
    const [comparison, ...others] = primaryComparisons(some).filter(({ seeds }) => seeds.length > 0);
    expect(others).to.deep.equal([]);
    expect(comparison).to.deep.include({ cell: 'rigl-90', arm: 'published', basis: 'epochs', seeds: [2], planned: 5 });
    expect(comparison.difference?.estimate).to.equal(null);
    expect(comparison.difference?.differences[0]).to.be.closeTo(0.02, 1e-12);
    expect(comparison.verdict).to.equal('open');
    expect(comparison.p).to.be.NaN;
  });

  it('finds a large steady gain distinguishable after Holm, and tells the price', () => {
    const outcomes = all((arm) => (arm === 'published' ? 0.05 : 0));
    const comparisons = primaryComparisons(outcomes);
    const adjusted = holm(comparisons.map(({ p }) => p));
    for (const [i, { arm, cell, verdict, adjusted: p, cost, basis }] of comparisons.entries()) {
      expect(p).to.equal(adjusted[i]);
      expect(verdict).to.equal(p <= 0.05 ? 'distinguishable' : 'not distinguishable');
      if (arm === 'published' && cell.startsWith('rigl')) expect(verdict).to.equal('distinguishable');
      if (arm === 'matched') expect(verdict).to.equal('not distinguishable');
      expect(cost.gradients).to.be.closeTo(basis === 'gradients' ? 1 : arm === 'published' ? 13 / 9 : 12 / 9, 1e-12);
      expect(cost.work).to.be.closeTo(basis === 'gradients' ? 1 : 1.4, 1e-12);
    }
    expect(verdictOf(outcomes))
      .to.match(
        /Compared with X, `published` is at equal epochs better in RigL 95 %.*So it is worth its computation there: X with/,
      )
      .and.to.match(/`matched` is at equal epochs not distinguishable in .*So no gain is seen here/)
      .and.to.include(
        '`published` took 1.44× the gradient evaluations of X in as many epochs, and 1.40× its multiply-adds',
      );
  });

  it('shows no verdict that answers to come could take back', () => {
    const gain = (arm: PrimaryArm) => (arm === 'published' ? 0.05 : 0);
    const [first] = primaryComparisons(all(gain)).filter(({ verdict }) => verdict === 'distinguishable');
    // All but that one have a pair missing, and whatever p their pairs have so far.
    const some = all(gain).filter(({ cell, seed }) => cell === first.cell || seed !== 2);
    const open = primaryComparisons(some).filter(({ verdict }) => verdict === 'open');
    expect(open.length).to.be.above(10);
    for (const { adjusted, p } of open) {
      expect(adjusted).to.be.NaN;
      expect(p).to.be.within(0, 1);
    }
    const now = primaryComparisons(some).find(
      ({ cell, arm, basis }) => cell === first.cell && arm === first.arm && basis === first.basis,
    );
    expect(now?.verdict).to.equal('distinguishable');
    const worst = all((arm) => (arm === 'published' ? 0.05 : 0)).map((outcome) =>
      outcome.cell === first.cell
        ? outcome
        : { ...outcome, best: { clean: 0.3, robust: 0.2 + 0.01 * (outcome.seed % 2) } },
    );
    const then = primaryComparisons(worst).find(
      ({ cell, arm, basis }) => cell === first.cell && arm === first.arm && basis === first.basis,
    );
    expect(then?.verdict).to.equal('distinguishable');
  });

  const gainIn =
    (...gains: readonly (readonly [PrimaryArm, number])[]) =>
    (arm: PrimaryArm): number =>
      gains.find(([name]) => name === arm)?.[1] ?? 0;

  for (const [title, outcomes, expected] of [
    [
      'in epochs alone',
      all(gainIn(['plain', -0.05])),
      /`published` is at equal epochs better in .*So it saves epochs, but no gain over X with as many gradient evaluations is seen/,
    ],
    [
      'in epochs, while X was not given as much yet',
      all(gainIn(['published', 0.05])).filter(({ arm }) => !arm.startsWith('plain-as')),
      /So it saves epochs; whether it is better than X with as many gradient evaluations is not decided/,
    ],
    [
      'as a loss',
      all(gainIn(['matched', -0.05])),
      /`matched` is at equal epochs worse in .*So it is not worth its cost here/,
    ],
    [
      'as help here and harm there',
      all((arm, cell) => (arm === 'published' ? (cell === 'rigl-95' ? 0.05 : -0.05) : 0)),
      /better in RigL 95 %, worse in .*So it helps in some of these comparisons and does harm in others/,
    ],
    [
      'one arm apart from the other',
      all(gainIn(['published', 0.05], ['matched', -0.05])),
      /`published` is .*worth its computation there.*`matched` is .*worse in .*does harm/,
    ],
  ] as const) {
    it(`tells what was found ${title}`, () => expect(verdictOf(outcomes)).to.match(expected));
  }

  it('draws no conclusion from the mean over cells', () => {
    const outcomes = all((arm) => (arm === 'published' ? 0.002 : 0));
    expect(pooledDifference(outcomes, 'published', 'epochs')?.estimate?.low).to.be.above(0);
    for (const { verdict } of primaryComparisons(outcomes)) expect(verdict).to.equal('not distinguishable');
    expect(verdictOf(outcomes)).to.match(
      /`published` is at equal epochs not .*So no gain is seen here.*secondary figures.*`published` at equal epochs \+0\.2/,
    );
  });

  it('calls what is not distinguishable so, with what would have shown', () => {
    const outcomes = all(() => 0);
    for (const { verdict, smallest, difference } of primaryComparisons(outcomes)) {
      expect(verdict).to.equal('not distinguishable');
      const error = ((difference?.estimate?.high ?? 0) - (difference?.estimate?.low ?? 0)) / 2;
      expect(smallest.alone).to.be.above(error);
      expect(smallest.family).to.be.above(smallest.alone);
    }
    expect(verdictOf(outcomes)).to.match(/0 are distinguishable in favour of AGENT, 0 against it, and 16 are not/);
  });

  it('pools the spread within cells over all of them', () => {
    const outcomes = [
      outcome('rigl-90', 'plain', 1, 0.2),
      outcome('rigl-90', 'plain', 2, 0.2),
      outcome('rigl-95', 'plain', 1, 0.2),
      outcome('rigl-95', 'plain', 2, 0.2),
      outcome('rigl-90', 'matched', 1, 0.21),
      outcome('rigl-90', 'matched', 2, 0.23),
      outcome('rigl-95', 'matched', 1, 0.24),
      outcome('rigl-95', 'matched', 2, 0.24),
    ];
    const pooled = pooledDifference(outcomes, 'matched', 'epochs');
    expect(pooled).to.include({ cells: 2, pairs: 4 });
    expect(pooled?.estimate?.mean).to.be.closeTo(0.03, 1e-12);
    // s² = (0.01² + 0.01²) / 2, standard error s · √(1/2 + 1/2) / 2 = 0.005, two degrees of freedom
    expect(pooled?.estimate?.high).to.be.closeTo(0.03 + 4.302652729749462 * 0.005, 1e-9);
    expect(pooled?.smallest).to.be.closeTo(smallestDetectable(0.005, 2), 1e-9);
  });
});

describe('the section on the study', () => {
  const state = (outcomes: readonly Outcome[]): StudyState => ({
    known: { scores: new Map(), gradients: new Map() },
    outcomes,
    epochs: [],
    runs: new Map(),
    diverged: [],
    datasets: ['cifar10 (unofficial)'],
    builds: ['commit 1234abc, Node v24'],
  });

  it('says how much is done and gives no verdict before all seeds are in', () => {
    const some = all((arm) => (arm === 'matched' ? -0.05 : 0)).filter(({ seed }) => seed < 3);
    const text = studySection(state(some));
    expect(text).to.include(`${some.length} of ${TOTALS.primary} primary runs`);
    expect(text).to.include('decide nothing');
    expect(text).to.match(
      /\| RigL 95 % \| matched \| equal epochs \| 2 of 5 \| −\d\.\d −\d\.\d \| – \| – \|.*\| open \| −\d\.\d −\d\.\d \|/,
    );
    expect(text).not.to.match(/So (it|no gain)/);
    expect(text).not.to.match(/\| (not )?distinguishable \|/);
    expect(text).not.to.include('NaN');
  });

  it('gives every comparison a verdict in the end', () => {
    const text = studySection(state(all((arm) => (arm === 'matched' ? -0.05 : 0))));
    expect(text.match(/\| (not )?distinguishable \|/g)).to.have.length(16);
    expect(text).to.match(
      /All 16 primary comparisons are decided. Of the decided ones 0 are distinguishable in favour of AGENT, \d+ against it/,
    );
    expect(text).to.match(/with 5 seeds 8, with 3 seeds 23/);
    expect(text).to.match(/\| without BSR-Net \| matched \| equal epochs \| 13 \|/);
    expect(text).to.match(/\| A-X, published \| 5 \| 3\.00 \| 0\.80 \| 0\.50 \|/);
    for (const { title } of Object.values(ARMS)) expect(text).to.include(`| ${title} |`);
  });

  it('replaces its own part of a page and nothing else', () => {
    const page = replaceSection('# Results\n\nOther things.\n', '## One');
    expect(page).to.match(/^# Results\n\nOther things\.\n\n<!-- .* -->\n\n## One\n\n<!-- .* -->\n$/);
    const longer = `${page}\nBehind it.\n`;
    expect(replaceSection(longer, '## Two')).to.equal(longer.replace('## One', '## Two'));
  });
});
