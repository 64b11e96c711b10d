// Trains in a process of its own, to be killed: node train-process.js OUT CONFIG [LOCK_TIMES]
import { startBackend } from '../../src/backends/start.ts';
import { parseConfig } from '../../src/training/config/config.ts';
import { train } from '../../src/training/train.ts';

const [out, text, times = '{}'] = process.argv.slice(2);
const config = parseConfig(JSON.parse(text));
await startBackend(config.backend, { threads: 2 });
await train(config, { out, lockTimes: JSON.parse(times) });
