import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import { costedRun, type RunRecord } from '../../src/reporting/runs/runs.ts';
import { type Comparison, formatDifferences } from '../../src/reporting/tables/comparisons.ts';
import { parseCsv } from '../../src/reporting/tables/csv.ts';
import {
  type CostedRun,
  type EpochCost,
  epochsToAccuracy,
  formatEpochsToAccuracy,
} from '../../src/reporting/tables/epochs-to-accuracy.ts';
import { formatResults, parseResults, RESULT_COLUMNS, type ResultRow } from '../../src/reporting/tables/results.ts';
import { formatSummary, summarize } from '../../src/reporting/tables/summary.ts';
import { formatSummaryTable, formatTable } from '../../src/reporting/tables/table.ts';
import { resultRow, sampleRuns } from './sample.ts';

describe('results.csv', () => {
  it('has exactly the columns that readers rely on, in order', () => {
    expect(formatResults([]).trim()).to.equal(
      'run,group,dataset,dataset_sha256,split,model,width,method,distribution,optimizer,agent_prepass,gamma,alpha,objective,' +
        'sparsity,sparsity_actual,nonzeros,seed,complete,epoch,checkpoint,attack,attacks,norm,epsilon,steps,step_size,' +
        'restarts,attack_seed,preprocessing,n,clean_accuracy,clean_low,clean_high,robust_accuracy,robust_low,robust_high,forward_passes,input_gradients,' +
        'weight_gradients,train_seconds,flops,bytes,version',
    );
  });

  it('reads back what was written, numbers in full, absent ones as null', async () => {
    const rows: ResultRow[] = [
      resultRow({ run: 'a "quoted", name', epsilon: 8 / 255, robust_accuracy: 1 / 3 }),
      resultRow({ attack: 'union', steps: null, step_size: null, restarts: null, gamma: null, agent_prepass: '' }),
    ];
    expect(await parseResults(formatResults(rows))).to.deep.equal(rows);
  });

  it('of something else is refused by the column that is missing', async () => {
    let error: unknown;
    await parseResults('run,dataset\na,b\n').catch((e) => {
      error = e;
    });
    expect(error).to.be.instanceOf(InputError);
    expect(String(error)).to.contain('dataset_sha256');
  });
});

/** Robust accuracies by optimizer, one a seed. */
const grid = (robust: Readonly<Record<string, readonly number[]>>): ResultRow[] =>
  Object.entries(robust).flatMap(([optimizer, accuracies]) =>
    accuracies.map((robust_accuracy, seed) => resultRow({ optimizer, seed, robust_accuracy, clean_accuracy: 0.75 })),
  );

