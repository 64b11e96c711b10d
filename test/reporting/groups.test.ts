import { expect } from 'chai';
import fc from 'fast-check';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { packBits } from '../../src/evaluation/results/bits.ts';
import { withUnions } from '../../src/evaluation/results/union.ts';
import type { AttackResult, Evaluation } from '../../src/evaluation/types.ts';
import { groupName } from '../../src/reporting/groups/group-name.ts';
import { renderPage } from '../../src/reporting/page/page.ts';
import { collectReport, headlineCells, type ReportData } from '../../src/reporting/report-data.ts';
import { isComplete, type RunRecord } from '../../src/reporting/runs/runs.ts';
import { comparisonsOf } from '../../src/reporting/tables/comparisons.ts';
import { formatEpochsToAccuracy } from '../../src/reporting/tables/epochs-to-accuracy.ts';
import { formatSummary } from '../../src/reporting/tables/summary.ts';
import type { TrainOptions } from '../../src/training/config/config.ts';
import { sampleRuns } from './sample.ts';

const runs = sampleRuns();
const some = (count: number): RunRecord[] => runs.slice(3, 3 + count);

const renamed = (record: RunRecord, config: TrainOptions, changes: Partial<RunRecord> = {}): RunRecord => ({
  ...record,
  name: `${record.name}-${Object.values(config).join('-')}`,
  config: { ...record.config, ...config } as RunRecord['config'],
  ...changes,
});

const evaluated = (record: RunRecord, change: (evaluation: Evaluation) => Partial<Evaluation>): RunRecord => ({
  ...record,
  evaluations: record.evaluations.map((evaluation) => ({ ...evaluation, ...change(evaluation) })),
});

const onData = (record: RunRecord, name: string, sha256: string): RunRecord =>
  evaluated({ ...record, last: { epoch: 10, datasetSha256: sha256 } }, ({ dataset }) => ({
    dataset: { ...dataset, name, sha256 },
  }));

const attackedBy = (record: RunRecord, change: (result: AttackResult) => AttackResult): RunRecord =>
  evaluated(record, ({ attacks }) => ({
    attacks: withUnions(attacks.filter(({ attack }) => attack !== 'union').map(change)),
  }));

const photos = (record: RunRecord): RunRecord =>
  onData(renamed(record, { dataset: 'folder', model: 'resnet18' }), 'folder', 'fff0000000');
const inL2 = (record: RunRecord): RunRecord =>
  attackedBy(renamed(record, { norm: 'l2', epsilon: 0.5 }), (result) => ({
    ...result,
    norm: 'l2',
    epsilon: 5 * result.epsilon,
    stepSize: 5 * (result.stepSize ?? 0),
  }));
const atHalf = (record: RunRecord): RunRecord =>
  evaluated(renamed(record, { epsilon: 0.05 }), ({ attacks }) => ({
    attacks: attacks.filter(({ epsilon }) => epsilon === 0.05),
  }));

const namesIn = (data: ReportData): string[][] => data.groups.map((group) => group.runs.map(({ name }) => name).sort());
const names = (records: readonly RunRecord[]): string[] => records.map(({ name }) => name).sort();

