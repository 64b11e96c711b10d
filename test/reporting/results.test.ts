import { expect } from 'chai';
import { InputError } from '../../src/core/errors.ts';
import {
  type CostedRun,
  type EpochCost,
  epochsToAccuracy,
  formatEpochsToAccuracy,
} from '../../src/reporting/epochs-to-accuracy.ts';
import { formatResults, parseResults, RESULT_COLUMNS, type ResultRow } from '../../src/reporting/results.ts';
import { formatSummary, summarize } from '../../src/reporting/summary.ts';
import { formatDifferences, formatSummaryTable, formatTable } from '../../src/reporting/table.ts';
import { resultRow } from './sample.ts';

describe('results.csv', () => {
  it('has exactly the columns that readers rely on, in order', () => {
    expect(formatResults([]).trim()).to.equal(
      'run,dataset,dataset_sha256,split,model,width,method,distribution,optimizer,agent_prepass,gamma,alpha,objective,' +
        'sparsity,sparsity_actual,nonzeros,seed,epoch,checkpoint,attack,norm,epsilon,steps,step_size,restarts,attack_seed,' +
        'n,clean_accuracy,clean_low,clean_high,robust_accuracy,robust_low,robust_high,forward_passes,input_gradients,' +
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
    'dataset,model,method,optimizer,objective,sparsity,attack,epsilon,checkpoint,seeds,clean_accuracy_mean,' +
    'clean_accuracy_std,robust_accuracy_mean,robust_accuracy_std,clean_difference,clean_difference_low,' +
    'clean_difference_high,robust_difference,robust_difference_low,robust_difference_high';

  it('has exactly the columns that readers rely on, in order', () => expect(formatSummary([]).trim()).to.equal(HEADER));

  it('gives means, sample deviations and the paired difference to SGD', () => {
    const cells = summarize(grid({ sgd: [0.5, 0.51, 0.49, 0.5], agent: [0.52, 0.55, 0.5, 0.54] }));
    const [, sgd, agent] = formatSummary(cells).split('\n');
    expect(sgd).to.match(/^mnist10k,cnn,rigl,sgd,at,0.9,pgd-20-ce,0.1,best,4,0.75,0,0.5,0.00816\d*,,,,,,$/);
    const numbers = agent.split(',').slice(-6).map(Number);
    expect(numbers.slice(0, 3)).to.deep.equal([0, 0, 0]);
    expect(numbers[3]).to.be.closeTo(0.0275, 1e-12);
    expect(numbers[4]).to.be.closeTo(0.0036316527, 1e-9);
    expect(numbers[5]).to.be.closeTo(0.0513683473, 1e-9);
  });

  it('pairs by seed, and leaves out differences of fewer than three pairs', () => {
    const rows = grid({ sgd: [0.5, 0.6], agent: [0.5, 0.6, 0.9] });
    const [, agent] = summarize(rows);
    expect(agent.rows.length).to.equal(3);
    expect(agent.robustDifference).to.include({ n: 2, mean: 0 });
    expect(formatSummary(summarize(rows)).split('\n')[2]).to.match(/,,,,,,$/);
  });

  it('never averages over different settings, named in its columns or not', () => {
    const rows = [{ width: 1 }, { width: 2 }, { norm: 'l2' }, { dataset_sha256: 'other' }, { n: 10 }].map(resultRow);
    expect(summarize(rows).map(({ rows: seeds }) => seeds.length)).to.deep.equal([1, 1, 1, 1, 1]);
  });

  it('leaves the deviation of a single seed empty', () =>
    expect(formatSummary(summarize([resultRow({})])).split('\n')[1]).to.match(/,1,0.8,,0.4,,,,,,,$/));
});

describe('the terminal table', () => {
  const cells = summarize(grid({ sgd: [0.5, 0.52], agent: [0.6, 0.62] }));

  it('shows per cent, mean ± deviation, and ε as a fraction where it is one', () => {
    const table = formatSummaryTable(summarize([resultRow({ epsilon: 8 / 255, sparsity: 0.95 })]));
    expect(table).to.match(/95 %\s+rigl\s+sgd\s+at\s+best\s+pgd-20-ce\s+8\/255\s+1\s+80.0 %\s+40.0 %/);
    expect(formatSummaryTable(cells)).to.contain('51.0 ± 1.4 %');
  });

  it('says a line per sparsity whether the difference can be told from chance', () => {
    expect(formatDifferences(summarize(grid({ sgd: [0.5, 0.52], agent: [0.7, 0.7201] })))).to.deep.equal([
      '90 %  AGENT − SGD: +20.0 points [+19.9, +20.1], 2 seeds: distinguishable',
    ]);
    expect(formatDifferences(cells)).to.deep.equal([
      '90 %  AGENT − SGD: +10.0 points [+10.0, +10.0], 2 seeds: not distinguishable',
    ]);
    const [line] = formatDifferences(summarize(grid({ sgd: [0.5, 0.52], agent: [0.6, 0.52] })));
    expect(line).to.equal('90 %  AGENT − SGD: +5.0 points [−58.5, +68.5], 2 seeds: not distinguishable');
  });

  it('names the pre-pass and the method where there are several', () => {
    const rows = ['rigl', 'set'].flatMap((method) => [
      resultRow({ method }),
      ...['published', 'matched'].map((agent_prepass) => resultRow({ method, optimizer: 'agent', agent_prepass })),
    ]);
    expect(formatDifferences(summarize(rows)).map((line) => line.split(' − ')[0])).to.deep.equal([
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
});

describe('epochs to accuracy', () => {
  const run = (optimizer: string, seed: number, curve: readonly (number | null)[]): CostedRun => ({
    run: `${optimizer}-${seed}`,
    dataset: 'mnist10k',
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
      (robustValidation, i): EpochCost => ({
        epoch: i + 1,
        robustValidation,
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
      'agent-1,mnist10k,cnn,1,rigl,erk,agent,,at,0.9,1,0.4,false,4,40,28,8,4',
    ));

  it('leaves out a setting without a baseline', () => expect(epochsToAccuracy([run('agent', 0, [1, 1])])).to.be.empty);
});

it('the columns of a row are those of the file', () =>
  expect(Object.keys(resultRow({}))).to.deep.equal([...RESULT_COLUMNS]));
