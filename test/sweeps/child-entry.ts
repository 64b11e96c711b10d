// One run of a sweep on the backend cpu, in a process of its own.
import { startCpu } from '../../src/backends/cpu.ts';
import { serveJob } from '../../src/sweeps/child.ts';

await serveJob(async () => {
  await startCpu();
  return { kernels: null };
}, new AbortController().signal);
