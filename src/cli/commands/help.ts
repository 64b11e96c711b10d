// The command that shows help, as --help does.
import { defineCommand } from '../command.ts';
import { helpText } from '../help/text.ts';

export const help = defineCommand({
  positionals: [{ name: 'command', description: 'the command', required: false, value: 'COMMAND' }],
  flags: {
    all: { kind: 'switch', description: 'show all flags, as equipoise COMMAND --help-all does' },
  },
  examples: [['equipoise help train', 'what train does, and its common flags']],
  async run({ positionals: [name], flags: { all = false }, json }, terminal) {
    const text = helpText(name, all, terminal);
    terminal.print(json ? JSON.stringify(text) : text);
  },
});
