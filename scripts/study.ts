// Does AGENT help? Makes the runs of docs/study-plan.md that are missing, then its tables; stopped anywhere, it goes on
// from there.
//
//   npm run study [-- --out runs/study --data FOLDER --jobs 2 --revectorize --docs docs/results/does-agent-help.md]
//   npm run study -- --plan      prints the configurations of the runs that are determined so far
//   npm run study -- --tables    only writes the tables and the page of what is done

import { spawnSync } from 'node:child_process';
import { appendFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomically } from '../src/checkpoints/files/atomic-file.ts';
import { listenForSignals } from '../src/cli/terminal/signals.ts';
import { UsageError } from '../src/core/errors.ts';
import { version } from '../src/evaluation/version.ts';
import { renderPage } from '../src/reporting/page/page.ts';
import { collectReport } from '../src/reporting/report-data.ts';
import { datasetTitle, type RunRecord, readRuns } from '../src/reporting/runs/runs.ts';
import { formatEpochsToAccuracy } from '../src/reporting/tables/epochs-to-accuracy.ts';
import { resultRows } from '../src/reporting/tables/result-rows.ts';
import { formatResults } from '../src/reporting/tables/results.ts';
import { warningOf } from '../src/sweeps/job.ts';
import { runSweep, type SweepEvent } from '../src/sweeps/sweep.ts';
import { readRunConfig } from '../src/training/run/run-folder.ts';
import { ATTACK, jobOfRun, type Known, plannedRuns, type StudyRun, TEST_IMAGES, TOTALS } from './study/design.ts';
import { hasDiverged, knownFrom, outcomesOf, studyEpochs } from './study/outcomes.ts';
import { progress, replaceSection, type StudyState, studySection } from './study/text.ts';

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join('runs', 'study') },
    data: { type: 'string' },
    jobs: { type: 'string', default: '2' },
    revectorize: { type: 'boolean', default: false },
    commit: { type: 'string' },
    docs: { type: 'string' },
    plan: { type: 'boolean', default: false },
    tables: { type: 'boolean', default: false },
  },
});
const { out } = options;
const runsFolder = join(out, 'runs');
const WHOLE = TOTALS.rate + TOTALS.primary + TOTALS.exploratory;

const interruption = listenForSignals(() => say('stopping at the next safe point; once more stops at once'));

const say = (line: string): void => console.log(`${new Date().toISOString().slice(0, 19)}  ${line}`);

interface Stand {
  readonly records: readonly RunRecord[];
  readonly diverged: ReadonlySet<string>;
  readonly known: Known;
}

/** What the folder holds. */
async function read(): Promise<Stand> {
  await mkdir(runsFolder, { recursive: true });
  const records = (await readdir(runsFolder)).length === 0 ? [] : await readRuns(runsFolder);
  const diverged = new Set<string>();
  for (const { name, folder } of records) if (await hasDiverged(folder)) diverged.add(name);
  return { records, diverged, known: knownFrom(records, diverged) };
}

/** @throws UsageError if a folder of the study holds a run of another design */
async function checkFolders(plan: readonly StudyRun[]): Promise<void> {
  for (const { name, config } of plan) {
    const there = await readRunConfig(join(runsFolder, name));
    if (there !== null && JSON.stringify(there) !== JSON.stringify(config)) {
      throw new UsageError(
        `${join(runsFolder, name)} holds a run of other settings than the plan has now. Put it aside, or give another folder with --out.`,
      );
    }
  }
}

/**
 * The tables of what is done, and how far that is.
 *
 * @param page whether the page is made too, of the primary runs: it takes a few seconds
 */
async function writeTables({ page = false } = {}): Promise<string> {
  const { records, diverged, known } = await read();
  const runs = new Map(plannedRuns(known).map((run) => [run.name, run]));
  const found = records.flatMap((record) => {
    const run = runs.get(record.name);
    return run ? [{ run, record }] : [];
  });
  const state: StudyState = {
    known,
    outcomes: outcomesOf(found),
    epochs: studyEpochs(found),
    runs,
    diverged: [...diverged],
    datasets: [
      ...new Set(found.flatMap(({ record }) => record.evaluations.map(({ dataset }) => datasetTitle(dataset)))),
    ],
    builds: await readBuilds(),
  };
  await writeAtomically(join(out, 'results.csv'), formatResults(resultRows(found.map(({ record }) => record))));
  await writeAtomically(join(out, 'epochs-to-accuracy.csv'), formatEpochsToAccuracy(state.epochs));
  await writeAtomically(join(out, 'study.md'), `${studySection(state)}\n`);
  if (options.docs !== undefined) {
    await writeFile(options.docs, replaceSection(await readFile(options.docs, 'utf8'), studySection(state)));
  }
  const reported = found.flatMap(({ run, record }) => (run.part === 'primary' ? [record] : []));
  if (page && reported.length > 0) {
    const html = await renderPage(collectReport(reported, 'Does AGENT help?'));
    await writeAtomically(join(out, 'report.html'), html);
  }
  return progress(state);
}

