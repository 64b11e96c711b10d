// Training of one run in its folder, from its start or its last checkpoint to its end.
import * as tf from '@tensorflow/tfjs-core';
import { hasCheckpoint, readCheckpoint, writeCheckpoint } from '../checkpoints/checkpoint.ts';
import { appendLines, previousOf, removeFile } from '../checkpoints/files/atomic-file.ts';
import { readIfThere } from '../checkpoints/files/read-if-there.ts';
import { restoreCheckpoint } from '../checkpoints/safetensors/stored.ts';
import { messageOf, UsageError } from '../core/errors.ts';
import { countWeights, sparsityOf, trainables } from '../core/params.ts';
import { type Guard, withLock } from '../files/lock.ts';
import { currentBackend } from '../ops/current-backend.ts';
import { updatesAfter } from '../sparsity/schedules.ts';
import { type GradientMemory, gradientMemory } from './agent/memory.ts';
import { remembers } from './config/conditions.ts';
import { configHash, isSameTraining, type TrainConfig } from './config/config.ts';
import { type EpochContext, trainEpoch } from './epoch.ts';
import { DivergenceError, Interrupted } from './errors.ts';
import { dropSafe, goBack, keepSafe } from './guard/go-back.ts';
import { isLow } from './guard/rule.ts';
import { thisMachine } from './machine.ts';
import { candidateOf, isBest, type WeightsKind } from './run/best-epoch.ts';
import { eventLog, type Report } from './run/event-log.ts';
import { formatMetricRow, type MetricRow, parseMetrics } from './run/metrics.ts';
import { overfittingWarning } from './run/overfitting-warning.ts';
import {
  BEST_CHECKPOINT,
  clearRemains,
  createRunFolder,
  cutBack,
  cutMetrics,
  EMA_CHECKPOINT,
  inspectRunFolder,
  LAST_CHECKPOINT,
  lostEpochs,
  mixedRun,
  type RunFolder,
  readInputs,
  recordConfig,
  removeMemory,
  runFolder,
} from './run/run-folder.ts';
import { startWarnings } from './run/start-warnings.ts';
import { type Stopwatch, stopwatch } from './run/stopwatch.ts';
import {
  averagedNetwork,
  disposeTrainState,
  fromCheckpoint,
  startState,
  type TrainState,
  toAveragedCheckpoint,
  toCheckpoint,
} from './state.ts';
import { openTask, type Task, type TaskFiles } from './task.ts';
import type { RunSummary, TrainRunOptions } from './types.ts';

/** A run under way. */
interface Run {
  readonly task: Task;
  readonly folder: RunFolder;
  /** The check that this process still holds the folder's lock. */
  readonly guard: Guard;
  readonly state: TrainState;
  readonly watch: Stopwatch;
  readonly report: Report;
  readonly memory: GradientMemory | null;
  last: MetricRow | null;
}

/** A run before its memory is opened. */
type Begun = Omit<Run, 'memory'>;

/**
 * Trains what `config` says, on the current backend of TensorFlow.js, into the folder `out`: config.json, metrics.csv,
 * events.jsonl and checkpoints/. Stopped anywhere and resumed, a run ends as one never stopped, bit for bit on a backend
 * that is deterministic.
 *
 * @throws UsageError if `out` holds a run that is not resumed or is of another configuration; InputError for missing data
 * or a model that does not fit; DivergenceError if the loss or the weights are no longer finite, with the likely cause
 */
export async function train(config: TrainConfig, options: TrainRunOptions): Promise<RunSummary> {
  const { out, onProgress, resume = false, nameOf, lockTimes, signal } = options;
  const folder = runFolder(out);
  await inspectRunFolder(folder, config, { resume, nameOf });
  const files = { ...(await readInputs(folder)), ...given(options) };
  const task = await openTask(config, files);
  const onWait = (message: string) => onProgress?.({ kind: 'wait', epoch: 0, step: 0, message });
  return withLock(folder.lock, { ...lockTimes, onWait, signal }, async (guard) => {
    // Another process may have trained here since the first look.
    const { checkpointed } = await inspectRunFolder(folder, config, { resume, nameOf });
    await clearRemains(folder, guard);
    const report = eventLog(folder.events, guard, onProgress);
    const memory = remembers(task.config)
      ? gradientMemory(task, { memory: options.cacheMemory, folder: folder.memory, guard })
      : null;
    const here = { task, folder, guard, report };
    const begun = checkpointed ? await resumeRun(here) : await startRun(here, files);
    const run = { ...begun, memory };
    try {
      return await runToEnd(run, options);
    } finally {
      await run.memory?.close();
      disposeTrainState(run.state);
    }
  });
}

/** The folder and the task of a run whose state is not loaded yet. */
type Place = Pick<Run, 'task' | 'folder' | 'guard' | 'report'>;

