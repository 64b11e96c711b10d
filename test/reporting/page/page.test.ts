import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { decode } from 'fast-png';
import { writeCheckpoint } from '../../../src/checkpoints/checkpoint.ts';
import { InputError } from '../../../src/core/errors.ts';
import { checkpointIdentity } from '../../../src/evaluation/targets/target.ts';
import { seriesOf } from '../../../src/reporting/charts/series.ts';
import { html } from '../../../src/reporting/page/html.ts';
import { renderPage } from '../../../src/reporting/page/page.ts';
import { PAGE_SCRIPT } from '../../../src/reporting/page/page-script.ts';
import { pngBase64 } from '../../../src/reporting/pictures/png.ts';
import { writeReport } from '../../../src/reporting/report.ts';
import { collectReport, headlineCells, withGallery } from '../../../src/reporting/report-data.ts';
import { findRuns, foldersOfRuns, type RunRecord, readRuns } from '../../../src/reporting/runs/runs.ts';
import type { TrainConfig } from '../../../src/training/config/config.ts';
import { formatMetricRow, METRICS_HEADER } from '../../../src/training/run/metrics.ts';
import { runFolder } from '../../../src/training/run/run-folder.ts';
import { rejection } from '../../rejection.ts';
import { sampleGallery, sampleRuns } from '../sample.ts';

const runs = sampleRuns();

