import { type OpenServer, openServer } from '../../app/server.ts'
import type { NewKey } from '../../auth/api-keys.ts'
import { isRole } from '../../auth/roles.ts'
import { loadConfig } from '../../config/load.ts'
import type { ConfigFile } from '../../config/schema.ts'
import {
  type Call,
  type Command,
  EXIT,
  type ExitCode,
  GENERAL_FLAGS,
  SETTING_FLAGS,
  text,
  UsageError,
} from '../command.ts'
import { print, printJson, say, styled, type Terminal } from '../terminal.ts'

export const serve: Command = {
  name: 'serve',
  operands: '',
  summary: 'Gateway, management API and Deck.',
  takes: [0, 0],
  flags: {
    ...GENERAL_FLAGS,
    ...SETTING_FLAGS,
    'new-key': { type: 'string', help: 'also make a key of this role (service, admin, …) and print it once' },
  },
  run: (call) => serveUntilInterrupted(call),
}

export interface Occasion {
  /** What it runs on in the place of file and environment; only flags stand above it. */
  readonly instead?: ConfigFile
  /** Works beside the server; answers how to stop it. */
  readonly companion?: (server: OpenServer) => Promise<() => Promise<void>>
}

/** Opens the server, prints how to reach it, and drains when interrupted. */
export async function serveUntilInterrupted(call: Call, occasion: Occasion = {}): Promise<ExitCode> {
  const { terminal, flags } = call
  const { environment } = terminal
  const loaded = loadConfig({ flags, environment, directory: terminal.directory, instead: occasion.instead })
  for (const warning of loaded.warnings) say(terminal, `warning: ${warning}`)
  const given = { service: environment.PURSER_SERVICE_KEY, admin: environment.PURSER_ADMIN_KEY }
  const server = await openServer({ config: loaded.config, keys: given })
  try {
    const url = await server.listen()
    const made = [...(await server.house.keys.createFirst()), ...(await orderedKey(server, text(flags['new-key'])))]
    const stop = await occasion.companion?.(server)
    announce(terminal, flags.json === true, { server, url, made, file: loaded.file })
    await interruption(terminal.interrupted)
    say(terminal, 'Taking no more work; what is under way may end.')
    await stop?.()
  } finally {
    await server.close()
  }
  return (terminal.interrupted.reason as Error | undefined)?.message === 'SIGINT' ? EXIT.interrupted : EXIT.ok
}

async function orderedKey(server: OpenServer, role: string | undefined): Promise<NewKey[]> {
  if (role === undefined) return []
  if (!isRole(role) || role === 'user') throw new UsageError(`--new-key takes service, viewer, operator or admin.`)
  return [await server.house.keys.create({ role, createdBy: 'purser serve --new-key' })]
}

interface Announcement {
  readonly server: OpenServer
  readonly url: string
  readonly made: readonly NewKey[]
  readonly file: string | null
}

function announce(terminal: Terminal, json: boolean, { server, url, made, file }: Announcement): void {
  const { publicUrl, prefix } = server.house.options
  const known = publicUrl === undefined ? url : `${new URL(publicUrl).origin}${prefix}`
  const deck = `${known}/deck/sign-in?token=${server.house.sessions.createLink()}`
  const keys = made.map(({ role, key, id }) => ({ role, key, id }))
  if (json) {
    printJson(terminal, { url, gateway: `${known}/v1`, deck, keys })
    return
  }
  const label = (name: string): string => styled(terminal, 'bold', name.padEnd(12))
  print(terminal, `${label('Gateway')} ${known}/v1`)
  print(terminal, `${label('Deck')} ${deck}`)
  print(terminal, `${' '.repeat(13)}${styled(terminal, 'dim', 'signs in once, within ten minutes')}`)
  for (const { role, key } of keys) print(terminal, `${label(`${role} key`)} ${key}`)
  if (keys.length > 0)
    print(terminal, `${' '.repeat(13)}${styled(terminal, 'dim', 'shown this once; only a hash is kept')}`)
  const service = made.findLast(({ role }) => role === 'service')?.key
  if (service === undefined) print(terminal, `${label('New key')} ${newKeyLine(terminal)}`)
  print(terminal, `${label('Try it')} ${curlLine(url, service ?? '$PURSER_SERVICE_KEY')}`)
  if (file !== null) say(terminal, `configured by ${file}`)
}

function newKeyLine(terminal: Terminal): string {
  const byNpm = terminal.environment.npm_lifecycle_event === 'start'
  return `${byNpm ? 'npm run purser --' : 'purser'} keys create --role service`
}

/** Works as printed: double quotes, so that the shell fills in a variable. */
function curlLine(url: string, key: string): string {
  const body = '{"messages":[{"role":"user","content":"Hello, who am I to you?"}]}'
  return [
    `curl ${url}/v1/chat/completions`,
    `-H "authorization: Bearer ${key}"`,
    '-H "x-purser-user: ada"',
    '-H "content-type: application/json"',
    `-d '${body}'`,
  ].join(' ')
}

function interruption(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
