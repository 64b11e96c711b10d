// The outcomes of a study's finished runs in one file, a line of JSON each. The file is committed, so that a study can be made a
// few runs at a time and on several machines, and its tables can be made where the folders of the runs are not.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { wholeLines, writeAtomically } from '../../src/checkpoints/files/atomic-file.ts';
import { InputError } from '../../src/core/errors.ts';
import { parseJson } from '../../src/core/parse-json.ts';
import { isMissing } from '../../src/core/system-errors.ts';
import type { RunRecord } from '../../src/reporting/runs/runs.ts';
import type { Job } from '../../src/sweeps/grid.ts';
import { isSameTraining } from '../../src/training/config/config.ts';
import { type Outcomes, outcomesOf } from './paired.ts';
import { OUTCOME } from './paired-outcome.ts';
import { type PartedStudy, runParts } from './parts.ts';

const LINE = z.object({
  run: z.string(),
  /** The hash of the run's configuration. */
  config: z.string(),
  outcome: OUTCOME,
});

/**
 * The outcomes that a file keeps of the runs of a plan; none if there is no file.
 *
 * @throws InputError if the file holds anything else, such as a run whose configuration is no longer the plan's
 */
export async function readOutcomes(file: string, jobs: readonly Job[]): Promise<Outcomes> {
  const text = await readFile(file, 'utf8').catch((error) => {
    if (isMissing(error)) return '';
    throw error;
  });
  const planned = new Map(jobs.map(({ name, id }) => [name, id]));
  return new Map(
    wholeLines(text).map((line, i) => {
      const source = `line ${i + 1} of ${file}`;
      const { run, config, outcome } = parseJson(line, source, LINE);
      if (planned.get(run) !== config) {
        throw new InputError(
          `Expected ${source} to be of a run of the plan, with its configuration ${planned.get(run)}, got ${run} with ${config}. Remove the line to make the run again.`,
        );
      }
      return [run, outcome];
    }),
  );
}

/** Writes the outcomes of the runs of a plan, in its order. */
export function writeOutcomes(file: string, outcomes: Outcomes, jobs: readonly Job[]): Promise<void> {
  const lines = jobs.flatMap(({ name, id }) => {
    const outcome = outcomes.get(name);
    return outcome === undefined ? [] : [`${JSON.stringify({ run: name, config: id, outcome })}\n`];
  });
  return writeAtomically(file, lines.join(''));
}

/** The runs that are of a plan by their configurations too: a run of an older plan may have the same name. */
export function ofPlan(records: readonly RunRecord[], jobs: readonly Job[]): readonly RunRecord[] {
  const planned = new Map(jobs.map(({ name, config }) => [name, config]));
  return records.filter(({ name, config }) => {
    const wanted = planned.get(name);
    return wanted !== undefined && isSameTraining(config, wanted);
  });
}

/** Makes the runs that a file does not keep, adds their outcomes to it, and gives those of all runs and the parts asked for. */
export async function runKept<Part extends string>(file: string, study: PartedStudy<Part>) {
  const plan = study.jobsOf(study.parts);
  const kept = await readOutcomes(file, plan);
  const { records, parts } = await runParts({
    ...study,
    jobsOf: (asked) => study.jobsOf(asked).filter(({ name }) => !kept.has(name)),
  });
  const outcomes: Outcomes = new Map([...kept, ...outcomesOf(ofPlan(records, plan))]);
  if (outcomes.size > kept.size) await writeOutcomes(file, outcomes, plan);
  return { parts, outcomes };
}
