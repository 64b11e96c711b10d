// One run of a sweep, in a process of its own.
import { startBackend } from '../backends/start.ts';
import { serveJob } from '../sweeps/index.ts';

serveJob((config, options) => startBackend(config.backend, options));
