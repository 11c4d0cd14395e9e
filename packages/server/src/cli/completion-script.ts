import type { Command } from './command.ts'

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof SHELLS)[number]

/** A script that completes the names of commands and their flags. It starts no process. */
export function createCompletion(shell: Shell, commands: readonly Command[]): readonly string[] {
  return SCRIPTS[shell](commands)
}

const SCRIPTS: Readonly<Record<Shell, (commands: readonly Command[]) => readonly string[]>> = {
  bash: (commands) => [
    '# bash completion of purser; load it with: source <(purser completion bash)',
    '_purser() {',
    '  local words',
    `  case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in`,
    ...commands.toSorted(byWords).map(({ name, flags }) => `    ${bashPattern(name)}) words='${flagWords(flags)}' ;;`),
    '  esac',
    `  if [[ $COMP_CWORD == 1 ]]; then words='${firstWords(commands).join(' ')}'; fi`,
    ...groups(commands).map(
      ([group, words]) =>
        `  if [[ $COMP_CWORD == 2 && \${COMP_WORDS[1]} == ${group} ]]; then words='${words.join(' ')}'; fi`,
    ),
    '  COMPREPLY=($(compgen -W "$words" -- "$2"))',
    '}',
    'complete -o default -F _purser purser',
  ],
  zsh: (commands) => [
    '#compdef purser',
    '# zsh completion of purser; load it with: source <(purser completion zsh)',
    '_purser() {',
    '  local -a first; first=(',
    ...firstWords(commands).map((word) => `    '${word}:${quoteZsh(summaryOf(commands, word))}'`),
    '  )',
    "  if (( CURRENT == 2 )); then _describe 'command' first; return; fi",
    ...groups(commands).map(
      ([group, words]) =>
        `  if (( CURRENT == 3 )) && [[ $words[2] == ${group} ]]; then compadd ${words.join(' ')}; return; fi`,
    ),
    '  case "$words[2] $words[3]" in',
    ...commands
      .toSorted(byWords)
      .map(({ name, flags }) => `    ${bashPattern(name)}) compadd -- ${flagWords(flags)} ;;`),
    '  esac',
    '  _files',
    '}',
    'compdef _purser purser',
  ],
  fish: (commands) => [
    '# fish completion of purser; load it with: purser completion fish | source',
    ...firstWords(commands).map(
      (word) => `complete -c purser -n __fish_use_subcommand -a ${word} -d '${quoteFish(summaryOf(commands, word))}'`,
    ),
    ...groups(commands).map(
      ([group, words]) => `complete -c purser -n '__fish_seen_subcommand_from ${group}' -a '${words.join(' ')}'`,
    ),
    ...commands.flatMap(({ name, flags }) =>
      Object.entries(flags).map(([flag, { type, help }]) => {
        const argument = type === 'boolean' ? '' : ' -r'
        const seen = `__fish_seen_subcommand_from ${name.split(' ').at(-1)}`
        return `complete -c purser -n '${seen}' -l ${flag}${argument} -d '${quoteFish(help)}'`
      }),
    ),
  ],
}

/** Names of two words are matched before those of one. */
function byWords(a: Command, b: Command): number {
  return b.name.split(' ').length - a.name.split(' ').length
}

function bashPattern(name: string): string {
  return name.includes(' ') ? `'${name}'` : `'${name} '*`
}

function flagWords(flags: Command['flags']): string {
  return Object.keys(flags)
    .map((flag) => `--${flag}`)
    .join(' ')
}

function firstWords(commands: readonly Command[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(' ')[0] ?? '')), 'help']
}

/** Commands of two words, by their first one. */
function groups(commands: readonly Command[]): [group: string, words: string[]][] {
  const pairs = commands.map(({ name }) => name.split(' ')).filter(({ length }) => length === 2)
  return Array.from(
    Map.groupBy(pairs, ([first = '']) => first),
    ([group, words]) => [group, words.map(([, second = '']) => second)],
  )
}

function summaryOf(commands: readonly Command[], word: string): string {
  return commands.find(({ name }) => name === word)?.summary ?? ''
}

function quoteZsh(text: string): string {
  return text.replaceAll("'", "'\\''").replaceAll(':', '\\:')
}

function quoteFish(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")
}
