import { parseArgs } from 'node:util'
import { suggestion } from 'purser'
import { VERSION } from '../app/version.ts'
import { type Call, type Command, EXIT, type ExitCode, parserOptions, requireSegment, UsageError } from './command.ts'
import { COMMANDS } from './commands/index.ts'
import { failureOf } from './exit-codes.ts'
import { print, printJson, say, styled, type Terminal } from './terminal.ts'

/** Runs `purser WORDS…`; resolves with the exit code. */
export async function run(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const json = words.includes('--json')
  try {
    return await dispatch(words, terminal)
  } catch (error) {
    const { exitCode, code, message, hint } = failureOf(error)
    if (json) printJson(terminal, { error: { code, message, ...(hint === undefined ? {} : { hint }) } })
    else say(terminal, `${styled(terminal, 'red', 'error')}: ${message}${hint === undefined ? '' : `\n  ${hint}`}`)
    return exitCode
  }
}

async function dispatch(words: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [first, second] = words
  if (first === undefined || first === '--help' || first === 'help') {
    printOverview(terminal)
    return first === undefined ? EXIT.usage : EXIT.ok
  }
  if (first === '--version') {
    print(terminal, VERSION)
    return EXIT.ok
  }
  const command =
    COMMANDS.find(({ name }) => name === `${first} ${second}`) ?? COMMANDS.find(({ name }) => name === first)
  if (command === undefined) throw unknown(first)
  const rest = words.slice(command.name.split(' ').length)
  if (rest.includes('--help')) {
    printHelp(terminal, command)
    return EXIT.ok
  }
  return command.run(read(command, rest, terminal))
}

function read(command: Command, rest: readonly string[], terminal: Terminal): Call {
  let parsed: ReturnType<typeof parseArgs>
  try {
    parsed = parseArgs({
      args: [...rest],
      options: parserOptions(command.flags),
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    })
  } catch (error) {
    const flag = /'--([\w-]+)/.exec((error as Error).message)?.[1] ?? ''
    const near = Object.hasOwn(command.flags, flag)
      ? ''
      : suggestion(flag, Object.keys(command.flags)).replace("'", "'--")
    throw new UsageError(`${(error as Error).message.split('. To specify')[0]} ${near}`.trimEnd())
  }
  const operands = parsed.positionals
  const [least, most] = command.takes
  if (operands.length < least || operands.length > most) {
    throw new UsageError(`Usage: purser ${command.name} ${command.operands}`.trimEnd())
  }
  // Before a store is opened, which may make one.
  if (/^\[?ID/.test(command.operands)) operands.slice(0, 1).forEach(requireSegment)
  return { operands, flags: parsed.values as Call['flags'], terminal }
}

function unknown(first: string): UsageError {
  const family = COMMANDS.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
  if (family.length > 0) return new UsageError(`There is ${family.map((name) => `'purser ${name}'`).join(', ')}.`)
  const near = suggestion(first, new Set(COMMANDS.map(({ name }) => name.split(' ')[0] ?? '')))
  return new UsageError(`There is no command '${first}'. ${near || 'See purser --help.'}`)
}

function printOverview(terminal: Terminal): void {
  print(terminal, `purser ${VERSION}\n`)
  const width = Math.max(...COMMANDS.map(({ name, operands }) => name.length + operands.length + 1))
  for (const { name, operands, summary } of COMMANDS) {
    print(terminal, `  ${`${name} ${operands}`.trimEnd().padEnd(width)}  ${summary}`)
  }
  print(terminal, '\npurser COMMAND --help tells the flags of a command.')
}

function printHelp(terminal: Terminal, { name, operands, summary, flags }: Command): void {
  print(terminal, `purser ${`${name} ${operands}`.trimEnd()}\n\n${summary}\n`)
  const width = Math.max(...Object.keys(flags).map((flag) => flag.length))
  for (const [flag, { type, help }] of Object.entries(flags)) {
    print(terminal, `  --${flag.padEnd(width)}  ${type === 'boolean' ? '' : 'VALUE: '}${help}`)
  }
}
