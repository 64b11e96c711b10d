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
import { holm, smallestDetectable } from '../../src/reporting/statistics.ts';

const outcome = (cell: CellName, arm: PrimaryArm, seed: number, robust: number): Outcome => ({
  cell,
  arm,
  seed,
  best: { clean: robust + 0.1, robust },
  last: { clean: robust + 0.1, robust },
  gradients: arm === 'plain' ? 9e6 : arm === 'matched' || arm === 'plain-as-matched' ? 12e6 : 13e6,
  seconds: arm === 'plain' ? 100 : 150,
  varianceRatio: arm === 'published' ? 0.9 : null,
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
    expect(comparison.difference?.mean).to.be.closeTo(0.02, 1e-12);
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
    }
    expect(verdictOf(outcomes)).to.match(/In the end `published` pays in computation: X with as many/);
  });

  it('says that a gain at equal epochs alone is one in epochs, not in computation', () => {
    const outcomes = all((arm) => (arm === 'plain' ? -0.05 : 0));
    expect(verdictOf(outcomes)).to.match(
      /pays in epochs alone, and not in computation: no gain over training X longer/,
    );
  });

  it('leaves open what AGENT does for the same computation until X was given as much', () => {
    const outcomes = all((arm) => (arm === 'published' ? 0.05 : 0)).filter(({ arm }) => !arm.startsWith('plain-as'));
    expect(verdictOf(outcomes)).to.match(
      /So far, at equal epochs, `published` pays in epochs; what it does for the same computation is not known yet/,
    );
  });

  it('calls what is not distinguishable so, with what would have shown', () => {
    const outcomes = all(() => 0);
    for (const { verdict, smallest, difference } of primaryComparisons(outcomes)) {
      expect(verdict).to.equal('not distinguishable');
      const error = ((difference?.high ?? 0) - (difference?.low ?? 0)) / 2;
      expect(smallest.alone).to.be.above(error);
      expect(smallest.family).to.be.above(smallest.alone);
    }
    expect(verdictOf(outcomes)).to.match(
      /not told from no correction, where a true difference of \d\.\d points .*no currency is seen/,
    );
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
    expect(pooled?.mean).to.be.closeTo(0.03, 1e-12);
    // s² = (0.01² + 0.01²) / 2, standard error s · √(1/2 + 1/2) / 2 = 0.005, two degrees of freedom
    expect(pooled?.high).to.be.closeTo(0.03 + 4.302652729749462 * 0.005, 1e-9);
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
    expect(text).to.include('decides nothing');
    expect(text).to.match(/\| RigL 95 % \| matched \| equal epochs \| 2 of 5 \| −\d\.\d \[.*\| open \|/);
    expect(text).not.to.match(/\| (not )?distinguishable \|/);
    expect(text).not.to.include('NaN');
  });

  it('gives every comparison a verdict in the end', () => {
    const text = studySection(state(all((arm) => (arm === 'matched' ? -0.05 : 0))));
    expect(text.match(/\| (not )?distinguishable \|/g)).to.have.length(16);
    expect(text).to.match(
      /All 16 primary comparisons are decided; 0 differences in favour of AGENT and \d+ against it/,
    );
    expect(text).to.match(
      /In the end AGENT pays in no currency here, and `matched` does harm; training X longer .* brings more/,
    );
    for (const { title } of Object.values(ARMS)) expect(text).to.include(`| ${title} |`);
  });

  it('replaces its own part of a page and nothing else', () => {
    const page = replaceSection('# Results\n\nOther things.\n', '## One');
    expect(page).to.match(/^# Results\n\nOther things\.\n\n<!-- .* -->\n\n## One\n\n<!-- .* -->\n$/);
    const longer = `${page}\nBehind it.\n`;
    expect(replaceSection(longer, '## Two')).to.equal(longer.replace('## One', '## Two'));
  });
});