const sessions = join(out, 'sessions.txt');

/** What the runs were made with, each once. */
async function readBuilds(): Promise<string[]> {
  const text = await readFile(sessions, 'utf8').catch(() => '');
  return [...new Set(text.split('\n').filter((line) => line !== ''))];
}

async function recordBuild(): Promise<void> {
  const build = options.commit ?? currentCommit();
  const made = build === null ? `version ${version()}` : `commit ${build}`;
  const kernels = options.revectorize ? ' with --revectorize' : '';
  await appendFile(sessions, `${made}${kernels}, Node ${process.version}, ${cpus()[0].model.trim()}\n`);
}

/** The hash of the current commit; null outside a checkout. */
function currentCommit(): string | null {
  const { status, stdout } = spawnSync('git', ['describe', '--always', '--dirty'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : null;
}

/** Keeps a second study out of the folder while this one lives. */
async function lock(): Promise<void> {
  const file = join(out, 'study.pid');
  const pid = Number(await readFile(file, 'utf8').catch(() => ''));
  if (pid > 0 && isAlive(pid)) {
    throw new UsageError(`Process ${pid} is making the study in ${out}. Wait for it, stop it, or remove ${file}.`);
  }
  await writeFile(file, String(process.pid));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

let writing: Promise<unknown> = Promise.resolve();

function show(event: SweepEvent): void {
  if (event.kind === 'start') say(`${event.missing} of ${event.jobs.length} runs to make`);
  else if (event.kind === 'job-start') say(`${event.job.name} begins`);
  else if (event.kind === 'job-event') {
    const warning = warningOf(event.event);
    if (warning !== null) say(`${event.job.name}: warning: ${warning}`);
  } else if (event.kind === 'job-end') {
    const { job, status } = event;
    writing = writing.then(async () => {
      const line = await writeTables().catch((error: Error) => `The tables wait: ${error.message}`);
      say(`${job.name}: ${status.kind === 'failed' ? `failed: ${status.message}` : status.kind}. ${line}`);
    });
  }
}

/** Makes the missing ones of these runs; whether all of them are there then. */
async function make(runs: readonly StudyRun[], { diverged }: Stand): Promise<boolean> {
  const jobs = runs.filter(({ name }) => !diverged.has(name)).map(jobOfRun);
  if (jobs.length === 0) return true;
  const count = Number(options.jobs);
  const { failed, left } = await runSweep(jobs, {
    out: runsFolder,
    dataDirectory: options.data,
    evaluation: runs[0].part === 'rate' ? null : { attacks: [ATTACK], testLimit: TEST_IMAGES },
    processes: {
      count,
      threads: count,
      revectorize: options.revectorize,
      entry: new URL('../src/cli/sweep-process.js', import.meta.url),
    },
    signal: interruption.signal,
    onEvent: show,
  });
  await writing;
  const now = await read();
  return left.length === 0 && failed.every(({ job }) => now.diverged.has(job.name));
}

async function study(): Promise<boolean> {
  for (let before = 0; ; ) {
    const stand = await read();
    const plan = plannedRuns(stand.known);
    if (plan.length === before) {
      if (before === WHOLE) return true;
      throw new UsageError(
        `The plan ends at ${before} of ${WHOLE} runs: what the next one depends on is not known. Diverged in the first epoch: ${[...stand.diverged].join(', ') || 'none'}.`,
      );
    }
    await checkFolders(plan);
    const rates = plan.filter(({ part }) => part === 'rate');
    const others = plan.filter(({ part }) => part !== 'rate');
    if (!(await make(rates, stand)) || !(await make(others, stand))) return false;
    before = plan.length;
  }
}

async function main(): Promise<void> {
  if (options.plan) {
    for (const { name, config } of plannedRuns((await read()).known)) console.log(`${name} ${JSON.stringify(config)}`);
    return;
  }
  if (options.tables) {
    console.log(await writeTables({ page: true }));
    return;
  }
  await mkdir(out, { recursive: true });
  await lock();
  await recordBuild();
  const whole = await study();
  say(await writeTables({ page: true }));
  await rm(join(out, 'study.pid'), { force: true });
  if (!whole) {
    say('not all runs are made; the same command goes on from here');
    interruption.end();
    process.exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
