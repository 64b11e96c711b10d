// Runs command lines one after the other in one process: node command-lines.js '[["train", …], …]'
import { runCommandLine } from '../../src/cli/run.ts';

const lines: string[][] = JSON.parse(process.argv[2]);
for (const line of lines) {
  await runCommandLine([...line, '--quiet'], '0.0.0', {
    print: () => {},
    note: () => {},
    screen: null,
    columns: 80,
    signal: new AbortController().signal,
  });
}
