// What goes on now: the runs that a process works on, with the time that is left, their curves by step and epoch, and a log.

import { duration, plural } from '../../core/quantities.ts';
import { type CurvePoint, curveChart } from '../page/charts.ts';
import { type Html, html } from '../page/html.ts';
import { chart, legend } from '../page/page-parts.ts';
import type { LogLine } from '../runs/run-history.ts';
import { isComplete, type RunRecord, trainingState } from '../runs/runs.ts';
import { percent } from '../tables/table.ts';

/** The largest number of runs that are drawn, and of lines of the log that are shown. */
const DRAWN = 6;
const LINES = 14;
/** Widths of a chart on a wide page and on a phone, by the class that shows one of them. */
const WIDTHS = { wide: 450, narrow: 270 };
/** The largest number of points of a curve by step. */
const POINTS = 400;

/** The progress of some runs, as a piece of a page. */
export async function livePanel(runs: readonly RunRecord[]): Promise<Html> {
  const active = runs.filter(({ writer }) => writer !== null);
  const done = runs.filter((run) => isComplete(run) && run.writer === null).length;
  const state = active.length === 0 ? 'nothing runs now' : `${plural(active.length, 'run')} in progress`;
  return html`<h1>What runs now</h1>
<p class="answer">${done} of ${plural(runs.length, 'run')} complete, ${state}.</p>
<p class="lost-note" role="status">The server does not answer; what stands here may be old.</p>
${await Promise.all(active.slice(0, DRAWN).map(showRun))}
${active.length > DRAWN ? html`<p class="muted">And ${plural(active.length - DRAWN, 'run')} more.</p>` : null}
${showLog(runs)}`;
}

/** How far the training of a run is. */
export interface RunProgress {
  /** The share that is done, from 0 to 1. */
  readonly share: number;
  /** Seconds to the end of training; null before a rate is known. */
  readonly secondsLeft: number | null;
}

/** Share and time left of a run's training, by the steps since it was last started; null before its first step. */
export function progressOf({ config, history }: Pick<RunRecord, 'config' | 'history'>): RunProgress | null {
  const { batches, position, since } = history;
  if (batches === null || position === null || since === null) return null;
  const total = config.epochs * batches;
  const seconds = (Date.parse(position.time) - Date.parse(since.time)) / 1000;
  const rate = (position.step - since.step) / seconds;
  return {
    share: Math.min(1, position.step / total),
    secondsLeft: rate > 0 && Number.isFinite(rate) ? (total - position.step) / rate : null,
  };
}

async function showRun(run: RunRecord): Promise<Html> {
  const progress = progressOf(run);
  const share = progress?.share ?? 0;
  const left = progress?.secondsLeft ?? null;
  const loss = run.history.steps.at(-1)?.loss;
  const facts = [
    trainingState(run),
    !isComplete(run) && left !== null && `${duration(left)} left`,
    loss !== undefined && `loss ${loss.toFixed(3)}`,
  ].filter(Boolean);
  const whole = Math.floor(100 * share);
  return html`<section class="card live-run"><h3>${run.name}</h3>
<div class="progress" role="progressbar" aria-label="Training of ${run.name}" aria-valuemin="0" aria-valuemax="100" aria-valuenow="${whole}"><span style="width:${whole}%"></span></div>
<p><b>${whole} %</b> ${facts.join(' · ')}</p>
${await Promise.all(
  Object.entries(WIDTHS).map(
    async ([size, width]) =>
      html`<div class="charts ${size}">${await stepCurve(run, width)}${await epochCurve(run, width)}</div>`,
  ),
)}</section>`;
}

const STEP = { name: 'loss', color: 'var(--agent)' };

async function stepCurve({ history, name }: RunRecord, width: number): Promise<Html | null> {
  const { steps } = history;
  const every = Math.ceil(steps.length / POINTS);
  const shown = steps.filter((_, i) => i % every === 0 || i === steps.length - 1);
  if (shown.length < 2) return null;
  const points = shown.map(
    ({ step, loss }): CurvePoint => ({
      series: STEP.name,
      group: 'mean',
      x: step,
      y: loss,
      title: `step ${step}: loss ${loss.toFixed(3)}`,
    }),
  );
  return chart(
    'Training loss by step',
    `Training loss of ${name} by step.`,
    curveChart(points, [STEP], { percent: false, over: 'step', width }),
  );
}

const ACCURACIES = [
  { name: 'robust', column: 'validation_robust_accuracy', color: 'var(--agent)' },
  { name: 'clean', column: 'validation_clean_accuracy', color: 'var(--undefended)' },
] as const;

async function epochCurve({ metrics, name, config }: RunRecord, width: number): Promise<Html | null> {
  const points = ACCURACIES.flatMap((accuracy) =>
    metrics.flatMap((row): CurvePoint[] => {
      const [x, y] = [row.epoch, row[accuracy.column]];
      if (x === null || y === null) return [];
      return [{ series: accuracy.name, group: 'mean', x, y, title: `epoch ${x}: ${percent(y)} % ${accuracy.name}` }];
    }),
  );
  if (new Set(points.map(({ x }) => x)).size < 2) return null;
  const drawn = await chart(
    'Validation accuracy by epoch',
    `Robust and clean validation accuracy of ${name} by epoch.`,
    curveChart(points, ACCURACIES, { percent: true, x: [1, config.epochs], y: [0, 1], width }),
  );
  return html`<div>${drawn}${legend(ACCURACIES)}</div>`;
}

/** The newest lines of all runs. */
function showLog(runs: readonly RunRecord[]): Html | null {
  const lines = runs
    .flatMap(({ name, history }) => history.log.map((line): LogLine & { name: string } => ({ ...line, name })))
    .sort((a, b) => (a.time < b.time ? 1 : -1))
    .slice(0, LINES);
  if (lines.length === 0) return null;
  return html`<h2 class="log-title">Log</h2>
<ol class="log">${lines.map(
    ({ time, name, text }) =>
      html`<li><time datetime="${time}">${new Date(time).toLocaleTimeString('en-GB')}</time> ${runs.length > 1 ? html`<b>${name}</b> ` : null}${text}</li>`,
  )}</ol>`;
}