describe('summary.csv', () => {
  const HEADER =
    'group,dataset,dataset_sha256,model,width,method,distribution,optimizer,agent_prepass,objective,variant,sparsity,' +
    'attack,attacks,norm,epsilon,attack_seed,n,checkpoint,seeds,clean_accuracy_mean,clean_accuracy_std,' +
    'robust_accuracy_mean,robust_accuracy_std,nonzeros_mean,flops_mean,bytes_mean,train_seconds_mean,pairs,clean_difference,clean_difference_low,clean_difference_high,' +
    'robust_difference,robust_difference_low,robust_difference_high,clean_differences,robust_differences';

  it('has exactly the columns that readers rely on, in order', () => expect(formatSummary([]).trim()).to.equal(HEADER));

  const rowsOf = async (rows: readonly ResultRow[]) => parseCsv(formatSummary(summarize(rows)));

  it('gives means, sample deviations and the paired difference to SGD', async () => {
    const [sgd, agent] = await rowsOf(grid({ sgd: [0.5, 0.51, 0.49, 0.5], agent: [0.52, 0.55, 0.5, 0.54] }));
    expect(sgd).to.include({ group: 'mnist10k abc linf 0.1', seeds: '4', clean_accuracy_mean: '0.75', pairs: '' });
    expect(Number(sgd.robust_accuracy_std)).to.be.closeTo(0.00816, 1e-5);
    expect(agent).to.include({ clean_difference: '0', pairs: '4' });
    expect(agent.robust_differences).to.equal('0: 0.02, 1: 0.04, 2: 0.01, 3: 0.04');
    expect(Number(agent.robust_difference)).to.be.closeTo(0.0275, 1e-12);
    expect(Number(agent.robust_difference_low)).to.be.closeTo(0.0036316527, 1e-9);
    expect(Number(agent.robust_difference_high)).to.be.closeTo(0.0513683473, 1e-9);
  });

  it('pairs by seed, and gives differences of fewer than three pairs seed by seed alone', async () => {
    const rows = grid({ sgd: [0.5, 0.6], agent: [0.5, 0.65, 0.9] });
    const [, agent] = summarize(rows);
    expect(agent.rows.length).to.equal(3);
    expect(agent.differences).to.deep.include({ seeds: [0, 1] });
    const [, line] = await rowsOf(rows);
    expect(line).to.include({
      seeds: '3',
      pairs: '2',
      robust_difference: '',
      robust_difference_low: '',
      robust_difference_high: '',
      robust_differences: '0: 0, 1: 0.05',
    });
  });

  it('never averages over different settings, named in its columns or not', () => {
    const rows = [
      { width: 1 },
      { width: 2 },
      { group: 'mnist10k abc l2 0.1', norm: 'l2' },
      { dataset_sha256: 'other' },
      { n: 10 },
      { attacks: 'pgd-20-ce + square-5000' },
      { attack_seed: 1 },
    ].map(resultRow);
    expect(summarize(rows).map(({ rows: seeds }) => seeds.length)).to.deep.equal([1, 1, 1, 1, 1, 1, 1]);
  });

  it('leaves the deviation of a single seed empty', async () =>
    expect((await rowsOf([resultRow({})]))[0]).to.include({
      seeds: '1',
      clean_accuracy_mean: '0.8',
      clean_accuracy_std: '',
      robust_accuracy_std: '',
    }));
});

describe('the terminal table', () => {
  const cells = summarize(grid({ sgd: [0.5, 0.52], agent: [0.6, 0.62] }));

  const comparisonsIn = (rows: readonly ResultRow[]): Comparison[] =>
    summarize(rows)
      .filter(({ setting }) => setting.optimizer !== 'sgd')
      .map((cell) => ({
        cell,
        measure: 'robust',
        atEqualEpochs: cell.differences?.robust ?? null,
        atEqualGradients: null,
        cost: Number.NaN,
      }));

  it('shows per cent, mean ± deviation, and ε as a fraction where it is one', () => {
    const table = formatSummaryTable(summarize([resultRow({ epsilon: 8 / 255, sparsity: 0.95 })]));
    expect(table).to.match(/95 %\s+rigl\s+sgd\s+80.0 %\s+40.0 %/);
    expect(table.split('\n')[0]).to.equal(
      'objective at, checkpoint best, attack pgd-20-ce, ε 8/255, images 2000, seeds 1',
    );
  });

  it('has a column for what differs between rows, and says the rest once', () => {
    const rows = [resultRow({ epsilon: 0.1, n: 100 }), resultRow({ epsilon: 0.1, n: 2000, sparsity: 0 })];
    const [said, , header] = formatSummaryTable(summarize(rows)).split('\n');
    expect(said).to.equal('objective at, checkpoint best, attack pgd-20-ce, ε 0.1, seeds 1');
    expect(header.trim().split(/ {2,}/)).to.deep.equal([
      'sparsity',
      'method',
      'optimizer',
      'images',
      'clean',
      'robust',
    ]);
    expect(formatSummaryTable(cells)).to.contain('51.0 ± 1.4 %');
  });

  it('says a line per sparsity whether the difference can be told from chance, from three seeds on', () => {
    expect(formatDifferences(comparisonsIn(grid({ sgd: [0.5, 0.52, 0.5], agent: [0.7, 0.7201, 0.7] })))).to.deep.equal([
      '90 %  AGENT − SGD: +20.0 points [+20.0, +20.0], 3 seeds: distinguishable',
    ]);
    expect(formatDifferences(comparisonsIn(grid({ sgd: [0.5, 0.52], agent: [0.7, 0.7201] })))).to.deep.equal([
      '90 %  AGENT − SGD: +20.0 and +20.0 points, 2 seeds, seed by seed: not enough seeds for a verdict',
    ]);
    const [line] = formatDifferences(comparisonsIn(grid({ sgd: [0.5, 0.52, 0.5], agent: [0.6, 0.52, 0.5] })));
    expect(line).to.equal('90 %  AGENT − SGD: +3.3 points [−11.0, +17.7], 3 seeds: not distinguishable');
  });

  it('names the pre-pass and the method where there are several', () => {
    const rows = ['rigl', 'set'].flatMap((method) => [
      resultRow({ method }),
      ...['published', 'matched'].map((agent_prepass) => resultRow({ method, optimizer: 'agent', agent_prepass })),
    ]);
    expect(formatDifferences(comparisonsIn(rows)).map((line) => line.split(' − ')[0])).to.deep.equal([
      '90 %  AGENT, published, rigl',
      '90 %  AGENT, matched, rigl',
      '90 %  AGENT, published, set',
      '90 %  AGENT, matched, set',
    ]);
  });

  it('aligns its columns', () =>
    expect(
      formatTable(
        ['name', 'n'],
        [
          ['a', '10'],
          ['long name', '9'],
        ],
      ),
    ).to.equal('name        n\n─────────  ──\na          10\nlong name   9'));

  it('aligns them by the places that characters take on a screen', () =>
    expect(
      formatTable(
        ['class', 'images'],
        [
          ['犬と猫', '7'],
          ['cafe\u0301', '12'],
        ],
      ),
    ).to.equal('class   images\n──────  ──────\n犬と猫       7\ncafe\u0301        12'));
});

