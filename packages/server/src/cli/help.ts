import { VERSION } from '../app/version.ts'
import type { Command } from './command.ts'
import { type Flags, GENERAL_FLAGS, REMOTE_FLAGS, SETTING_FLAGS } from './flags.ts'
import { print, type Terminal } from './terminal.ts'

/** The flag of the settings that most commands need; all of them are listed for the server. */
const STORE_FLAG = 'store'

/** Prints all commands, a line each. */
export function printOverview(terminal: Terminal, commands: readonly Command[]): void {
  print(terminal, `purser ${VERSION}\n`)
  const width = Math.max(...commands.map(({ name, operands }) => name.length + operands.length + 1))
  for (const { name, operands, summary } of commands) {
    print(terminal, `  ${`${name} ${operands}`.trimEnd().padEnd(width)}  ${summary}`)
  }
  print(terminal, '\nRun purser help COMMAND for the flags of a command.')
}

/** Prints a command with its own flags first, then those that it shares with others. */
export function printHelp(terminal: Terminal, { name, operands, summary, flags }: Command): void {
  print(terminal, `purser ${`${name} ${operands}`.trimEnd()}\n\n${summary}`)
  const isServer = name === 'serve' || name === 'demo'
  const settings = pick(flags, (flag) => flag in SETTING_FLAGS)
  const groups: readonly (readonly [title: string, flags: Flags])[] = [
    ['Flags', pick(flags, (flag) => ![GENERAL_FLAGS, SETTING_FLAGS, REMOTE_FLAGS].some((group) => flag in group))],
    ['Where the data is', { ...pick(flags, (flag) => flag in REMOTE_FLAGS), ...pickStore(settings, isServer) }],
    ['Settings', isServer ? settings : {}],
    ['General', pick(flags, (flag) => flag in GENERAL_FLAGS)],
  ]
  const width = Math.max(...groups.flatMap(([, group]) => Object.keys(group).map((flag) => flag.length)))
  for (const [title, group] of groups) {
    if (Object.keys(group).length === 0) continue
    print(terminal, `\n${title}`)
    for (const [flag, { type, help }] of Object.entries(group)) {
      print(terminal, `  --${flag.padEnd(width)}  ${type === 'boolean' ? '' : 'VALUE: '}${help}`)
    }
  }
  const isShort = !isServer && Object.keys(settings).length > 1
  if (isShort) print(terminal, '\nThe other settings of the configuration are flags, too: purser help serve')
}

function pickStore(settings: Flags, isServer: boolean): Flags {
  return isServer ? {} : pick(settings, (flag) => flag === STORE_FLAG)
}

function pick(flags: Flags, isPicked: (flag: string) => boolean): Flags {
  return Object.fromEntries(Object.entries(flags).filter(([flag]) => isPicked(flag)))
}
