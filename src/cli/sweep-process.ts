// One run of a sweep, in a process of its own.
import { startBackend } from '../backends/start.ts';
import { serveJob } from '../sweeps/child.ts';
import { outliveOutput } from './terminal/output-errors.ts';
import { listenForSignals } from './terminal/signals.ts';

const interruption = listenForSignals(() => {});
outliveOutput([process.stdout, process.stderr]);
await serveJob((config, options) => startBackend(config.backend, options), interruption.signal);
interruption.end();
