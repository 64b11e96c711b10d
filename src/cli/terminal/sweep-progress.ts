// What a terminal shows of a sweep: a bar for all runs and one for each run under way, and a line of results for each run
// that ends. Where output is piped, a line now and then takes the place of the bars.

import { plural } from '../../core/quantities.ts';
import type { Job } from '../../sweeps/grid.ts';
import type { CheckpointResult, JobEvent } from '../../sweeps/job.ts';
import { warningOf } from '../../sweeps/job.ts';
import type { JobStatus, SweepEvent } from '../../sweeps/sweep.ts';
import type { MetricRow } from '../../training/run/metrics.ts';
import { duration, percent } from './format.ts';
import { barLine, type ProgressParts, pipedLine } from './progress-bar.ts';
import type { Terminal } from './terminal.ts';

/** A warning that a run had. */
export interface RunWarning {
  readonly run: string;
  readonly message: string;
}

export interface SweepProgress {
  update(event: SweepEvent): void;
  /** Takes the bars off the screen. */
  stop(): void;
  /** All warnings so far. */
  warnings(): readonly RunWarning[];
}

/** How far a run under way is. */
interface RunState {
  /** Its place and name, and its place alone for narrow screens. */
  readonly label: string;
  readonly place: string;
  readonly startedAt: number;
  readonly phase: string;
  /** Share of the phase, from 0 to 1. */
  readonly share: number;
  readonly figures: string;
  /** What its results are, as far as they are known. */
  readonly results: string;
}

const DRAW_EVERY_MS = 100;
/** Piped output gets the state of the runs under way at most this often. */
const LINES_EVERY_MS = 30_000;

/** How a sweep is shown. */
export interface SweepView {
  readonly workers: number;
  /** True if runs are evaluated after training. */
  readonly evaluated: boolean;
  /** Milliseconds on a clock; default: that of the system. */
  readonly now?: () => number;
}

/** Shows the runs of a sweep. */
export async function showSweep(
  jobs: readonly Job[],
  { workers, evaluated, now = Date.now }: SweepView,
  { screen, note, warn, noteStyle }: Terminal,
): Promise<SweepProgress> {
  await screen?.start();
  const running = new Map<number, RunState>();
  const took: number[] = [];
  /** The runs that have a warning, by its text. The first is named at once, the others at the end. */
  const warned = new Map<string, Set<string>>();
  let missing = jobs.length;
  let ended = 0;
  let shownAt = screen === null ? now() : Number.NEGATIVE_INFINITY;
  const place = (position: number) => `[${position + 1}/${jobs.length}]`;
  const label = ({ position, job }: { readonly position: number; readonly job: Job }) =>
    `${place(position)} ${job.name}`;

  const warnOnce = (event: { readonly position: number; readonly job: Job }, message: string) => {
    const runs = warned.get(message);
    if (runs !== undefined) {
      runs.add(event.job.name);
      return;
    }
    warned.set(message, new Set([event.job.name]));
    warn(`${label(event)}: ${noteStyle('warning', 'warning:')} ${message}`);
  };
  const show = () => {
    const time = now();
    if (time - shownAt < (screen === null ? LINES_EVERY_MS : DRAW_EVERY_MS)) return;
    shownAt = time;
    const states = [...running.values()];
    const whole = wholeSweep({ ended, missing, workers, took, states, evaluated });
    if (screen === null) for (const parts of [whole, ...states.map(partsOf)]) note(pipedLine(parts));
    else {
      const lines = [barLine(whole, screen.columns), ...states.map((state) => runLine(state, screen.columns))];
      screen.draw(lines.slice(0, Math.max(1, screen.rows - 1)).join('\n'));
    }
  };
  const update = (event: SweepEvent) => {
    switch (event.kind) {
      case 'start':
        missing = event.missing;
        note(`${plural(jobs.length, 'run')}, ${jobs.length - missing} done before`);
        return;
      case 'job-start':
        if (screen === null) note(label(event));
        running.set(event.position, {
          label: label(event).replace(/-[0-9a-f]{8}$/, ''),
          place: place(event.position),
          startedAt: now(),
          phase: 'starting',
          share: 0,
          figures: '',
          results: '',
        });
        break;
      case 'job-event': {
        const warning = warningOf(event.event);
        const state = running.get(event.position);
        if (warning !== null) warnOnce(event, warning);
        else if (state !== undefined) running.set(event.position, { ...state, ...changeOf(event.event, event.job) });
        break;
      }
      case 'job-end': {
        const state = running.get(event.position);
        const seconds = (now() - (state?.startedAt ?? now())) / 1000;
        running.delete(event.position);
        ended += 1;
        if (event.status.kind === 'done') took.push(seconds);
        const style = event.status.kind === 'done' ? 'good' : event.status.kind === 'failed' ? 'bad' : 'warning';
        const [what, more] = endOf(event.status, state?.results ?? '', seconds);
        const tell = event.status.kind === 'failed' ? warn : note;
        tell(`${label(event)}: ${noteStyle(style, what)}${more}`);
        // A bar of a run that has ended would be wrong, so this is drawn at once.
        shownAt = screen === null ? shownAt : Number.NEGATIVE_INFINITY;
        break;
      }
      default:
        event satisfies never;
    }
    show();
  };
  const stop = () => {
    for (const [message, runs] of warned) {
      const others = [...runs].slice(1);
      if (others.length > 0) warn(`${others.join(', ')}: ${noteStyle('warning', 'warning')}, as before: ${message}`);
    }
    screen?.clear();
  };
  const warnings = () => [...warned].flatMap(([message, runs]) => [...runs].map((run) => ({ run, message })));
  return { update, stop, warnings };
}

