// What `equipoise sweep --jobs` runs in processes of their own: one run each.
import { startBackend } from '../backends/start.ts';
import { serveJob } from '../sweeps/child.ts';

serveJob((config, threads) => startBackend(config.backend, { threads }));
