// One run of a sweep, in a process of its own.
import { startBackend } from '../backends/start.ts';
import { serveJob } from '../sweeps/child.ts';
import { outliveReader } from './terminal/closed-pipe.ts';
import { listenForSignals } from './terminal/signals.ts';

const interruption = listenForSignals(() => {});
outliveReader([process.stdout, process.stderr]);
await serveJob((config, options) => startBackend(config.backend, options), interruption.signal);
interruption.end();
