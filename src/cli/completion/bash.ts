// The completion script of bash. All names are in it, so that the Tab key starts no process.
import type { CommandOutline } from '../help/manifest.ts';
import { type Candidates, completedFlags, positionalsOf, valuesOf } from './words.ts';

/** The call of the script's own function that lists candidates. */
function call(candidates: Candidates): string {
  if (candidates.kind !== 'words') return `_equipoise_${candidates.kind}`;
  const { words, isList = false, orFiles = false } = candidates;
  return `_equipoise_${isList ? 'list' : 'words'} '${words.join(' ')}'${orFiles ? '; [[ -n $COMPREPLY ]] || _equipoise_files' : ''}`;
}

/** The cases of flags that take a value: flags with equal candidates share one. */
function valueCases(command: CommandOutline): string[] {
  const flags = new Map<string, string[]>();
  for (const entry of completedFlags(command)) {
    const values = valuesOf(entry[1]);
    if (values === null) continue;
    flags.set(call(values), [...(flags.get(call(values)) ?? []), `${command.name}:--${entry[0]}`]);
  }
  return [...flags].map(([action, names]) => `    ${names.join('|')}) ${action}; return ;;`);
}

const flagCase = (command: CommandOutline): string =>
  `    ${command.name}) _equipoise_words '${completedFlags(command)
    .map(([name]) => `--${name}`)
    .join(' ')}' ;;`;

const positionalCases = (command: CommandOutline, commands: readonly CommandOutline[]): string[] =>
  positionalsOf(command, commands).map((candidates, i) => `    ${command.name}:${i}) ${call(candidates)} ;;`);

/** The script, for `source <(equipoise completion bash)`. */
export const bashScript = (commands: readonly CommandOutline[]): string =>
  `# Completion of equipoise for bash: source <(equipoise completion bash)
_equipoise_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_equipoise_list() {
  local before=''
  [[ $current == *,* ]] && before="\${current%,*},"
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "\${current##*,}"))
  compopt -o nospace 2>/dev/null
}
_equipoise_files() { local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- "$current")); }
_equipoise_folders() { local IFS=$'\\n'; compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- "$current")); }
_equipoise_none() { COMPREPLY=(); }
_equipoise() {
  local IFS=$' \\t\\n' current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} command='' place=0 i
  COMPREPLY=()
  # bash makes three words of --flag=value.
  if [[ $current == = ]]; then current=''; elif [[ $previous == = ]]; then previous=\${COMP_WORDS[COMP_CWORD-2]}; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ -z $command ]]; then
      [[ \${COMP_WORDS[i]} == -* ]] || command=\${COMP_WORDS[i]}
    elif [[ \${COMP_WORDS[i]} != -* && \${COMP_WORDS[i]} != = && \${COMP_WORDS[i-1]} != = ]] && ! _equipoise_takes "$command" "\${COMP_WORDS[i-1]}"; then
      place=$((place + 1))
    fi
  done
  if [[ -z $command ]]; then
    _equipoise_words '${[...commands.map(({ name }) => name), '--help', '--help-all', '--version'].join(' ')}'
    return
  fi
  case $command:$previous in
${commands.flatMap(valueCases).join('\n')}
  esac
  if [[ $current == -* ]]; then
    case $command in
${commands.map(flagCase).join('\n')}
    esac
    return
  fi
  case $command:$place in
${commands.flatMap((command) => positionalCases(command, commands)).join('\n')}
  esac
}
_equipoise_takes() {
  case $1:$2 in
    ${commands
      .flatMap((command) =>
        completedFlags(command).flatMap((entry) =>
          valuesOf(entry[1]) === null ? [] : [`${command.name}:--${entry[0]}`],
        ),
      )
      .join('|')}) return 0 ;;
  esac
  return 1
}
complete -F _equipoise equipoise`;