describe('the page', () => {
  let page: string;
  before(async () => {
    page = await renderPage(withGallery(collectReport(runs, 'A <title> & more'), sampleGallery()));
  });

  it('asks nothing of the network, and its policy lets no script run but its own', () => {
    const scripts = [...page.matchAll(/<script>([\s\S]*?)<\/script>/g)].map(([, text]) => text);
    expect(scripts).to.deep.equal([PAGE_SCRIPT]);
    const hash = createHash('sha256').update(PAGE_SCRIPT).digest('base64');
    const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]*)">/.exec(page) ?? [];
    expect(policy.replaceAll('&#39;', "'").split('; ')).to.deep.equal([
      "default-src 'none'",
      'img-src data:',
      "style-src 'unsafe-inline'",
      `script-src 'sha256-${hash}'`,
      "base-uri 'none'",
      "form-action 'none'",
    ]);
    expect(page.replace(PAGE_SCRIPT, '')).not.to.match(/<script(?!>)|<link|<iframe|@import|\son\w+="/i);
    const sources = [...page.matchAll(/\s(?:src|href|xlink:href|data)="([^"]*)"/g)].map(([, target]) => target);
    expect(sources.length).to.be.above(18);
    for (const source of sources) expect(source).to.match(/^(#|data:image\/png;base64,)/);
    expect(page.replaceAll('http://www.w3.org/', '')).not.to.match(/https?:\/\//);
    expect(page).not.to.match(/url\((?!#)/);
  });

  it('opens with accuracy and cost, then the leaderboard, and ends with where it comes from', () => {
    const ids = [...page.matchAll(/<h2 id="([\w-]+)"/g)].map(([, id]) => id);
    expect(ids).to.deep.equal([
      'accuracy',
      'leaderboard',
      'differences',
      'gallery',
      'epsilon',
      'learning',
      'epochs',
      'coefficient',
      'results',
      'alarms',
      'configuration',
      'sources',
    ]);
  });

  it('says of a run whose network collapsed that it returned, and how it was attacked from then on', async () => {
    const [first, ...others] = runs;
    // The last epoch's schedule attacks nothing.
    const steps = (epoch: number) => (epoch < 6 ? 1 : epoch === first.metrics.length ? 0 : 3);
    const metrics = first.metrics.map((row, i) => ({ ...row, collapses: i < 5 ? 0 : 2, attack_steps: steps(i + 1) }));
    const told = await renderPage(collectReport([{ ...first, metrics }, ...others], 'collapsed'));
    const sentence = `In ${first.name} the network collapsed (catastrophic overfitting), so training returned to an earlier epoch 2 times; from epoch 6 on its attack is stronger, in epoch ${first.metrics.length - 1} PGD with 3 steps.`;
    expect(told.split(sentence)).to.have.length(2);
    expect(page).not.to.include('catastrophic overfitting');
  });

  it('tells every chart and picture in words', () => {
    const charts = [...page.matchAll(/<svg class="plot" role="img" aria-label="([^"]*)"/g)].map(([, label]) => label);
    expect(charts.length).to.be.above(10);
    expect(charts[0]).to.match(
      /^Robust and clean accuracy against sparsity.*AGENT, 99 % sparse: \d+\.\d ± \d\.\d % robust/,
    );
    expect(page.match(/<img /g)?.length).to.equal(18);
    expect(page.match(/<img [^>]*alt="[^"]+/g)?.length).to.equal(18);
  });

  it('has no colour of its own in a chart: all follow the theme', () => {
    for (const [svg] of page.matchAll(/<svg class="plot"[\s\S]*?<\/svg>/g)) {
      const colors = [...svg.matchAll(/(?:fill|stroke)="([^"]*)"/g)].map(([, color]) => color);
      for (const color of colors) expect(color).to.match(/^(none|transparent|var\(--[\w-]+\))$/);
    }
  });

  it('escapes what comes from outside', () => {
    expect(page).to.contain('<title>A &lt;title&gt; &amp; more</title>');
    expect(page).to.contain('other logits &lt;twice&gt;');
  });

  it('says that the variance is blind to bias, where a pre-pass saw other examples than the steps', async () => {
    const blind = 'The ratio is blind to bias';
    expect(page).to.contain(blind);
    const natural = runs.map((run) => ({
      ...run,
      config: { ...run.config, objective: 'natural', augment: 'none' } as const,
    }));
    expect(await renderPage(collectReport(natural, 'T'))).not.to.contain(blind);
  });

  it('says what its figures do not compare with, that they are bounds, and which alarms were raised', () => {
    expect(page).to.contain('do not compare with published MNIST');
    expect(page).to.contain('upper bound');
    expect(page).to.contain('6 alarms raised');
    expect(page).to.contain('raised in 6 of 54');
  });

  it('shows the figures of the tables', () => {
    const data = collectReport(runs, 'T');
    const cell = headlineCells(data.groups[0]).find(
      ({ setting }) => setting.optimizer === 'agent' && setting.sparsity === 0.99,
    );
    expect(page).to.contain(`${((cell?.robust.mean ?? 0) * 100).toFixed(1)} ± `);
    expect(cell?.rows.length).to.equal(3);
    expect(data.groups[0].threat).to.deep.equal({ norm: 'linf', epsilon: 0.1 });
  });

  it('raises the alarm for robust overfitting, and names the run', async () => {
    const page = await renderPage(
      collectReport(
        runs.slice(3, 6).map((run, i) => ({
          ...run,
          metrics: run.metrics.map((row, epoch) => ({
            ...row,
            train_robust_accuracy: 0.3 + 0.05 * epoch,
            validation_robust_accuracy: i === 0 ? 0.5 - 0.03 * Math.abs(epoch - 3) : 0.3 + 0.02 * epoch,
          })),
        })),
        'T',
      ),
    );
    expect(page).to.contain('Robust overfitting in 1 run:');
    expect(page).to.contain('raised in 1 of 3');
    expect(page).to.match(
      new RegExp(`${runs[3].name}: Robust overfitting: robust accuracy on held-out images was 48\\.0 %`),
    );
  });

  it('says so where files are not the official ones', async () => {
    const unofficial = runs.slice(0, 1).map(
      (run): RunRecord => ({
        ...run,
        evaluations: run.evaluations.map((evaluation) => ({
          ...evaluation,
          dataset: { ...evaluation.dataset, name: 'cifar10', official: false },
        })),
      }),
    );
    const text = await renderPage(collectReport(unofficial, 'T'));
    expect(text).to.contain('cifar10 (unofficial)').and.to.contain('do not compare with published cifar10');
  });

  it('stands without evaluations, without epochs, and with a single run', async () => {
    const bare = runs.map((run) => ({ ...run, evaluations: [], metrics: [] }));
    expect(await renderPage(collectReport(bare, 'T'))).to.contain('None of these runs was evaluated yet');
    expect(await renderPage(collectReport(runs.slice(0, 1), 'T'))).to.contain(': one run, attacked');
  });
});

describe('the lines of a chart', () => {
  const setting = {
    method: 'rigl',
    optimizer: 'sgd',
    agent_prepass: '',
    objective: 'at',
    model: 'cnn',
    width: 1,
    variant: '',
  };

  it('are named by what tells them apart, and keep their colours', () => {
    const lines = seriesOf([
      { ...setting, objective: 'natural', method: 'dense' },
      setting,
      { ...setting, optimizer: 'agent', agent_prepass: 'published' },
      { ...setting, optimizer: 'agent', agent_prepass: 'matched' },
    ]);
    expect(lines.map(({ name }) => name)).to.deep.equal(['SGD', 'AGENT, published', 'AGENT, matched', 'undefended']);
    expect(new Set(lines.map(({ color }) => color)).size).to.equal(4);
  });

  it('begin at the dense net', () => {
    const dense = { ...setting, method: 'dense' };
    const lines = seriesOf([dense, setting, { ...setting, method: 'set' }]);
    expect(lines.map(({ name }) => name)).to.deep.equal(['SGD, rigl', 'SGD, set']);
    for (const line of lines) expect(line.matches(dense)).to.equal(true);
    expect(lines[0].matches({ ...setting, method: 'set' })).to.equal(false);
  });

  it('have the colour of the correction and the dashes of the method', () => {
    const lines = seriesOf(
      ['rigl', 'set'].flatMap((method) =>
        [
          { optimizer: 'sgd' },
          { optimizer: 'sgd', variant: 'epochs 22' },
          { optimizer: 'agent', agent_prepass: 'published' },
          { optimizer: 'agent', agent_prepass: 'matched' },
        ].map((own) => ({ ...setting, method, ...own })),
      ),
    );
    expect(lines).to.have.length(8);
    for (const { shortName, color, dash } of lines) {
      const same = lines.filter((line) => line.shortName === shortName);
      expect(same.map((line) => line.color)).to.deep.equal([color, color]);
      expect(new Set(same.map((line) => String(line.dash))).size).to.equal(2);
      expect(lines.filter((line) => line.color === color && line.dash === dash)).to.have.length(1);
    }
  });
});

describe('html', () => {
  it('escapes what is filled in, and not what is HTML already', () =>
    expect(html`<p title="${'"'}">${['<', html`<b>${1}</b>`, null, false]}</p>`.text).to.equal(
      '<p title="&quot;">&lt;<b>1</b></p>',
    ));
});

describe('a picture', () => {
  it('holds its pixels', () => {
    const picture = pngBase64((i) => [0, 0.5, 1, 2, -1, 0.2][i], [1, 2, 3]);
    const { width, height, channels, data } = decode(Buffer.from(picture, 'base64'));
    expect([width, height, channels]).to.deep.equal([2, 1, 3]);
    expect([...data]).to.deep.equal([0, 128, 255, 255, 0, 51]);
  });
});

describe('a report', () => {
  const withFolder = async (use: (folder: string) => Promise<void>): Promise<void> => {
    const folder = await mkdtemp(join(tmpdir(), 'equipoise-report-'));
    try {
      await use(folder);
    } finally {
      await rm(folder, { recursive: true });
    }
  };
  const writeLast = (path: string, config: TrainConfig, epoch: number): Promise<void> =>
    writeCheckpoint(path, {
      config: { ...config },
      model: { name: 'cnn', width: 1, inputShape: [28, 28, 1], classes: 10 },
      epoch,
      step: 10 * epoch,
      progress: { datasetSha256: 'abc' },
      params: {},
      state: {},
      optimizer: {},
      average: null,
      snapshot: null,
      meanGradient: {},
      explored: {},
      grownAt: {},
    });
  /** Writes three runs, whose evaluations are of the checkpoint that is written, and returns them. */
  const writeRuns = async (folder: string): Promise<RunRecord[]> => {
    const written: RunRecord[] = [];
    for (const run of runs.slice(0, 3)) {
      const { name, config, last, metrics } = run;
      const files = runFolder(join(folder, name));
      await mkdir(files.path);
      await writeFile(files.config, JSON.stringify(config));
      await writeFile(files.metrics, METRICS_HEADER + metrics.map(formatMetricRow).join(''));
      await writeLast(files.last, config, last?.epoch ?? 0);
      const { sha256 } = await checkpointIdentity(files.last);
      const evaluations = run.evaluations.map((evaluation) =>
        evaluation.target.checkpoint === 'last'
          ? { ...evaluation, target: { ...evaluation.target, sha256 } }
          : evaluation,
      );
      await writeFile(files.evaluation, JSON.stringify({ version: 1, evaluations }));
      written.push({ ...run, folder: files.path, evaluations });
    }
    return written;
  };

  it('of a folder of runs writes the CSVs and the page', () =>
    withFolder(async (folder) => {
      await writeRuns(folder);
      const { files, results } = await writeReport(folder, { gallery: false });
      // 3 runs, 2 checkpoints, 5 radii, 2 attacks and their union
      expect(results.length).to.equal(3 * 2 * 5 * 3);
      expect((await readFile(files.results, 'utf8')).trim().split('\n').length).to.equal(91);
      const best = results.find(
        ({ run, checkpoint, attack }) => run === runs[0].name && checkpoint === 'best' && attack === 'union',
      );
      expect(best).to.include({ epoch: 9, forward_passes: 81000, weight_gradients: 9000, n: 400 });
      expect(best?.train_seconds).to.be.closeTo(27.9, 1e-9);
      for (const file of [files.page, files.summary, files.epochsToAccuracy]) {
        expect((await readFile(file, 'utf8')).length).to.be.above(100);
      }
    }));

  it('reads back the runs that were written', () =>
    withFolder(async (folder) => {
      const written = await writeRuns(folder);
      const read = await readRuns(folder);
      expect(read).to.deep.equal(written.sort((a, b) => (a.name < b.name ? -1 : 1)));
      expect((await readRuns(join(folder, runs[0].name))).length).to.equal(1);
    }));

  it('leaves out a run of another version, names it, and refuses a folder of such runs alone', () =>
    withFolder(async (folder) => {
      await writeRuns(folder);
      const other = join(folder, 'another', 'config.json');
      await mkdir(join(folder, 'another'));
      await writeFile(other, JSON.stringify({ ...runs[0].config, version: 99 }));
      const warnings: string[] = [];
      const { files, leftOut } = await writeReport(folder, { gallery: false, warn: (line) => warnings.push(line) });
      expect(leftOut.map(({ run }) => run)).to.deep.equal(['another']);
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.match(/leave out another: its config\.json is of version 99, expected \d/);
      expect(await readFile(files.page, 'utf8')).to.contain('id="left-out"');
      for (const { name } of runs.slice(0, 3)) await rm(join(folder, name), { recursive: true });
      expect(String(await rejection(writeReport(folder)))).to.match(
        /no run that can be read here\. Of another: its config\.json is of version 99/,
      );
    }));

  it('names a folder of runs beside the runs, and leaves it out', () =>
    withFolder(async (folder) => {
      await writeRuns(folder);
      await mkdir(join(folder, 'sweep'));
      await rename(join(folder, runs[0].name), join(folder, 'sweep', runs[0].name));
      const { leftOut } = await findRuns(folder);
      expect(leftOut.map(({ run }) => run)).to.deep.equal(['sweep']);
      expect(leftOut[0].reason).to.contain('a folder of runs');
      for (const { name } of runs.slice(1, 3)) await rm(join(folder, name), { recursive: true });
      expect(String(await rejection(writeReport(folder)))).to.match(/Of sweep: it is a folder of runs/);
    }));

  it('names a damaged file and its field, and writes nothing', () =>
    withFolder(async (folder) => {
      await writeRuns(folder);
      const { metrics, evaluation } = runFolder(join(folder, runs[1].name));
      const whole = await readFile(evaluation, 'utf8');
      await writeFile(evaluation, whole.replace('"n":400', '"n":40'));
      expect(String(await rejection(writeReport(folder)))).to.contain(
        `${evaluation} cannot be read as evaluations: evalu`,
      );
      await writeFile(evaluation, whole);
      await writeFile(metrics, (await readFile(metrics, 'utf8')).replace('\n2,', '\n1,'));
      expect(String(await rejection(writeReport(folder)))).to.contain(
        `${metrics}, line 3, column epoch: expected epoch 2`,
      );
      expect(await readdir(folder)).to.have.length(3);
    }));

  it('without a run is refused, and writes nothing', () =>
    withFolder(async (folder) => {
      for (const path of [folder, join(folder, 'missing')]) {
        let error: unknown;
        await writeReport(path).catch((e) => {
          error = e;
        });
        expect(error).to.be.instanceOf(InputError);
        expect(String(error)).to.match(/holds no run|There is no folder/);
      }
    }));

  it('of a folder that cannot be read is refused with the reason', () =>
    withFolder(async (folder) => {
      const loop = join(folder, 'loop');
      await symlink(loop, loop);
      for (const refused of [writeReport(loop), foldersOfRuns(loop)]) {
        expect(String(await rejection(refused))).to.match(/loop.* cannot be read: its links lead round/);
      }
    }));

  it('says that the gallery is missing, and why, when a net cannot be loaded', () =>
    withFolder(async (folder) => {
      await writeRuns(folder);
      const warnings: string[] = [];
      const { files } = await writeReport(folder, { warn: (message) => warnings.push(message) });
      expect(warnings.length).to.equal(1);
      expect(warnings[0]).to.contain('no gallery');
      expect(await readFile(files.page, 'utf8')).not.to.contain('id="gallery"');
    }));
});
