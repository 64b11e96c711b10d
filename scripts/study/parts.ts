// What studies of several parts share: the flags of their command, and their runs in processes beside each other.

import { mkdir, readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type RunRecord, readRuns } from '../../src/reporting/runs/runs.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import type { JobEvaluation } from '../../src/sweeps/job.ts';
import { runSweep } from '../../src/sweeps/sweep.ts';

/** A study whose runs are made part by part. */
export interface PartedStudy<Part extends string> {
  /** The folder of its runs by default. */
  readonly out: string;
  readonly parts: readonly Part[];
  readonly jobsOf: (parts: readonly Part[]) => readonly Job[];
  /** How each run is evaluated; null: on its held-out training images alone. */
  readonly evaluation: JobEvaluation | null;
}

/** What was asked for, and the runs of it that there are. */
export interface MadeParts<Part extends string> {
  readonly parts: readonly Part[];
  readonly records: readonly RunRecord[];
}

/** Makes the runs that are missing, unless `--tables` is given. `--part` chooses one part, `--runs` those runs whose names begin
 * with it. */
export async function runParts<Part extends string>(study: PartedStudy<Part>): Promise<MadeParts<Part>> {
  const { values: options } = parseArgs({
    options: {
      out: { type: 'string', default: study.out },
      jobs: { type: 'string', default: '2' },
      part: { type: 'string', default: '' },
      runs: { type: 'string', default: '' },
      data: { type: 'string' },
      revectorize: { type: 'boolean', default: false },
      tables: { type: 'boolean', default: false },
    },
  });
  const { out, data: dataDirectory, revectorize } = options;
  const parts = study.parts.filter((name) => options.part === '' || options.part === name);
  if (parts.length === 0) {
    console.error(`Expected --part to be one of ${study.parts.join(', ')}, got ${options.part}.`);
    process.exit(2);
  }
  const abort = new AbortController();
  process.on('SIGINT', () => abort.abort());
  process.on('SIGTERM', () => abort.abort());

  await mkdir(out, { recursive: true });
  if (!options.tables) {
    const count = Number(options.jobs);
    const jobs = study.jobsOf(parts).filter(({ name }) => name.startsWith(options.runs));
    const { failed } = await runSweep(jobs, {
      out,
      dataDirectory,
      evaluation: study.evaluation,
      processes: {
        count,
        threads: count,
        revectorize,
        entry: new URL('../../src/cli/sweep-process.js', import.meta.url),
      },
      signal: abort.signal,
      onEvent: (event) => {
        if (event.kind === 'job-end') console.error(`${event.job.name}: ${event.status.kind}`);
      },
    });
    for (const { job, message } of failed) console.error(`${job.name} failed: ${message}`);
    if (failed.length > 0) process.exitCode = 1;
  }
  return { parts, records: (await readdir(out)).length === 0 ? [] : await readRuns(out) };
}