describe('groups of a report', () => {
  const mixed = [...runs, ...some(5).map(photos), ...some(4).map(inL2), ...some(3).map(atHalf)];
  const data = collectReport(mixed, 'T');
  let page: string;
  before(async () => {
    page = await renderPage(data);
  });

  it('share data set, norm and radius, and no run is in none', () => {
    expect(data.groups.map(({ name }) => name)).to.deep.equal([
      'mnist10k abc linf 0.1',
      'folder fff00000 linf 0.1',
      'mnist10k abc l2 0.5',
      'mnist10k abc linf 0.05',
    ]);
    const [digits, folder, l2, half] = namesIn(data);
    expect(digits).to.deep.equal(names(runs));
    expect(folder).to.deep.equal(names(some(5).map(photos)));
    expect(l2).to.deep.equal(names(some(4).map(inL2)));
    // All runs were evaluated at 0.05 too, and are compared with those that were trained against it.
    expect(half).to.deep.equal(names([...runs, ...some(3).map(atHalf)]));
    expect(data.leftOut).to.deep.equal([]);
  });

  it('are sections of the page, each with its own claims', () => {
    for (const title of [
      'mnist10k, linf, ε 0.1',
      'folder, linf, ε 0.1',
      'mnist10k, l2, ε 0.5',
      'mnist10k, linf, ε 0.05',
    ]) {
      expect(page.split(`>${title}</h2>`)).to.have.length(2);
    }
    expect(page).to.contain('cnn on mnist10k: 27 runs over 3 seeds, attacked in linf with ε 0.1');
    expect(page).to.contain('resnet18 on folder: 5 runs over 1 seed, attacked in linf with ε 0.1');
    expect(page).to.contain('cnn on mnist10k: 4 runs over 1 seed, attacked in l2 with ε 0.5');
    expect(page).to.contain('figures of one group do not compare with those of another');
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    for (const [, id] of page.matchAll(/href="#([^"]+)"/g)) expect(ids).to.include(id);
  });

  it('are named in every CSV file', () => {
    expect(new Set(data.results.map(({ group }) => group))).to.include('folder fff00000 linf 0.1');
    expect(formatSummary(data.cells)).to.contain('\nmnist10k abc l2 0.5,mnist10k,abc,');
    expect(formatEpochsToAccuracy(data.epochs)).to.contain(',folder fff00000 linf 0.1,folder,');
  });

  it('have names that tell different radii apart', () => {
    const key = { dataset: 'cifar10', sha256: '0123456789', norm: 'linf' };
    expect(groupName({ ...key, epsilon: 8 / 255 })).to.equal('cifar10 01234567 linf 8/255');
    expect(groupName({ ...key, epsilon: 0.12345 })).not.to.equal(groupName({ ...key, epsilon: 0.12346 }));
    expect(groupName({ ...key, sha256: null, epsilon: 0.1 })).to.equal('cifar10 linf 0.1');
  });

  it('keep two folders of photos apart that have equal settings', () => {
    const others = some(3).map((run) => {
      const photo = photos(run);
      return onData({ ...photo, name: `${photo.name}-other` }, 'folder', 'eee0000000');
    });
    const two = collectReport([...some(3).map(photos), ...others], 'T');
    expect(two.groups).to.have.length(2);
    for (const group of two.groups) for (const { rows } of group.cells) expect(rows.length).to.be.at.most(3);
    expect(two.leftOut).to.deep.equal([]);
  });

  it('make other radii points of a curve, not groups of their own', () =>
    expect(collectReport(runs, 'T').groups.map(({ name }) => name)).to.deep.equal(['mnist10k abc linf 0.1']));
});