const given = ({ dataDirectory, from, extraImages }: TaskFiles): TaskFiles => ({
  ...(dataDirectory !== undefined && { dataDirectory }),
  ...(from !== undefined && { from }),
  ...(extraImages !== undefined && { extraImages }),
});

async function startRun(place: Place, files: TaskFiles): Promise<Begun> {
  const { task, folder, guard, report } = place;
  const state = await startState(task);
  const lost = await lostEpochs(folder);
  await createRunFolder(folder, task.config, files, guard);
  await report({
    kind: 'start',
    epoch: 0,
    step: 0,
    job: configHash(task.config),
    config: task.config,
    backend: currentBackend(),
    trainImages: task.indices.train.length,
    validationImages: task.indices.validation.length,
    batches: task.batchesPerEpoch,
    sparsity: sparsityOf(state.params),
    nonzeros: countWeights(state.params).nonzeros,
    machine: thisMachine(),
  });
  const lostWarnings =
    lost === 0
      ? []
      : [
          `${folder.last} is missing, though metrics.csv had ${lost} epochs: training begins anew. If the checkpoints are elsewhere, stop, and copy the whole run again.`,
        ];
  for (const message of [...lostWarnings, ...startWarnings(task)])
    await report({ kind: 'warning', epoch: 0, step: 0, message });
  return { ...place, state, watch: stopwatch(), last: null };
}

async function resumeRun(place: Place): Promise<Begun> {
  const { task, folder, guard, report } = place;
  const { stored, warnings } = await readCheckpoint(folder.last);
  if (!isSameTraining(stored.config, task.config)) {
    throw new UsageError(mixedRun(folder.last));
  }
  const { state, backend } = fromCheckpoint(task, restoreCheckpoint(stored));
  await recordConfig(folder, task.config, guard);
  const { epoch, batch, step } = state;
  const collapses = state.guard?.collapses ?? 0;
  const cut = await cutBack(folder, { epoch, batch, step, collapses }, guard);
  const watch = stopwatch(cut.times);
  await dropUndoneBest(folder, state, guard);
  const at = { epoch, step };
  await report({ kind: 'resume', ...at, machine: thisMachine() });
  for (const message of [...warnings, ...cut.warnings]) await report({ kind: 'warning', ...at, message });
  const here = currentBackend();
  if (backend !== here) {
    const message = `The run was started on the backend ${backend} and continues on ${here}. Its figures will differ slightly from those of an undisturbed run.`;
    await report({ kind: 'warning', ...at, message });
  }
  return { ...place, state, watch, last: (await readRows(folder)).at(-1) ?? null };
}

async function runToEnd(
  run: Run,
  { signal, cacheMemory }: Pick<TrainRunOptions, 'signal' | 'cacheMemory'>,
): Promise<RunSummary> {
  const { task, folder, guard, state, watch, report } = run;
  let saved = performance.now();
  const context: EpochContext = {
    report,
    watch,
    signal,
    store: { memory: cacheMemory, file: folder.gradients, guard },
    memory: run.memory,
    afterStep: async () => {
      const { checkpointEvery } = task.config;
      if (checkpointEvery === 0 || performance.now() - saved < 1000 * checkpointEvery) return;
      await saveNewest(run);
      saved = performance.now();
    },
  };
  try {
    while (state.epoch < task.config.epochs) {
      await keepSafe(task, folder, state, currentBackend(), guard);
      const row = await trainEpoch(task, state, context);
      if (row === null) await returnToSafe(run);
      else await finishEpoch(run, row);
      saved = performance.now();
    }
  } catch (error) {
    if (error instanceof Interrupted) {
      await saveNewest(run);
      await report({ kind: 'interrupted', epoch: state.epoch, step: state.step });
      return summary(run, 'interrupted');
    }
    if (error instanceof DivergenceError) throw await explained(error, run);
    // If that cannot be written either, the first error is the one to report.
    await fail(run, 'error', messageOf(error)).catch(() => {});
    throw error;
  }
  await dropSafe(folder, guard);
  await run.memory?.close();
  await removeMemory(folder, guard);
  await restoreRemoved(run);
  await report({ kind: 'end', epoch: state.epoch, step: state.step });
  return summary(run, 'done');

  async function finishEpoch(current: Run, row: MetricRow): Promise<void> {
    const candidate = candidateOf(task.config, row, state.epoch);
    const best =
      state.best === null ||
      prunesAfter(task, state.best.epoch) ||
      (!isLow(state.guard) && isBest(candidate, state.best));
    if (best) state.best = candidate;
    await checkFinite(current);
    await appendLines(folder.metrics, formatMetricRow(row), { guard: run.guard, sync: true });
    current.last = row;
    await report({ kind: 'epoch', epoch: state.epoch, step: state.step, metrics: row, best });
    const warning = overfittingWarning(task.config, await readRows(folder));
    if (warning !== null) await report({ kind: 'warning', epoch: state.epoch, step: state.step, message: warning });
    watch.nextEpoch();
    if (best) await save(current, 'best', candidate.weights);
    await saveNewest(current);
  }
}

