import type { Effects } from 'purser'
import { isLoopback, noKeys, type OpenServer, openServer } from '../../app/server.ts'
import type { NewApiKey } from '../../auth/api-keys.ts'
import {
  type EnvironmentKeys,
  findShortKeys,
  requireStrongKeys,
  STRONG_KEY_LENGTH,
  validateEnvironmentKeys,
} from '../../auth/environment-keys.ts'
import { isRole } from '../../auth/scopes.ts'
import { type Config, loadConfig } from '../../config/load.ts'
import type { ConfigFile } from '../../config/schema.ts'
import { checkProviders } from '../check-providers.ts'
import type { Command, Invocation } from '../command.ts'
import { UsageError } from '../errors.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { getText, LOCAL_FLAGS } from '../flags.ts'
import { getMissingStore } from '../store-files.ts'
import { applyStyle, print, printJson, printMessage, type Terminal } from '../terminal.ts'

export const serve: Command = {
  name: 'serve',
  operands: '',
  operandCount: [0, 0],
  summary: 'Starts the server: gateway, management API and Deck.',
  flags: {
    ...LOCAL_FLAGS,
    'new-key': {
      type: 'string',
      help: 'also create a key of this role (service, viewer, operator, admin) and print it once',
    },
  },
  run: (invocation) => serveUntilInterrupted(invocation),
}

export interface ServeOverrides {
  /** Replaces the configuration file and the environment; only flags take precedence. */
  readonly config?: ConfigFile
  readonly effects?: Effects
  /** Starts work that runs beside the server; returns the function that stops it. */
  readonly startBackground?: (server: OpenServer) => Promise<() => Promise<void>>
}

/** Starts the server, prints its addresses, and drains it when interrupted. */
export async function serveUntilInterrupted(
  { terminal, flags }: Invocation,
  overrides: ServeOverrides = {},
): Promise<ExitCode> {
  const { environment, directory, signal } = terminal
  const { config, warnings, file } = loadConfig({ flags, environment, directory, config: overrides.config })
  for (const warning of warnings) printMessage(terminal, `warning: ${warning}`)
  warnOfProviders(config, terminal)
  const environmentKeys = { service: environment.PURSER_SERVICE_KEY, admin: environment.PURSER_ADMIN_KEY }
  checkKeys(config, environmentKeys, terminal)
  const server = await openServer({ config, keys: environmentKeys, effects: overrides.effects })
  try {
    const storeWarnings = await server.context.purser.storeWarnings()
    for (const warning of storeWarnings) printMessage(terminal, `warning: ${warning}`)
    const url = await server.listen()
    const firstKeys = await server.context.keys.createFirst()
    const newKeys = [...firstKeys, ...(await createRequestedKey(server, getText(flags['new-key'])))]
    await recordNewKeys(server, newKeys)
    const stopBackground = await overrides.startBackground?.(server)
    announce(terminal, await getAddresses(server, url, newKeys), {
      isJson: flags.json === true,
      hasServiceKey: Boolean(environmentKeys.service),
    })
    if (flags.json !== true && file !== null) printMessage(terminal, `configuration file: ${file}`)
    await waitForAbort(signal)
    printMessage(terminal, 'Shutting down: draining requests.')
    await stopBackground?.()
  } finally {
    await server.close()
  }
  return (signal.reason as Error | undefined)?.message === 'SIGINT' ? EXIT.interrupted : EXIT.ok
}

/** Refuses what is known before the store is opened, because opening may create it. */
function checkKeys(config: Config, keys: EnvironmentKeys, terminal: Terminal): void {
  validateEnvironmentKeys(keys)
  const { host } = config.server
  if (!isLoopback(host)) {
    requireStrongKeys(keys, host)
    const isNewStore = config.store === 'memory:' || getMissingStore(config) !== undefined
    if (isNewStore && !keys.service && !keys.admin) throw noKeys(host)
  }
  for (const variable of findShortKeys(keys)) {
    printMessage(terminal, `warning: ${variable} is shorter than ${STRONG_KEY_LENGTH} characters.`)
  }
}

