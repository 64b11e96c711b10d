import { availableParallelism, totalmem } from 'node:os';
import { arch, version as nodeVersion, platform } from 'node:process';
import { inspectBackends } from '../backends/inspect.ts';
import { defineCommand } from './command.ts';

export const doctor = defineCommand({
  positionals: [],
  flags: {},
  examples: [['equipoise doctor --json', 'the same for a program']],
  async run({ json }, terminal) {
    const machine = {
      node: nodeVersion,
      platform: `${platform} ${arch}`,
      cores: availableParallelism(),
      memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    };
    const { backends, automatic } = await inspectBackends();
    if (json) {
      terminal.print(JSON.stringify({ ...machine, backends, automatic }, null, 2));
      return;
    }
    const width = Math.max(...backends.map(({ state }) => state.length));
    terminal.print(
      [
        `Node ${machine.node} on ${machine.platform}, ${machine.cores} cores, ${machine.memoryGiB} GiB of memory`,
        '',
        ...backends.flatMap(({ name, state, detail, install }) => [
          `${name.padEnd(11)} ${state.padEnd(width)}  ${detail}`,
          ...(install ? [`${' '.repeat(11)} ${' '.repeat(width)}  add it: ${install}`] : []),
        ]),
        '',
        `--backend auto takes ${automatic.name}: ${automatic.why}.`,
      ].join('\n'),
    );
  },
});