/** Writes the configuration again if it was removed during training, and warns if the best checkpoint was, which nobody can. */
async function restoreRemoved({ task, folder, state, guard, report }: Run): Promise<void> {
  if ((await readIfThere(folder.config)) === null) await recordConfig(folder, task.config, guard);
  if (state.best === null || (await hasCheckpoint(folder.best))) return;
  const message = `${folder.best} is missing: it was removed after epoch ${state.best.epoch}. Only the last checkpoint is left to evaluate.`;
  await report({ kind: 'warning', epoch: state.epoch, step: state.step, message });
}

/**
 * Goes back to the end of an earlier epoch after a collapse. Killed before the checkpoint is written, the run finds the collapse
 * again; after it, a resume cuts what is left to cut.
 */
async function returnToSafe(run: Run): Promise<void> {
  const { task, folder, guard, state, watch, report } = run;
  const warnings = await goBack(task, folder, state);
  watch.nextEpoch();
  for (const message of warnings) await report({ kind: 'warning', epoch: state.epoch, step: state.step, message });
  await saveNewest(run);
  await cutMetrics(folder, state.epoch, guard);
  await dropUndoneBest(folder, state, guard);
  run.last = (await readRows(folder)).at(-1) ?? null;
}

const readRows = async ({ metrics }: RunFolder): Promise<MetricRow[]> =>
  parseMetrics((await readIfThere(metrics)) ?? '', metrics);

/**
 * Removes the best checkpoint of a run that went back to its start. Any other best one is older than what was undone, or the next
 * epoch takes its place, since weights are still pruned.
 */
async function dropUndoneBest({ best }: RunFolder, state: TrainState, guard: Guard): Promise<void> {
  if (state.best !== null) return;
  for (const file of [best, previousOf(best)]) await removeFile(file, { guard });
}

/** True if weights are still pruned after an epoch, whose network is denser than the one asked for and no candidate. */
const prunesAfter = ({ sparsifier, totalSteps, batchesPerEpoch }: Task, epoch: number): boolean =>
  sparsifier?.preserves === 'nothing' && updatesAfter(sparsifier, { step: epoch * batchesPerEpoch, totalSteps });

const FILES = { last: LAST_CHECKPOINT, best: BEST_CHECKPOINT, ema: EMA_CHECKPOINT } as const;

/** Saves the newest state, and before it the averaged network, so that the state is never the newer of the two. */
async function saveNewest(run: Run): Promise<void> {
  if (run.state.average) await save(run, 'ema', 'averaged');
  await save(run, 'last', 'raw');
}

async function save(run: Run, which: keyof typeof FILES, weights: WeightsKind): Promise<void> {
  const { task, folder, state, watch, report } = run;
  await checkFinite(run);
  await run.memory?.sync();
  // The event goes first: should the run end between the two, cutting back drops it again.
  await report({
    kind: 'checkpoint',
    epoch: state.batch > 0 ? state.epoch + 1 : state.epoch,
    step: state.step,
    file: FILES[which],
    times: watch.times(),
  });
  const averaged = weights === 'averaged' ? averagedNetwork(state) : null;
  const checkpoint = averaged
    ? toAveragedCheckpoint(task, state, averaged, currentBackend())
    : toCheckpoint(task, state, currentBackend());
  await writeCheckpoint(folder[which], checkpoint, { guard: run.guard });
}

/** Keeps weights that are no longer numbers out of every checkpoint. */
async function checkFinite({ state, task }: Run): Promise<void> {
  const finite = tf.tidy(() =>
    [...Object.values(trainables(state.params)), ...Object.values(state.statistics)].map((tensor) =>
      tf.all(tf.isFinite(tensor)),
    ),
  );
  const values = await Promise.all(finite.map((tensor) => tensor.data()));
  tf.dispose(finite);
  if (values.every(([value]) => value !== 0)) return;
  throw new DivergenceError(
    `The weights were no longer finite after step ${state.step} (epoch ${state.epoch}), and the run stopped. Most likely the learning rate ${task.config.lr} is too high.`,
  );
}

async function explained(error: DivergenceError, run: Run): Promise<DivergenceError> {
  const { last } = run.folder;
  const good = (await hasCheckpoint(last)) ? `The last good checkpoint is ${last}.` : 'There is no checkpoint yet.';
  const message = `${error.message} ${good}`;
  await fail(run, 'divergence', message);
  return new DivergenceError(message);
}

const fail = ({ state, report }: Run, cause: 'divergence' | 'error', message: string): Promise<void> =>
  report({ kind: 'failed', epoch: state.epoch, step: state.step, cause, message });

const summary = ({ task, folder, state, last }: Run, status: RunSummary['status']): RunSummary => ({
  status,
  out: folder.path,
  job: configHash(task.config),
  epoch: state.epoch,
  step: state.step,
  last,
  best: state.best,
});
