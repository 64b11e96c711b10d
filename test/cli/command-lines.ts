// Runs command lines one after the other in one process: node command-lines.js '[["train", …], …]'
import { runCommandLine } from '../../src/cli/run.ts';
import { silentTerminal } from './terminal.ts';

const lines: string[][] = JSON.parse(process.argv[2]);
for (const line of lines) {
  await runCommandLine([...line, '--quiet'], '0.0.0', silentTerminal());
}
