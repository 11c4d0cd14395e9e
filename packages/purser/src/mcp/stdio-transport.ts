import { DEFAULT_INHERITED_ENV_VARS, StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { endsWithin } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import { monitorTransport, type TransportMonitor } from './transport-monitor.ts'

/** Variables for finding and starting a program. No other variable of this process reaches a server. */
const INHERITED_VARIABLES: ReadonlySet<string> = new Set([
  'PATH',
  'PATHEXT',
  'COMSPEC',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
])

/** The end of stderr, for the error when the server does not start. */
const STDERR_MAX_CHARACTERS = 2_048

/** How long to wait for the exit of a killed process. */
const EXIT_TIMEOUT_MS = 1_000

export interface StdioDefinition {
  readonly command: string
  readonly args?: readonly string[] | undefined
  readonly env?: Record<string, string> | undefined
}

/** A server as a child process, one for each user. */
export function createStdioTransport(
  effects: Effects,
  { command, args, env }: StdioDefinition,
): { transport: StdioClientTransport; monitor: TransportMonitor; destroy(): Promise<void>; stderr(): string } {
  const transport = new StdioClientTransport({
    command,
    args: [...(args ?? [])],
    env: { ...withheldVariables(), ...env },
    stderr: 'pipe',
  })
  let stderr = ''
  transport.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString()).slice(-STDERR_MAX_CHARACTERS)
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

/** The transport adds HOME, USER and others by default; a variable with the value `undefined` is not passed on. */
function withheldVariables(): Record<string, string> {
  const names = DEFAULT_INHERITED_ENV_VARS.filter((name) => !INHERITED_VARIABLES.has(name))
  return Object.fromEntries(names.map((name) => [name, undefined])) as unknown as Record<string, string>
}
