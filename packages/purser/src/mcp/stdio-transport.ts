import { DEFAULT_INHERITED_ENV_VARS, StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { endsWithin } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import { monitorTransport, type TransportMonitor } from './transport-monitor.ts'

/** What a program is found and started by. Nothing else of this process's environment reaches a server. */
const INHERITED: ReadonlySet<string> = new Set(['PATH', 'PATHEXT', 'COMSPEC', 'SYSTEMDRIVE', 'SYSTEMROOT', 'TEMP'])

/** What a server says on stderr is kept for the error, should it not start. */
const STDERR_MAX_CHARACTERS = 2_048

export interface ProcessDefinition {
  readonly command: string
  readonly args?: readonly string[] | undefined
  readonly env?: Record<string, string> | undefined
}

/** A process that had to be killed is waited for, but not longer than this. */
const KILLED_LIMIT_MS = 1_000

export function stdioTransport(
  effects: Effects,
  { command, args, env }: ProcessDefinition,
): { transport: StdioClientTransport; watch: TransportMonitor; destroy(): Promise<void>; lastWords(): string } {
  const transport = new StdioClientTransport({
    command,
    args: [...(args ?? [])],
    env: { ...withheld(), ...env },
    stderr: 'pipe',
  })
  let said = ''
  transport.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-STDERR_MAX_CHARACTERS)
  })
  const watch = monitorTransport(transport)
  let isStarted = false
  const start = transport.start.bind(transport)
  transport.start = async () => {
    await start()
    isStarted = true
  }
  return {
    transport,
    watch,
    async destroy() {
      if (isStarted) await endsWithin(effects, watch.closed, KILLED_LIMIT_MS)
    },
    lastWords: () => said.trim(),
  }
}

/** The transport adds HOME, USER and others by itself; a variable that is `undefined` is not passed on. */
function withheld(): Record<string, string> {
  const names = DEFAULT_INHERITED_ENV_VARS.filter((name) => !INHERITED.has(name))
  return Object.fromEntries(names.map((name) => [name, undefined])) as unknown as Record<string, string>
}
