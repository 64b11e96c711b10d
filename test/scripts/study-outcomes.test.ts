import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { plannedRuns, type StudyRun } from '../../scripts/study/design.ts';
import { hasDiverged, knownFrom, outcomesOf, studyEpochs } from '../../scripts/study/outcomes.ts';
import { accuracyOf } from '../../src/evaluation/intervals.ts';
import { CLAIM, type Evaluation } from '../../src/evaluation/types.ts';
import { parseHistory } from '../../src/reporting/runs/run-history.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import { METRIC_COLUMNS, type MetricRow } from '../../src/training/run/metrics.ts';
import { runFolder } from '../../src/training/run/run-folder.ts';

const row = (values: Partial<MetricRow>): MetricRow =>
  ({ ...Object.fromEntries(METRIC_COLUMNS.map((column) => [column, null])), ...values }) as MetricRow;

const evaluation = (checkpoint: string, robust: number, images = 5000): Evaluation => {
  const attack = {
    norm: 'linf',
    epsilon: 8 / 255,
    steps: 20,
    stepSize: 0.004,
    restarts: 2,
    survived: '',
    forwardPasses: 1,
    inputGradients: 1,
  } as const;
  return {
    claim: CLAIM,
    target: {
      checkpoint,
      format: 'checkpoint',
      sha256: '',
      preprocessing: null,
      epoch: 1,
      step: 1,
      sparsity: 0.9,
      nonzeros: 1,
      flops: 1,
      bytes: 1,
    },
    dataset: { name: 'cifar10', sha256: '', official: false, classes: [] },
    split: 'test',
    seed: 0,
    clean: accuracyOf(images / 2, images),
    attacks: [
      { ...attack, attack: 'pgd-20x2-ce', robust: accuracyOf(robust * images, images) },
      // Someone else's, made later.
      { ...attack, attack: 'fab-100', robust: accuracyOf(0, images) },
      { ...attack, attack: 'union', robust: accuracyOf(0, images) },
    ],
    alarms: [],
    forwardPasses: 1,
    inputGradients: 1,
    backend: 'cpu',
    version: '0',
  };
};

/** A run's folder after `epochs` epochs, whose robust validation accuracy rises to 0.3 and falls again at the end. */
const recordOf = ({ name, config }: StudyRun, epochs: number, evaluated = false): RunRecord => ({
  name,
  folder: name,
  config,
  last: { epoch: epochs, datasetSha256: null },
  outdated: [],
  history: parseHistory(''),
  writer: null,
  metrics: Array.from({ length: epochs }, (_, i) =>
    row({
      epoch: i + 1,
      validation_robust_accuracy: i + 1 === config.epochs ? 0.2 : (0.3 * (i + 1)) / config.epochs,
      input_gradients: 80 * (i + 1),
      weight_gradients: 10 * (i + 1),
      seconds: i + 1,
      variance_ratio: i === 0 ? 0.8 : 0.9,
      c: 0.5,
    }),
  ),
  evaluations: evaluated ? [evaluation('best', 0.5, 100), evaluation('best', 0.25), evaluation('last', 0.24)] : [],
  certifications: [],
  corruptions: [],
});

describe('what the folders of the study tell', () => {
  const [first, second, third] = plannedRuns({ scores: new Map(), gradients: new Map() });

  it('is the best validation accuracy and the gradients of finished runs, and that others diverged', () => {
    const known = knownFrom([recordOf(first, 15), recordOf(second, 14), recordOf(third, 3)], new Set([third.name]));
    expect([...known.scores.keys()]).to.deep.equal([first.name, third.name]);
    expect(known.scores.get(first.name)).to.be.closeTo(0.28, 1e-12);
    expect(known.scores.get(third.name)).to.equal(-1);
    // Of an epoch, which one that diverged tells too.
    expect([...known.gradients]).to.deep.equal([
      [first.name, 90],
      [third.name, 90],
    ]);
  });

  it('is the accuracy of both checkpoints under the study’s own attack, once a run is trained and evaluated', () => {
    const primary = { ...first, part: 'primary', arm: 'published' } as const;
    const pair = (record: RunRecord, run: StudyRun = primary) => ({ run, record });
    expect(outcomesOf([pair(recordOf(primary, 15)), pair(recordOf(primary, 14, true))])).to.deep.equal([]);
    expect(outcomesOf([pair(recordOf(first, 15, true), first)])).to.deep.equal([]);
    const [outcome] = outcomesOf([pair(recordOf(primary, 15, true))]);
    expect(outcome).to.deep.include({
      arm: 'published',
      best: { clean: 0.5, robust: 0.25 },
      last: { clean: 0.5, robust: 0.24 },
      gradients: 1350,
      coefficient: 0.5,
    });
    expect(outcome.varianceRatios).to.deep.equal([0.8, ...Array.from({ length: 14 }, () => 0.9)]);
  });

  it('takes a run for diverged by its last event, and not where another error ended it', async () => {
    const out = await mkdtemp(join(tmpdir(), 'equipoise-'));
    const divergedAfter = async (...events: readonly object[]) => {
      await writeFile(runFolder(out).events, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
      return hasDiverged(out);
    };
    const failed = { kind: 'failed', epoch: 0, step: 3, message: 'The loss was NaN' };
    expect(await divergedAfter(failed)).to.equal(true);
    expect(await divergedAfter({ ...failed, cause: 'divergence' })).to.equal(true);
    expect(await divergedAfter({ ...failed, cause: 'error' })).to.equal(false);
    expect(await divergedAfter(failed, { kind: 'resume' })).to.equal(false);
    await rm(out, { recursive: true });
  });

  it('compares epochs to accuracy with X alone, not with what was trained longer', () => {
    const runs = (['plain', 'plain-as-matched'] as const).map((arm, i) => ({
      ...first,
      part: 'primary' as const,
      arm,
      name: `${arm}-${i}`,
    }));
    const longer = { ...runs[1], config: { ...runs[1].config, epochs: 20 } };
    const last = (record: RunRecord, value: number): RunRecord => ({
      ...record,
      metrics: [
        ...record.metrics.slice(0, -1),
        row({ epoch: record.config.epochs, validation_robust_accuracy: value }),
      ],
    });
    const epochs = studyEpochs([
      { run: runs[0], record: last(recordOf(runs[0], 15), 0.25) },
      { run: longer, record: last(recordOf(longer, 20), 0.9) },
    ]);
    expect(epochs.map(({ target }) => target)).to.deep.equal([0.25, 0.25]);
    expect(epochs.map(({ run }) => run.run)).to.deep.equal(['plain-0', 'plain-as-matched-1']);
  });
});
