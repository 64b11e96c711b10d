// The completion script of zsh. All names are in it, so that the Tab key starts no process.
import type { Flag } from '../flags/flags.ts';
import type { CommandOutline } from '../help/manifest.ts';
import { valueWord } from '../help/pages.ts';
import { type Candidates, completedFlags, positionalsOf, valuesOf } from './words.ts';

/** Text between single quotes. */
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** Text inside a specification of _arguments, where colons and brackets have a meaning. */
const escaped = (text: string): string => text.replaceAll(/[\\:[\]]/g, (character) => `\\${character}`);

function action(candidates: Candidates): string {
  switch (candidates.kind) {
    case 'words': {
      const words = candidates.words.join(' ');
      if (candidates.orFiles) return `_alternative "words:word:(${words})" "files:file:_files"`;
      return candidates.isList ? `_sequence compadd - ${words}` : `(${words})`;
    }
    case 'files':
      return '_files';
    case 'folders':
      return '_files -/';
    case 'none':
      return ' ';
    default:
      throw candidates satisfies never;
  }
}

function flagSpec([name, flag]: readonly [string, Flag]): string {
  const values = valuesOf(flag);
  const about = `[${escaped(flag.description)}]`;
  if (values === null) return quoted(`--${name}${about}`);
  // A value that may be left out has two colons.
  const separator = flag.kind === 'optional text' ? '::' : ':';
  return quoted(`--${name}=${about}${separator}${escaped(valueWord(flag))}:${action(values)}`);
}

function commandCase(command: CommandOutline, commands: readonly CommandOutline[]): string {
  const positionals = positionalsOf(command, commands).map((candidates, i) =>
    quoted(`${i + 1}:${escaped(command.positionals[i].name)}:${action(candidates)}`),
  );
  const specs = [...positionals, ...completedFlags(command).map(flagSpec)];
  return `    ${command.name})\n      _arguments -s \\\n        ${specs.join(' \\\n        ')} ;;`;
}

/** The script, for `source <(equipoise completion zsh)` or for a file `_equipoise` in the function path. */
export const zshScript = (commands: readonly CommandOutline[]): string =>
  `#compdef equipoise
# Completion of equipoise for zsh: source <(equipoise completion zsh), after compinit
_equipoise() {
  if ((CURRENT == 2)); then
    local -a commands=(
${commands.map(({ name, summary }) => `      ${quoted(`${name}:${summary}`)}`).join('\n')}
    )
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${commands.map((command) => commandCase(command, commands)).join('\n')}
  esac
}
if [[ $funcstack[1] == _equipoise ]]; then _equipoise "$@"; else compdef _equipoise equipoise; fi`;
