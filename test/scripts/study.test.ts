import { expect } from 'chai';
import {
  agentArms,
  CELLS,
  chosenRate,
  type Known,
  plannedRuns,
  RATES,
  rateRuns,
  runName,
  type StudyRun,
  stretchedEpochs,
  TOTALS,
} from '../../scripts/study/design.ts';
import type { Setting } from '../../src/training/config/config.ts';

const NOTHING: Known = { scores: new Map(), gradients: new Map() };

/**
 * Made-up scores: the middle rate is best (for BSR-Net the lowest), the highest rate diverged, and AGENT took 13/9 and 12/9 of
 * X's gradients.
 */
const RATES_KNOWN: Known = {
  scores: new Map(
    rateRuns().map(({ name, cell, config }) => {
      const best = cell === 'bsr-net-90' ? RATES[0] : RATES[1];
      return [name, config.lr === best ? 0.3 : config.lr === RATES[2] ? -1 : 0.2];
    }),
  ),
  gradients: new Map(),
};
const ALL_KNOWN: Known = {
  ...RATES_KNOWN,
  gradients: new Map(
    (Object.keys(CELLS) as (keyof typeof CELLS)[]).flatMap((cell): [string, number][] => [
      [runName(cell, 'plain', 1), 9],
      [runName(cell, 'published', 1), 13],
      [runName(cell, 'matched', 1), 12],
    ]),
  ),
};

const differing = (a: StudyRun, b: StudyRun): string[] =>
  [...new Set([...Object.keys(a.config), ...Object.keys(b.config)])]
    .filter((key) => JSON.stringify(a.config[key as Setting]) !== JSON.stringify(b.config[key as Setting]))
    .sort();

const find = (runs: readonly StudyRun[], name: string): StudyRun => {
  const run = runs.find((one) => one.name === name);
  if (run === undefined) throw new Error(`no run ${name}`);
  return run;
};

describe('the plan of the study', () => {
  const runs = plannedRuns(ALL_KNOWN);
  const primary = runs.filter(({ part }) => part === 'primary');

  it('has as many runs as it says, each with a name and a configuration of its own', () => {
    for (const part of ['rate', 'primary', 'exploratory'] as const) {
      expect(
        runs.filter((run) => run.part === part),
        part,
      ).to.have.length(TOTALS[part]);
    }
    expect(TOTALS).to.deep.equal({ rate: 18, primary: 80, exploratory: 42 });
    expect(new Set(runs.map(({ name }) => name)).size).to.equal(runs.length);
    expect(new Set(runs.map(({ config }) => JSON.stringify(config))).size).to.equal(runs.length);
  });

  it('lets the two runs of a pair differ in nothing but the settings of AGENT', () => {
    for (const { name, cell, arm, config } of primary) {
      if (!(agentArms as readonly string[]).includes(arm)) continue;
      const own = ['agentAlpha', 'agentGamma', 'agentPrepass', 'optimizer'];
      const others = (settings: readonly string[]) =>
        settings.filter((setting) => !/^(agent|optimizer$)/.test(setting));
      const treated = find(runs, name);
      const settings = differing(treated, find(runs, runName(cell, 'plain', config.seed)));
      expect(settings, name).to.include.members(arm === 'matched' ? [...own, 'agentAttackSteps'] : own);
      expect(others(settings), name).to.deep.equal([]);
      const longer = find(
        runs,
        runName(cell, arm === 'matched' ? 'plain-as-matched' : 'plain-as-published', config.seed),
      );
      expect(others(differing(treated, longer)), name).to.deep.equal(['epochs']);
    }
  });

  it('trains the learning rates at a seed that no reported run has', () => {
    const seeds = (part: StudyRun['part']) =>
      new Set(runs.flatMap((run) => (run.part === part ? [run.config.seed] : [])));
    expect([...seeds('rate')]).to.deep.equal([0]);
    expect([...seeds('primary')].sort()).to.deep.equal([1, 2, 3, 4, 5]);
    expect([...seeds('exploratory')].sort()).to.deep.equal([1, 2, 3]);
  });

  it('goes seed by seed, so that it can stop with balanced tables', () => {
    const seeds = primary.map(({ config }) => config.seed);
    expect(seeds).to.deep.equal(seeds.toSorted((a, b) => a - b));
    const first = primary.filter(({ config }) => config.seed === 1).map(({ arm }) => arm);
    expect(first.slice(0, 3)).to.deep.equal(['plain', 'published', 'matched']);
    expect(first.indexOf('plain-as-published')).to.equal(12);
  });

  it('stops where something is not known yet: first the learning rates, then what AGENT costs', () => {
    expect(plannedRuns(NOTHING)).to.deep.equal(rateRuns());
    const later = plannedRuns(RATES_KNOWN);
    expect(later.slice(0, TOTALS.rate)).to.deep.equal(rateRuns());
    expect(later).to.have.length(TOTALS.rate + 12);
    expect(runs.slice(0, later.length)).to.deep.equal(later);
  });

  it('takes the learning rate of best validation accuracy, the lower one of a tie', () => {
    expect(chosenRate(NOTHING, 'rigl-95', 'plain')).to.equal(null);
    const scores = new Map(RATES_KNOWN.scores);
    scores.set(`rigl-95-matched-rate${RATES[0]}`, 0.3);
    scores.set(`rigl-90-plain-rate${RATES[0]}`, 0.31);
    const known = { ...RATES_KNOWN, scores };
    expect(chosenRate(known, 'rigl-95', 'matched')).to.equal(RATES[0]);
    expect(chosenRate(known, 'rigl-95', 'published')).to.equal(RATES[1]);
    // Elsewhere X chooses for all.
    expect(chosenRate(known, 'rigl-90', 'matched')).to.equal(RATES[0]);
  });

  it('gives X as many gradient evaluations as AGENT took, in whole epochs', () => {
    expect(stretchedEpochs(RATES_KNOWN, 'rigl-90', 'published')).to.equal(null);
    expect(stretchedEpochs(ALL_KNOWN, 'rigl-90', 'published')).to.equal(22);
    expect(stretchedEpochs(ALL_KNOWN, 'rigl-90', 'matched')).to.equal(20);
    expect(find(runs, runName('rigl-90', 'plain-as-published', 2)).config.epochs).to.equal(22);
  });
});
