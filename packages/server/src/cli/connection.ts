import { userInfo } from 'node:os'
import type { Bond, Purser } from 'purser'
import { escapeControls } from '../app/escape-controls.ts'
import { openServer } from '../app/server.ts'
import { loadConfig } from '../config/load.ts'
import { type ApiClient, createApiClient } from './api-client.ts'
import type { Invocation } from './command.ts'
import { ApiError, NotFoundError, UsageError } from './errors.ts'
import { getText } from './flags.ts'
import { requireStore } from './store-files.ts'
import { printMessage } from './terminal.ts'

/** As the event log limits it. */
const ACTOR_MAX_BYTES = 256

/**
 * The management API of a running server, or of a server without a socket that is opened on the configured store for
 * one command. So every command behaves the same either way and is checked by the same rules.
 */
export interface Connection extends ApiClient, AsyncDisposable {
  /** The opened store; undefined with a running server. */
  readonly purser: Purser | undefined
  /** Who the events of changes name; undefined with a running server, which knows the name of the key. */
  readonly actor: string | undefined
}

export interface StoreConnection extends Connection {
  readonly purser: Purser
  readonly actor: string
}

/** Connects to the server of `--url` or PURSER_URL; without one it opens the configured store, and creates it. */
export async function connect(invocation: Invocation): Promise<Connection> {
  return connectToServer(invocation) ?? openStore(invocation)
}

/** Like `connect`, for commands that only read: throws `NotFoundError` instead of creating a store. */
export async function connectReadOnly(invocation: Invocation): Promise<Connection> {
  return connectToServer(invocation) ?? openStore(invocation, { create: false })
}

/** Opens the configured store, whatever URL is set. Without `create` it throws `NotFoundError` when there is none. */
export async function openStore(
  { terminal, flags }: Invocation,
  { create = true }: { readonly create?: boolean } = {},
): Promise<StoreConnection> {
  const { environment, directory } = terminal
  const { config, warnings } = loadConfig({ flags, environment, directory })
  for (const warning of warnings) printMessage(terminal, `warning: ${warning}`)
  if (!create) requireStore(config)
  const actor = getActor(flags)
  const server = await openServer({
    config: { ...config, server: { ...config.server, prefix: '', logLevel: 'silent' } },
    authorize: () => ({ actor, role: 'admin', origin: 'command' }),
  })
  return {
    ...createApiClient('http://localhost', (request) => server.fetch(request)),
    purser: server.context.purser,
    actor,
    [Symbol.asyncDispose]: () => server.close(),
  }
}

/** The person who runs a command: `--actor`, else the user of the operating system. */
function getActor(flags: Invocation['flags']): string {
  const actor = getText(flags.actor)
  if (actor === '' || Buffer.byteLength(actor ?? '') > ACTOR_MAX_BYTES) {
    throw new UsageError(`--actor must be text of 1 to ${ACTOR_MAX_BYTES} bytes.`)
  }
  return actor ?? systemUser()
}

/** A process in a container may run as a user without a name. */
function systemUser(): string {
  try {
    return userInfo().username
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}

/** For commands that work on files of this machine. `command` is the subject of the message. */
export function requireLocal(invocation: Invocation, command: string): void {
  if (getServerUrl(invocation) === undefined) return
  throw new UsageError(
    `${command} needs direct access to the store: run it on the machine of the store, without --url and PURSER_URL.`,
  )
}

/** For commands that read the local configuration even when a server is named. */
export function warnLocal(invocation: Invocation): void {
  if (getServerUrl(invocation) === undefined) return
  printMessage(invocation.terminal, 'PURSER_URL is ignored: this command reads the local configuration.')
}

/** For commands that would show nothing for an unknown user. A user that cannot be read counts as existing. */
export async function requireUser(connection: Connection, id: string): Promise<void> {
  const bond = (await connection.request('GET', ['users', id, 'bond']).catch(() => undefined)) as Bond | undefined
  if (bond?.exists === false) throw userNotFound(id)
}

export function userNotFound(id: string): NotFoundError {
  return new NotFoundError(`User '${escapeControls(id)}' not found.`)
}

function getServerUrl({ flags, terminal }: Invocation): string | undefined {
  return getText(flags.url) ?? terminal.environment.PURSER_URL
}

function connectToServer(invocation: Invocation): Connection | undefined {
  const { environment } = invocation.terminal
  const url = getServerUrl(invocation)
  if (url === undefined) return undefined
  if (!URL.canParse(url)) throw new UsageError(`--url is not a URL: ${url}`)
  const key = getText(invocation.flags.key) ?? environment.PURSER_KEY ?? environment.PURSER_ADMIN_KEY
  if (key === undefined) throw new UsageError('--url requires a key: --key KEY, PURSER_KEY or PURSER_ADMIN_KEY.')
  if (invocation.flags.actor !== undefined)
    throw new UsageError('--actor needs the store: with --url the actor is the name of the key.')
  const client = createApiClient(url.replace(/\/$/, ''), async (request) => {
    request.headers.set('authorization', `Bearer ${key}`)
    try {
      return await fetch(request)
    } catch (cause) {
      if (request.signal.aborted) throw cause
      const message = `Cannot reach ${new URL(url).origin}.`
      throw new ApiError(0, { code: 'unreachable', message, hint: 'Check that the server is running.' })
    }
  })
  return { ...client, purser: undefined, actor: undefined, async [Symbol.asyncDispose]() {} }
}
