// docs/reference/commands.md: every command with its flags, exit codes included.

import type { Command } from '../../packages/server/src/cli/command.ts'
import { COMMANDS } from '../../packages/server/src/cli/commands/index.ts'
import { EXIT } from '../../packages/server/src/cli/exit-codes.ts'
import { type Flags, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS } from '../../packages/server/src/cli/flags.ts'

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done; also when the reader of the output left, as in `purser users | head`',
  failed: 'failed',
  usage: 'wrong command, flag, operand or value',
  notFound: 'the user, key or store does not exist',
  notAllowed: 'the key may not do this, or the secret key is not that of the store',
  conflict: 'it exists, is in use, or has changed',
  found: '`verify` or `doctor` found something',
  unreachable: 'the store or the server cannot be reached',
  interrupted: 'interrupted by Ctrl-C',
}

const HEAD = `# Commands

\`purser COMMAND\`, in a clone \`npm run purser -- COMMAND\`. With \`--url\` and a key a command calls a running server; otherwise it opens
the configured store, also while a server uses it. Data goes to stdout, everything else to stderr. With \`--json\`, data is one line of JSON,
or one line for each event or row, and an error is \`{ "error": { "code", "message", "hint"? } }\`. \`purser help COMMAND\` prints the same as
this page; \`purser completion bash\` (or \`zsh\`, \`fish\`) prints a script for completion.
`

export function commandsPage(): string {
  const ways: readonly (readonly [string, Flags])[] = [
    ['Of every command', GENERAL_FLAGS],
    ['Of commands on a running server or the configured store', REMOTE_FLAGS],
  ]
  return [
    HEAD,
    '| command | |\n|---|---|',
    ...COMMANDS.map(
      ({ name, operands, summary }) =>
        `| [\`${headingOf({ name, operands })}\`](#${anchorOf(name, operands)}) | ${summary} |`,
    ),
    '',
    ...ways.map(([title, flags]) => `## ${title}\n\n${flagTable(flags)}`),
    '## Exit codes\n',
    '| code | meaning |\n|---|---|',
    ...Object.entries(EXIT).map(([name, code]) => `| ${code} | ${EXIT_MEANINGS[name as keyof typeof EXIT]} |`),
    '',
    ...COMMANDS.map(sectionOf),
  ].join('\n')
}

function sectionOf(command: Command): string {
  const { summary, flags } = command
  const groups = [GENERAL_FLAGS, SETTING_FLAGS, REMOTE_FLAGS]
  const own = Object.fromEntries(Object.entries(flags).filter(([flag]) => !groups.some((group) => flag in group)))
  const ways = [
    ...('url' in flags ? ['Works on a running server (`--url`) or on the configured store.'] : []),
    ...('url' in flags || !('store' in flags)
      ? []
      : ['Works on this machine; the [settings](server.md#flags-and-environment) are flags.']),
  ]
  const table = Object.keys(own).length === 0 ? '' : `\n${flagTable(own)}`
  return [`## ${headingOf(command)}\n`, [summary, ...ways].join(' '), table].join('\n')
}

function flagTable(flags: Flags): string {
  const rows = Object.entries(flags).map(
    ([name, { type, help }]) =>
      `| \`--${name}${type === 'string' ? ' VALUE' : ''}\` | ${help.replaceAll('|', '\\|')} |`,
  )
  return ['| flag | meaning |', '|---|---|', ...rows, ''].join('\n')
}

function headingOf({ name, operands }: Pick<Command, 'name' | 'operands'>): string {
  return `purser ${name} ${operands}`.trimEnd().replaceAll('|', ' or ')
}

function anchorOf(name: string, operands: string): string {
  return headingOf({ name, operands })
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')
}