describe('runs that were measured in another way', () => {
  const reasons = (given: readonly RunRecord[]) => collectReport(given, 'T').leftOut;

  it('under more attacks are compared by the attacks that they share', () => {
    const more = evaluated(runs[3], ({ attacks }) => ({
      attacks: withUnions(
        attacks
          .filter(({ attack }) => attack !== 'union')
          .flatMap((result) => [
            result,
            ...(result.attack === 'pgd-20-ce'
              ? [
                  {
                    ...result,
                    attack: 'square-5000',
                    steps: 5000,
                    stepSize: null,
                    robust: accuracyOf(0, 400),
                    survived: packBits(new Uint8Array(400)),
                  },
                ]
              : []),
          ]),
      ),
    }));
    const data = collectReport([more, ...runs.filter((run) => run !== runs[3])], 'T');
    expect(data.leftOut).to.deep.equal([]);
    const plain = collectReport(runs, 'T');
    const robust = ({ groups: [group] }: ReportData) => headlineCells(group).map((cell) => cell.robust.mean);
    expect(robust(data)).to.deep.equal(robust(plain));
    expect(data.results.filter(({ run, attacks }) => run === more.name && attacks.includes('square'))).not.to.be.empty;
  });

  it('by fewer attacks, with other steps, on fewer images or with another seed are named and not averaged', () => {
    const fewer = attackedBy(runs[3], (result) => result);
    const one = evaluated(fewer, ({ attacks }) => ({
      attacks: withUnions(attacks.filter(({ attack }) => attack === 'pgd-20-ce')),
    }));
    const steps = attackedBy(runs[4], (result) => ({ ...result, stepSize: 0.001 }));
    const seed = evaluated(runs[5], () => ({ seed: 7 }));
    const images = evaluated(runs[6], () => ({ clean: accuracyOf(100, 200) }));
    const changed = [one, steps, seed, images];
    const data = collectReport(
      [...runs.filter(({ name }) => !changed.some((run) => run.name === name)), ...changed],
      'T',
    );
    expect(data.leftOut.map(({ run }) => run).sort()).to.deep.equal(names(changed));
    const reason = (run: RunRecord) => data.leftOut.find(({ run: name }) => name === run.name)?.reason;
    expect(reason(one)).to.equal('it was evaluated in another way: pgd-20-ce on 400 test images, seed 0');
    expect(reason(steps)).to.contain('pgd-20-ce (steps of 0.001)');
    expect(reason(seed)).to.contain('seed 7');
    expect(reason(images)).to.contain('on 200 test images');
    for (const { rows } of headlineCells(data.groups[0])) {
      for (const row of rows) expect(names(changed)).not.to.include(row.run);
    }
  });

  it('or not at all, unfinished, repeated, or without attack are named with the reason', () => {
    const unfinished = { ...runs[3], last: { epoch: 4, datasetSha256: 'abc' } };
    const lost = { ...runs[4], last: null };
    const unseen = { ...runs[5], evaluations: [] };
    const again = { ...runs[6], name: 'copy' };
    const clean = evaluated(runs[7], ({ attacks }) => ({ attacks: attacks.filter(({ epsilon }) => epsilon === 0) }));
    const given = [unfinished, lost, unseen, runs[6], again, clean, ...runs.slice(8)];
    const found = new Map(reasons(given).map(({ run, reason }) => [run, reason]));
    expect(Object.fromEntries(found)).to.deep.equal({
      [unfinished.name]: 'its training is unfinished: stopped after 4 of 10 epochs',
      [lost.name]: 'its training is unfinished: stopped after 0 of 10 epochs, and it has no whole checkpoint last',
      [unseen.name]: 'it is not evaluated yet',
      copy: `it has the configuration and the seed of ${runs[6].name}`,
      [clean.name]: 'it was not attacked',
    });
    const data = collectReport(given, 'T');
    expect(data.epochs.map(({ run }) => run.run)).not.to.include.members([unfinished.name, lost.name]);
    expect(data.results.find(({ run }) => run === unfinished.name)?.complete).to.equal('false');
  });

  it('by another version of Equipoise are said to be', async () => {
    const older = evaluated(runs[3], () => ({ version: '0.0.9' }));
    const page = await renderPage(collectReport([older, ...runs.slice(4, 7)], 'T'));
    expect(page).to.contain('different versions of Equipoise (0.0.9 and 0.1.0)');
  });

  it('never meet in a cell, and each is in a headline or named', () => {
    const choice = fc.record({
      data: fc.constantFrom('abc', 'def'),
      l2: fc.boolean(),
      half: fc.boolean(),
      seed: fc.constantFrom(0, 1),
      single: fc.boolean(),
      last: fc.constantFrom(10, 10, 3),
      width: fc.constantFrom(1, 0.5),
      objective: fc.constantFrom('at', 'trades', 'natural'),
    });
    const base = runs.slice(3, 15);
    fc.assert(
      fc.property(fc.array(choice, { minLength: base.length, maxLength: base.length }), (choices) => {
        const given = choices.map((chosen, i) => {
          const config = { width: chosen.width, objective: chosen.objective } as TrainOptions;
          let run = onData(renamed(base[i], config), 'mnist10k', chosen.data);
          if (chosen.half) run = atHalf(run);
          if (chosen.l2) run = inL2(run);
          if (chosen.single) {
            run = evaluated(run, ({ attacks }) => ({
              attacks: withUnions(attacks.filter(({ attack }) => attack === 'pgd-20-ce')),
            }));
          }
          return {
            ...evaluated(run, () => ({ seed: chosen.seed })),
            name: `run-${i}`,
            last: { epoch: chosen.last, datasetSha256: chosen.data },
          };
        });
        const data = collectReport(given, 'T');
        const shown = new Set<string>();
        for (const group of data.groups) {
          for (const { rows } of headlineCells(group)) {
            const keys = rows.map((row) =>
              JSON.stringify([
                row.dataset_sha256,
                row.norm,
                row.epsilon,
                row.n,
                row.attacks,
                row.attack_seed,
                row.width,
                row.objective,
              ]),
            );
            expect(new Set(keys).size).to.equal(1);
            expect(new Set(rows.map(({ seed }) => seed)).size).to.equal(rows.length);
            for (const { run } of rows) shown.add(run);
          }
        }
        for (const run of given) {
          expect(shown.has(run.name) || data.leftOut.some((left) => left.run === run.name), run.name).to.equal(true);
          if (!isComplete(run)) expect(shown.has(run.name)).to.equal(false);
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('AGENT minus SGD', () => {
  const firstScreen = (page: string): string => page.slice(page.indexOf('<header'), page.indexOf('</header'));
  const sparse = (optimizer: string) =>
    runs.filter(
      ({ config }) => config.sparsity === 0.95 && config.optimizer === optimizer && config.objective === 'at',
    );
  /** SGD for so many epochs, and so as many gradient evaluations as AGENT, the first seeds only. */
  const longer = (seeds: number) =>
    sparse('sgd')
      .slice(0, seeds)
      .map((run) => ({
        ...renamed(run, { epochs: 11 }, { last: { epoch: 11, datasetSha256: 'abc' } }),
        metrics: run.metrics.map((row, i) =>
          i < 9 ? row : { ...row, input_gradients: 80_000, weight_gradients: 10_500 },
        ),
      }));

  it('is compared at equal epochs and at equal gradient evaluations, from three pairs on', () => {
    const [group] = collectReport([...sparse('sgd'), ...sparse('agent'), ...longer(3)], 'T').groups;
    const [{ atEqualEpochs, atEqualGradients, cost, measure }, ...others] = comparisonsOf(group);
    expect(others).to.deep.equal([]);
    expect(measure).to.equal('robust');
    expect(atEqualEpochs?.n).to.equal(3);
    expect(atEqualGradients?.n).to.equal(3);
    expect(cost).to.be.closeTo(9 / 8, 1e-9);
  });

  it('stands on the first screen, with a verdict or as too few seeds', async () => {
    const three = firstScreen(
      await renderPage(collectReport([...sparse('sgd'), ...sparse('agent'), ...longer(2)], 'T')),
    );
    expect(three).to.match(/\[[+−\d., ]+\], 3 seeds: (not )?distinguishable/);
    expect(three).to.contain('not enough seeds (2 pairs)');
    const two = firstScreen(
      await renderPage(collectReport([...sparse('sgd').slice(0, 2), ...sparse('agent').slice(0, 2)], 'T')),
    );
    expect(two).to.contain('not enough seeds (2 pairs)').and.to.contain('not enough seeds (0 pairs)');
    expect(two).not.to.match(/distinguishable|points/);
  });

  it('says with which SGD the pre-pass memory is paired, where there is none', async () => {
    const remembering = (fixed: boolean) => [
      ...sparse('sgd').map((run) => renamed(run, { fixedBatches: fixed })),
      ...sparse('agent').map((run) => renamed(run, { agentPrepass: 'memory', fixedBatches: true })),
    ];
    const page = async (fixed: boolean) => firstScreen(await renderPage(collectReport(remembering(fixed), 'T')));
    expect(await page(false)).to.match(/not enough seeds \(0 pairs\).*SGD with --fixed-batches/);
    expect(await page(true)).not.to.contain('--fixed-batches');
  });

  it('of naturally trained nets is in clean accuracy', () => {
    const natural = [...sparse('sgd'), ...sparse('agent')].map((run) => renamed(run, { objective: 'natural' }));
    const data = collectReport(natural, 'T');
    const [{ measure, atEqualEpochs, cell }] = comparisonsOf(data.groups[0]);
    expect(measure).to.equal('clean');
    expect(atEqualEpochs).to.deep.equal(cell.differences?.clean);
    expect(formatEpochsToAccuracy(data.epochs)).to.match(/,natural,0\.95,0,clean,/);
  });
});