describe('epochs to accuracy', () => {
  const run = (optimizer: string, seed: number, curve: readonly (number | null)[]): CostedRun => ({
    run: `${optimizer}-${seed}`,
    dataset: 'mnist10k',
    datasetSha256: 'abc',
    norm: 'linf',
    epsilon: 0.1,
    measure: 'validation_robust_accuracy',
    model: 'cnn',
    width: 1,
    method: 'rigl',
    distribution: 'erk',
    optimizer,
    agentPrepass: '',
    objective: 'at',
    sparsity: 0.9,
    seed,
    epochs: curve.map(
      (score, i): EpochCost => ({
        epoch: i + 1,
        score,
        forwardPasses: 10 * (i + 1),
        inputGradients: 7 * (i + 1),
        weightGradients: 2 * (i + 1),
        seconds: i + 1,
      }),
    ),
  });
  const compared = epochsToAccuracy([
    run('sgd', 0, [0.1, 0.3, 0.4, 0.5]),
    run('sgd', 1, [0.2, 0.4, 0.4, 0.3]),
    run('agent', 0, [0.4, 0.1, 0.4, 0.5]),
    run('agent', 1, [0.1, 0.2, null, 0.6]),
  ]);

  it('aims at the mean of what the baseline ends with', () => {
    for (const { target } of compared) expect(target).to.be.closeTo(0.4, 1e-12);
  });

  it('takes the first of two consecutive epochs, and one epoch above is not enough', () => {
    expect(compared.map(({ reached, at }) => [reached, at.epoch])).to.deep.equal([
      [true, 3],
      [true, 2],
      [true, 3],
      [false, 4],
    ]);
  });

  it('lists a run that never gets there with its whole budget', () =>
    expect(formatEpochsToAccuracy(compared).trim().split('\n')[4]).to.equal(
      'agent-1,mnist10k abc linf 0.1,mnist10k,cnn,1,rigl,erk,agent,,at,0.9,1,robust,0.4,false,4,40,28,8,4',
    ));

  it('leaves out a setting without a baseline', () => expect(epochsToAccuracy([run('agent', 0, [1, 1])])).to.be.empty);
});

it('a naturally trained run is compared by clean accuracy, any other by robust accuracy', () => {
  const [natural, defended] = [true, false].map((wanted) => {
    const record = sampleRuns().find(({ config }) => (config.objective === 'natural') === wanted) as RunRecord;
    return { record, scores: costedRun(record).epochs.map(({ score }) => score) };
  });
  expect(natural.scores).to.deep.equal(natural.record.metrics.map((row) => row.validation_clean_accuracy));
  expect(defended.scores).to.deep.equal(defended.record.metrics.map((row) => row.validation_robust_accuracy));
});

it('the columns of a row are those of the file', () =>
  expect(Object.keys(resultRow({}))).to.deep.equal([...RESULT_COLUMNS]));
