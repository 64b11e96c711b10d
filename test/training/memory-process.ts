// Trains on the engine and prints the resident bytes after every tenth step: node --expose-gc memory-process.js OUT CONFIG
import { startBackend } from '../../src/backends/start.ts';
import { parseConfig } from '../../src/training/config/config.ts';
import { train } from '../../src/training/train.ts';

const [out, text] = process.argv.slice(2);
const config = parseConfig(JSON.parse(text));
await startBackend(config.backend, { threads: 2 });
await train(config, {
  out,
  onProgress: ({ kind, step }) => {
    if (kind !== 'step' || step % 10 !== 0) return;
    globalThis.gc?.();
    console.log(process.memoryUsage.rss());
  },
});
