import type { Transport } from '@modelcontextprotocol/client'
import { endsWithin } from '../core/abort.ts'
import { type Effects, systemEnvironment } from '../core/effects.ts'
import { ProcessTransport } from './process-transport.ts'
import { monitorTransport, type TransportMonitor } from './transport-monitor.ts'

/** Variables for finding and starting a program. No other variable of this process reaches a server. */
const INHERITED_VARIABLES = ['PATH', 'PATHEXT', 'COMSPEC', 'SYSTEMDRIVE', 'SYSTEMROOT', 'TEMP'] as const

/** The end of stderr, for the error when the server does not start. */
const STDERR_MAX_CHARACTERS = 2_048

/** How long to wait for the exit of a killed process. */
const EXIT_TIMEOUT_MS = 1_000

export interface StdioDefinition {
  readonly command: string
  readonly args?: readonly string[] | undefined
  readonly env?: Record<string, string> | undefined
}

/** A server as a group of processes, one for each user. */
export function createStdioTransport(
  effects: Effects,
  { command, args, env }: StdioDefinition,
): { transport: Transport; monitor: TransportMonitor; destroy(): Promise<void>; stderr(): string } {
  let stderr = ''
  const transport = new ProcessTransport({
    effects,
    command,
    args: args ?? [],
    env: { ...inheritedVariables(), ...env },
    onStderr(text) {
      stderr = (stderr + text).slice(-STDERR_MAX_CHARACTERS)
    },
  })
  const monitor = monitorTransport(transport)
  let isStarted = false
  const start = transport.start.bind(transport)
  transport.start = async () => {
    await start()
    isStarted = true
  }
  return {
    transport,
    monitor,
    async destroy() {
      if (isStarted) await endsWithin(effects, monitor.closed, EXIT_TIMEOUT_MS)
    },
    stderr: () => stderr.trim(),
  }
}

function inheritedVariables(): Record<string, string> {
  const set = INHERITED_VARIABLES.map((name) => [name, systemEnvironment[name]] as const)
  return Object.fromEntries(set.filter((pair): pair is [(typeof pair)[0], string] => pair[1] !== undefined))
}