/** What `purser doctor` finds in the configured providers, so that it is not found by the first request of a user. */
function warnOfProviders(config: Config, terminal: Terminal): void {
  for (const { check, ok, detail, hint } of checkProviders(config)) {
    printMessage(terminal, `${ok ? 'note' : 'warning'}: ${check}: ${detail}`)
    if (hint !== undefined) printMessage(terminal, `  ${hint}`)
  }
}

async function createRequestedKey(server: OpenServer, role: string | undefined): Promise<NewApiKey[]> {
  if (role === undefined) return []
  if (!isRole(role) || role === 'user') {
    throw new UsageError('--new-key must be one of service, viewer, operator, admin.')
  }
  return [await server.context.keys.create({ role, createdBy: 'purser serve --new-key' })]
}

async function recordNewKeys({ context }: OpenServer, keys: readonly NewApiKey[]): Promise<void> {
  for (const { id, role, name, createdBy } of keys) {
    const detail = `${role} key created: ${name}`
    await context.purser.recordAudit('key_created', {
      detail,
      data: { id, role, name },
      actor: createdBy,
      origin: 'command',
    })
  }
}

/** The output of `purser serve --json`. */
interface Addresses {
  readonly url: string
  readonly gateway: string
  /** The Deck's one-time sign-in link. */
  readonly deck: string
  readonly keys: readonly Pick<NewApiKey, 'role' | 'key' | 'id'>[]
}

async function getAddresses({ context }: OpenServer, url: string, newKeys: readonly NewApiKey[]): Promise<Addresses> {
  const { publicUrl, prefix } = context.options
  const publicAddress = publicUrl === undefined ? url : `${new URL(publicUrl).origin}${prefix}`
  return {
    url,
    gateway: `${publicAddress}/v1`,
    deck: `${publicAddress}/deck/sign-in?token=${await context.sessions.createLink()}`,
    keys: newKeys.map(({ role, key, id }) => ({ role, key, id })),
  }
}

interface AnnounceOptions {
  readonly isJson: boolean
  /** Whether PURSER_SERVICE_KEY is set. */
  readonly hasServiceKey: boolean
}

function announce(terminal: Terminal, addresses: Addresses, { isJson, hasServiceKey }: AnnounceOptions): void {
  if (isJson) {
    printJson(terminal, addresses)
    return
  }
  const { url, gateway, deck, keys } = addresses
  const printRow = (label: string, value: string): void =>
    print(terminal, `${applyStyle(terminal, 'bold', label.padEnd(12))} ${value}`)
  const printRemark = (text: string): void => print(terminal, `${' '.repeat(13)}${applyStyle(terminal, 'dim', text)}`)
  printRow('Gateway', gateway)
  printRow('Deck', deck)
  printRemark('one-time sign-in link, valid for 10 minutes')
  for (const { role, key } of keys) printRow(`${role} key`, key)
  if (keys.length > 0) printRemark('shown only once; the store holds a hash')
  const serviceKey = keys.findLast(({ role }) => role === 'service')?.key
  if (serviceKey === undefined && !hasServiceKey) printRow('New key', formatKeyCommand(terminal))
  printRow('Try it', formatCurl(url, serviceKey ?? '$PURSER_SERVICE_KEY'))
}

function formatKeyCommand({ environment }: Terminal): string {
  const isNpmStart = environment.npm_lifecycle_event === 'start'
  return `${isNpmStart ? 'npm run purser --' : 'purser'} keys create --role service`
}

/** A command line that works as printed: in double quotes, so that the shell expands a variable in the key. */
function formatCurl(url: string, key: string): string {
  const body = '{"messages":[{"role":"user","content":"Hello, who am I to you?"}]}'
  return [
    `curl ${url}/v1/chat/completions`,
    `-H "authorization: Bearer ${key}"`,
    '-H "x-purser-user: ada"',
    '-H "content-type: application/json"',
    `-d '${body}'`,
  ].join(' ')
}

function waitForAbort(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
