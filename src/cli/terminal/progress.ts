// What a terminal shows of a training run and of an evaluation while they run: a bar, or lines where output is piped.

import type { EvaluationProgress, EvaluationStep } from '../../evaluation/measure/types.ts';
import type { TrainConfig } from '../../training/config/config.ts';
import type { MetricRow } from '../../training/run/metrics.ts';
import type { MaskChange } from '../../training/step.ts';
import type { TrainEvent } from '../../training/types.ts';
import { duration, percent } from './format.ts';
import { rateOf, showProgress } from './progress-bar.ts';
import type { Terminal } from './terminal.ts';

export interface TrainProgress {
  update(event: TrainEvent): void;
  /** Takes the bar off the screen. */
  stop(): void;
}

const NO_CHANGE: MaskChange = { dropped: 0, grown: 0 };

/**
 * Shows a run: a bar with rate, loss and time left on a terminal, plain lines elsewhere, and a line an epoch on both.
 *
 * @param title the line that is printed first, when the run has started
 */
export async function showTraining(config: TrainConfig, title: string, terminal: Terminal): Promise<TrainProgress> {
  const bar = await showProgress(terminal, rateOf('step'));
  const say = terminal.note;
  let accuracies = '';
  let masks = NO_CHANGE;

  const update = (event: TrainEvent) => {
    switch (event.kind) {
      case 'start':
        say(`${title}\n${startLine(event)}`);
        break;
      case 'resume':
        say(`${title}\nresuming after epoch ${event.epoch}, step ${event.step}`);
        bar.startAt(event.step);
        break;
      case 'prepass':
        bar.phase(`epoch ${event.epoch}/${config.epochs} pre-pass ${event.batch}/${event.batches}`);
        break;
      case 'step': {
        const total = config.epochs * event.batches;
        const loss = `loss ${event.meanLoss.toFixed(3)}`;
        bar.update(event.step, total, `epoch ${event.epoch}/${config.epochs}`, `${loss}${accuracies}`);
        break;
      }
      case 'validation':
        bar.phase(`epoch ${event.epoch}/${config.epochs} validation ${event.done}/${event.count}`);
        break;
      case 'epoch':
        accuracies = shortAccuracies(event.metrics);
        say(epochLine(event, config.epochs, masks));
        masks = NO_CHANGE;
        break;
      case 'mask-update':
        masks = { dropped: masks.dropped + event.dropped, grown: masks.grown + event.grown };
        break;
      case 'collapse':
        masks = NO_CHANGE;
        terminal.warn(event.message);
        break;
      case 'warning':
      case 'wait':
        terminal.warn(`warning: ${event.message}`);
        break;
      case 'guard':
      case 'prepass-start':
      case 'prepass-end':
      case 'checkpoint':
      case 'interrupted':
      case 'failed':
      case 'end':
        break;
      default:
        event satisfies never;
    }
  };
  return { update, stop: () => bar.stop() };
}

function startLine({
  trainImages,
  validationImages,
  batches,
  nonzeros,
  sparsity,
  backend,
}: TrainEvent & { kind: 'start' }): string {
  return `${trainImages} training images in ${batches} batches, ${validationImages} held out; ${nonzeros} kernel weights (${percent(sparsity)} sparse) on backend ${backend}`;
}

const shortAccuracies = (metrics: MetricRow): string =>
  metrics.validation_clean_accuracy === null
    ? ''
    : ` | validation ${percent(metrics.validation_clean_accuracy)} clean, ${percent(metrics.validation_robust_accuracy ?? 0)} robust`;

function epochLine(
  { epoch, metrics, best }: TrainEvent & { kind: 'epoch' },
  epochs: number,
  { dropped, grown }: MaskChange,
): string {
  const pair = (clean: number | null, robust: number | null) =>
    [clean === null ? '' : `${percent(clean)} clean`, robust === null ? '' : `${percent(robust)} robust`]
      .filter((part) => part !== '')
      .join(', ');
  const parts = [
    `epoch ${epoch}/${epochs}`,
    `loss ${metrics.train_loss?.toFixed(4) ?? '-'}`,
    `training ${pair(metrics.train_clean_accuracy, metrics.train_robust_accuracy)}`,
    ...(metrics.validation_clean_accuracy === null
      ? []
      : [`validation ${pair(metrics.validation_clean_accuracy, metrics.validation_robust_accuracy)}`]),
    ...(metrics.ema_validation_clean_accuracy === null
      ? []
      : [`averaged ${pair(metrics.ema_validation_clean_accuracy, metrics.ema_validation_robust_accuracy)}`]),
    ...(dropped + grown === 0 ? [] : [`masks −${dropped}${grown === 0 ? '' : ` +${grown}`} weights`]),
    ...(metrics.c === null ? [] : [`c ${metrics.c.toFixed(3)}`]),
    ...(metrics.seconds === null ? [] : [duration(metrics.seconds)]),
  ];
  return `${parts.join(' | ')}${best && metrics.validation_clean_accuracy !== null ? ' | best so far' : ''}`;
}

type OfCheckpoint<Event> = Event & { readonly checkpoint: string };

export interface EvaluationDisplay {
  update(progress: OfCheckpoint<EvaluationProgress>): void;
  step(step: OfCheckpoint<EvaluationStep>): void;
  /** Takes the bar off the screen. */
  stop(): void;
}

/** Shows an evaluation: a bar that counts the work that is left, step by step, on a terminal, plain lines elsewhere. */
export async function showEvaluation(terminal: Terminal): Promise<EvaluationDisplay> {
  const bar = await showProgress(terminal, rateOf('image'));
  let counted = '';
  let accuracies = '';
  return {
    update({ checkpoint, done, total, clean, robust }) {
      accuracies = `${percent(clean)} clean${robust === null ? '' : `, ${percent(robust)} robust`}`;
      // An attack tells its steps; between them the bar stays where the last one left it.
      if (checkpoint !== counted || done === total) bar.update(done, total, checkpoint, accuracies);
    },
    step({ checkpoint, attack, step, steps, left, done, total }) {
      if (checkpoint !== counted) {
        counted = checkpoint;
        bar.startAt(done);
      }
      const images = left === 1 ? '1 image left' : `${left} images left`;
      bar.update(done, total, `${checkpoint} ${attack}`, `${step}/${steps}, ${images}, ${accuracies}`);
    },
    stop: bar.stop,
  };
}