/** The words for a run that has ended: one word, and the text after it. */
function endOf(status: JobStatus, results: string, seconds: number): readonly [string, string] {
  switch (status.kind) {
    case 'done':
      return ['done', ` in ${duration(seconds)}${results === '' ? '' : `, ${results}`}`];
    case 'failed':
      return ['failed', `: ${status.message}`];
    case 'interrupted':
      return ['interrupted', ''];
    default:
      throw status satisfies never;
  }
}

interface Whole {
  readonly ended: number;
  readonly missing: number;
  readonly workers: number;
  /** Seconds that the runs took that are done. */
  readonly took: readonly number[];
  readonly states: readonly RunState[];
  readonly evaluated: boolean;
}

/** The bar of all runs. The time of a run, and what is left, are known from the first run that is done. */
export function wholeSweep({ ended, missing, workers, took, states, evaluated }: Whole): ProgressParts {
  const done = ended + states.reduce((sum, state) => sum + shareOfRun(state, evaluated), 0);
  const each = took.length === 0 ? null : took.reduce((sum, seconds) => sum + seconds, 0) / took.length;
  return {
    phase: `${ended}/${missing} runs`,
    share: missing === 0 ? 1 : Math.min(1, done / missing),
    rate: each === null ? '' : `${duration(each)} a run`,
    left:
      each === null
        ? ''
        : `${duration((each * (missing - done)) / Math.max(1, Math.min(workers, missing - ended)))} left`,
    figures: '',
  };
}

/** Share of a run that is done; training and evaluation count as halves, as nobody knows which takes longer. */
function shareOfRun({ phase, share }: Pick<RunState, 'phase' | 'share'>, evaluated: boolean): number {
  if (!evaluated) return share;
  return phase.startsWith(EVALUATING) ? 0.5 + share / 2 : share / 2;
}

const EVALUATING = 'evaluating';

const partsOf = ({ label, phase, share, figures }: RunState): ProgressParts => ({
  phase: `${label} ${phase}`,
  share,
  rate: '',
  left: '',
  figures,
});

/** The bar of one run, with its name if that leaves room for a bar. */
export function runLine(state: RunState, columns: number): string {
  const named = barLine(partsOf(state), columns);
  return /[█░]/.test(named) ? named : barLine(partsOf({ ...state, label: state.place }), columns);
}

/** What an event changes of a run's state. */
export function changeOf(event: JobEvent, { config }: Job): Partial<RunState> {
  switch (event.kind) {
    case 'warning':
      return {};
    case 'train':
      return trainingChange(event.event, config.epochs);
    case 'evaluate': {
      const { checkpoint, done, total, clean, robust } = event.progress;
      const accuracies = accuraciesOf(clean, robust);
      // The steps of an attack move the bar; between them it stays where the last one left it.
      return { phase: `${EVALUATING} ${checkpoint}`, figures: accuracies, ...(done === total ? { share: 1 } : {}) };
    }
    case 'evaluate-step': {
      const { checkpoint, attack, done, total } = event.step;
      return { phase: `${EVALUATING} ${checkpoint} ${attack}`, share: done / total };
    }
    case 'evaluated':
      return { results: event.results.slice(0, 1).map(resultText).join('') };
    default:
      throw event satisfies never;
  }
}

function trainingChange(event: (JobEvent & { kind: 'train' })['event'], epochs: number): Partial<RunState> {
  switch (event.kind) {
    case 'step':
      return {
        phase: `epoch ${event.epoch}/${epochs}`,
        share: (event.epoch - 1 + event.batch / event.batches) / epochs,
        figures: `loss ${event.meanLoss.toFixed(3)}`,
      };
    case 'prepass':
      return { phase: `epoch ${event.epoch}/${epochs} pre-pass` };
    case 'validation':
      return { phase: `epoch ${event.epoch}/${epochs} validation` };
    case 'epoch':
      return { share: event.epoch / epochs, results: validationText(event.metrics) };
    default:
      return {};
  }
}

const accuraciesOf = (clean: number, robust: number | null): string =>
  `${percent(clean)} clean${robust === null ? '' : `, ${percent(robust)} robust`}`;

const resultText = ({ checkpoint, clean, robust }: CheckpointResult): string =>
  `${checkpoint}: ${accuraciesOf(clean, robust)}`;

/** The accuracies on held-out images, which stand for the results of a run that is not evaluated. */
const validationText = ({ validation_clean_accuracy: clean, validation_robust_accuracy: robust }: MetricRow): string =>
  clean === null ? '' : `validation: ${accuraciesOf(clean, robust)}`;
