import { parseArgs } from 'node:util'
import { suggestion } from 'purser'
import { escapeControls } from '../app/escape-controls.ts'
import { VERSION } from '../app/version.ts'
import { requireSegment } from './api-client.ts'
import type { Command, Invocation } from './command.ts'
import { COMMANDS } from './commands/index.ts'
import { UsageError } from './errors.ts'
import { EXIT, type ExitCode, toFailure } from './exit-codes.ts'
import { toParseArgsOptions } from './flags.ts'
import { printHelp, printOverview } from './help.ts'
import { applyStyle, print, printJson, printMessage, type Terminal } from './terminal.ts'

/** Runs `purser ARGS…` and returns the exit code. Errors are printed, not thrown. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    return await dispatch(args, terminal)
  } catch (error) {
    // The reader of the output has left.
    if (isClosedPipe(error) || isClosedPipe(terminal.signal.reason)) return EXIT.ok
    const { exitCode, code, message, hint } = toFailure(error)
    if (exitCode === EXIT.interrupted) printMessage(terminal, message)
    else if (args.includes('--json'))
      printJson(terminal, { error: { code, message, ...(hint === undefined ? {} : { hint }) } })
    else {
      const label = applyStyle(terminal, 'red', 'error')
      printMessage(terminal, `${label}: ${escapeControls(message)}`)
      if (hint !== undefined) printMessage(terminal, `  ${escapeControls(hint)}`)
    }
    return exitCode
  }
}

function isClosedPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE'
}

async function dispatch(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  const [first] = args
  if (first === undefined || isHelp(first) || (first === 'help' && args.length === 1)) {
    printOverview(terminal, COMMANDS)
    return first === undefined ? EXIT.usage : EXIT.ok
  }
  if (first === '--version' || first === '-v') {
    print(terminal, VERSION)
    return EXIT.ok
  }
  const words = first === 'help' ? args.slice(1) : args
  const command = findCommand(words)
  const rest = words.slice(command.name.split(' ').length)
  const operands = rest.slice(0, rest.includes('--') ? rest.indexOf('--') : undefined)
  if (first === 'help' || operands.some(isHelp)) {
    printHelp(terminal, command)
    return EXIT.ok
  }
  return command.run(parseInvocation(command, rest, terminal))
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h'
}

function findCommand([first = '', second]: readonly string[]): Command {
  const command =
    COMMANDS.find(({ name }) => name === `${first} ${second}`) ?? COMMANDS.find(({ name }) => name === first)
  if (command === undefined) throw unknownCommand(first)
  return command
}

function parseInvocation(command: Command, args: readonly string[], terminal: Terminal): Invocation {
  const { values, positionals } = parseFlags(command, args)
  const [min, max] = command.operandCount
  if (positionals.length < min || positionals.length > max) {
    throw new UsageError(`Usage: purser ${command.name} ${command.operands}`.trimEnd())
  }
  // Checked before a store is opened, because that may create it.
  if (/^\[?ID/.test(command.operands)) positionals.slice(0, 1).forEach(requireSegment)
  return { operands: positionals, flags: values as Invocation['flags'], terminal }
}

function parseFlags({ flags }: Command, args: readonly string[]): ReturnType<typeof parseArgs> {
  try {
    return parseArgs({
      args: [...args],
      options: toParseArgsOptions(flags),
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    })
  } catch (error) {
    const { message } = error as Error
    const flag = /'--([\w-]+)/.exec(message)?.[1] ?? ''
    const hint = Object.hasOwn(flags, flag) ? '' : suggestion(flag, Object.keys(flags)).replace("'", "'--")
    throw new UsageError(`${message.split('. To specify')[0]} ${hint}`.trimEnd())
  }
}

function unknownCommand(name: string): UsageError {
  const group = COMMANDS.filter((command) => command.name.startsWith(`${name} `)).map((command) => command.name)
  if (group.length > 0) return new UsageError(`Unknown command '${name}'. Did you mean: ${group.join(', ')}?`)
  const firstWords = new Set(COMMANDS.map((command) => command.name.split(' ')[0] ?? ''))
  return new UsageError(`Unknown command '${name}'. ${suggestion(name, firstWords) || 'See purser --help.'}`)
}
