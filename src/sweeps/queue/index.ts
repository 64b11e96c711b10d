export {
  PASSWORD_VARIABLE,
  parseAddress,
  QUEUE_VARIABLE,
  type QueueAddress,
  showAddress,
} from './address.ts';
export { cancel, enqueue, type QueuedRun, queuedRun, unfinished } from './enqueue.ts';
export { type FollowEvent, type FollowOutcome, follow, type QueueView, type RunningJob, viewOf } from './follow.ts';
export { idOf, queuedJob } from './job-data.ts';
export { type OpenQueue, openQueue } from './open.ts';
export { runWorker, type WorkerEvent, type WorkerOutcome, workerName } from './worker.ts';
