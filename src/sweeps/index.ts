export { type FromChild, serveJob, type ToChild } from './child.ts';
export { type Axes, type Grid, type Job, jobOf, jobsOf, parseShard, type Shard, shardOf } from './grid.ts';
export { isDone, type JobEvaluation, type JobEvent, type JobTask, runJob, warningOf } from './job.ts';
export {
  type ChildProcesses,
  type JobStatus,
  runSweep,
  type SweepEvent,
  type SweepOptions,
  type SweepResult,
} from './sweep.ts';
