// The command that prints the completion script of a shell.
import { didYouMean, suggestion } from '../../core/did-you-mean.ts';
import { UsageError } from '../../core/errors.ts';
import { defineCommand } from '../command.ts';
import { bashScript } from '../completion/bash.ts';
import { zshScript } from '../completion/zsh.ts';
import { readManifest } from '../help/manifest.ts';

const SHELLS = { bash: bashScript, zsh: zshScript } as const;

const NAMES = Object.keys(SHELLS);

export const completion = defineCommand({
  positionals: [{ name: 'shell', description: 'bash or zsh', required: true, choices: NAMES }],
  flags: {},
  examples: [
    ['source <(equipoise completion bash)', 'in ~/.bashrc: the Tab key completes commands, flags and values'],
    ['source <(equipoise completion zsh)', 'in ~/.zshrc, after compinit'],
  ],
  async run({ positionals: [shell] }, terminal) {
    if (!Object.hasOwn(SHELLS, shell)) {
      throw new UsageError(
        `completion expects one of ${NAMES.join(', ')}, got ${shell}.${suggestion(didYouMean(shell, NAMES))}`,
      );
    }
    terminal.print(SHELLS[shell as keyof typeof SHELLS](readManifest()));
  },
});
