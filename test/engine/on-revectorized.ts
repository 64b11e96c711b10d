// Loaded before a test runner: its suites then run on the build `relaxed-revec`, or it fails.
import process from 'node:process';
import { engineInfo, registerEngine } from '../../src/engine/index.ts';

await registerEngine({ build: 'relaxed-revec', threads: 2 });
process.on('exit', () => {
  if (engineInfo()?.build !== 'relaxed-revec') process.exitCode = 1;
});
