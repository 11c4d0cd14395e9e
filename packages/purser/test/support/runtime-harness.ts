import { randomBytes } from 'node:crypto'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { Effects } from '../../src/core/effects.ts'
import { createSubject, type Subject } from '../../src/core/subject.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Fold, UserData } from '../../src/journal/event.ts'
import { type OpenJournal, openJournal } from '../../src/journal/journal.ts'
import type { ChatModel } from '../../src/openai/chat-model.ts'
import { DEFAULTS, type McpServerOption, type ProviderOption, type RuntimeOptions } from '../../src/options.ts'
import type { UserRuntime } from '../../src/runtime/api.ts'
import type { OAuthPort } from '../../src/runtime/oauth/ports.ts'
import type {
  LiveModel,
  McpConnection,
  McpConnector,
  McpConnectRequest,
  ModelRequest,
} from '../../src/runtime/ports.ts'
import { createRuntimes, type Runtimes } from '../../src/runtime/runtimes.ts'
import { openKeyring } from '../../src/storage/root-key.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { openTestStore } from './test-store.ts'

/** A fake client, the request it was opened with, and how often it was closed. */
export interface OpenedClient<Request> {
  readonly request: Request
  closes: number
}

export interface OpenedConnection extends OpenedClient<McpConnectRequest> {
  break(): void
}

export interface RuntimeHarness extends AsyncDisposable {
  readonly runtimes: Runtimes
  readonly store: Store
  readonly journal: OpenJournal<UserData>
  readonly clock: HandClock
  /** In the order of opening. */
  readonly models: OpenedClient<ModelRequest>[]
  /** In the order of opening. */
  readonly connections: OpenedConnection[]
  readonly fakes: FakeClients
  user(id: string): UserRuntime
  subject(id: string): Subject
  erase(id: string): Promise<void>
  /** How often each client was closed, in the order of opening. */
  countCloses(): { models: number[]; connections: number[] }
  /** Opens another process on the same store; it is disposed with this harness. */
  openInstance(overrides?: Partial<RuntimeHarnessOptions>): Promise<RuntimeHarness>
}

/** The behavior of the fake clients; tests replace the functions. */
export interface FakeClients {
  connect(request: McpConnectRequest): Promise<void>
  disconnect(request: McpConnectRequest): Promise<void>
  closeModel(request: ModelRequest): Promise<void>
}

export interface RuntimeHarnessOptions {
  /** A store that is shared or wrapped; the caller closes it. Default: see `openTestStore`. */
  readonly store: Store
  /** A SQLite file to open. */
  readonly path: string
  readonly clock: HandClock
  /** Default: the clock. */
  readonly effects: Effects
  readonly secretKey: { current: string; previous: string[] }
  readonly providers: Record<string, ProviderOption>
  readonly presets: Record<string, Record<string, unknown>>
  readonly mcpServers: Record<string, McpServerOption>
  readonly runtime: Partial<RuntimeOptions>
  /** Real connections instead of the fakes. */
  readonly mcp: McpConnector
  readonly oauth: OAuthPort
}

const PROVIDERS: Record<string, ProviderOption> = {
  local: { kind: 'openai-compatible', apiKey: 'operator-key', models: ['m', 'n'], defaultModel: 'm' },
  other: { kind: 'openai', models: ['only'] },
  many: { kind: 'openai-compatible', models: ['x', 'y'] },
  open: { kind: 'openai-compatible' },
}

const SERVERS: Record<string, McpServerOption> = {
  plain: { url: 'http://127.0.0.1:1/mcp' },
  own: { url: 'http://127.0.0.1:1/{user}/mcp', headers: { authorization: 'Bearer {secret.token}' } },
  child: { command: 'nothing', env: { WHO: '{user}' } },
}

const PRESETS = {
  fast: { provider: 'many', model: 'x', parameters: { temperature: 0 } },
  calm: { parameters: { temperature: 0.1 } },
}

/** By default each user has a model and three MCP servers. */
export const WITH_DEFAULTS: { readonly runtime: Partial<RuntimeOptions> } = {
  runtime: { defaults: { provider: 'local', mcpServers: ['plain', 'own', 'child'] } },
}

const unused = async (): Promise<never> => {
  throw new Error('This harness has no OAuth.')
}
const NO_OAUTH: OAuthPort = { discover: unused, register: unused, start: unused, exchange: unused, refresh: unused }

const FOLD: Fold<UserData> = {
  initial: { state: {}, measurements: {}, usage: {} },
  evolve: (state) => state,
  facets: () => ({ phase: '', riskLevel: '', blocked: false, capUsed: 0, capUsedUntil: null, peak: 0 }),
}

/** Fake time that disposal may take; a store that never answers must not keep a failed test running. */
const DISPOSE_LIMIT_SECONDS = 60

/** A runtime module with fake clients, on a clock that is moved by hand. */
export async function openRuntimeHarness(options: Partial<RuntimeHarnessOptions> = {}): Promise<RuntimeHarness> {
  const clock = options.clock ?? handClock()
  const effects = options.effects ?? clock
  const store = options.store ?? (await openStore(options.path, effects))
  const secretKey = options.secretKey ?? { current: randomBytes(32).toString('base64'), previous: [] }
  const keys = await openKeyring(store.meta, secretKey)
  const journal = openJournal({ store, keys, effects, fold: FOLD })
  const models: OpenedClient<ModelRequest>[] = []
  const connections: OpenedConnection[] = []
  const instances: RuntimeHarness[] = []
  const fakes: FakeClients = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    closeModel: async () => undefined,
  }
  const fakeConnector: McpConnector = {
    oauth: options.oauth ?? NO_OAUTH,
    async connect(request) {
      await fakes.connect(request)
      return createConnection(request, connections, fakes)
    },
  }
  const runtimes = createRuntimes({
    ...{ journal, store, keys, effects },
    planOf: () => null,
    options: {
      namespace: 'test',
      providers: options.providers ?? PROVIDERS,
      presets: options.presets ?? PRESETS,
      plans: {},
      mcpServers: options.mcpServers ?? SERVERS,
      runtime: { ...DEFAULTS.runtime, ...options.runtime },
    },
    models: { build: (request) => buildModel(request, models, fakes) },
    mcp: options.mcp ?? fakeConnector,
  })
  const subject = (id: string): Subject => createSubject('test', id)
  return {
    ...{ runtimes, store, journal, clock, models, connections, fakes, subject },
    user: (id) => runtimes.of(subject(id)),
    async erase(id) {
      await journal.erase(subject(id), () => ({ type: 'erased', detail: 'erased', data: {} }))
      await runtimes.forget(subject(id))
    },
    countCloses: () => ({
      models: models.map(({ closes }) => closes),
      connections: connections.map(({ closes }) => closes),
    }),
    async openInstance(overrides) {
      const instance = await openRuntimeHarness({ ...options, store, clock, secretKey, ...overrides })
      instances.push(instance)
      return instance
    },
    async [Symbol.asyncDispose]() {
      for (const instance of instances) await instance[Symbol.asyncDispose]()
      const closing = runtimes.close({ timeoutMs: 0 }).then(() => journal.close())
      if (effects === clock) await passUntil(clock, closing)
      else await closing
      if (options.store === undefined) await store.close()
    },
  }
}

export function fails(code: string): (error: unknown) => boolean {
  return (error) => {
    if (!PurserError.is(error)) throw error
    if (error.code === code) return true
    throw new Error(`Expected ${code}, but it failed with ${error.code}: ${error.message}`, { cause: error })
  }
}

async function openStore(path: string | undefined, effects: Effects): Promise<Store> {
  return path === undefined ? openTestStore(effects) : openSqliteStore({ path, effects })
}

async function passUntil(clock: HandClock, work: Promise<unknown>): Promise<void> {
  let isDone = false
  const finish = (): void => {
    isDone = true
  }
  work.then(finish, finish)
  for (let second = 0; second < DISPOSE_LIMIT_SECONDS && !isDone; second++) await clock.pass(1_000)
}

/** A model that exposes the request it was built for; the real models are tested in providers/. */
function buildModel(request: ModelRequest, models: OpenedClient<ModelRequest>[], fakes: FakeClients): LiveModel {
  const { config, credentials, provider, modelId } = request
  const operatorKey =
    typeof config === 'object' && request.operatorKeyAllowed && 'apiKey' in config ? config.apiKey : undefined
  if (typeof config === 'object' && config.kind === 'openai' && !credentials && !operatorKey) {
    throw new PurserError('secret_missing', `Missing API key of '${provider}'.`)
  }
  const opened = { request, closes: 0 }
  models.push(opened)
  return {
    model: { opened, provider, modelId } as unknown as LanguageModelV4,
    chat: { opened, provider, model: modelId } as unknown as ChatModel,
    async close() {
      opened.closes++
      await fakes.closeModel(request)
    },
  }
}

function createConnection(
  request: McpConnectRequest,
  connections: OpenedConnection[],
  fakes: FakeClients,
): McpConnection {
  let onBroken: () => void = () => undefined
  const opened = { request, closes: 0, break: () => onBroken() }
  connections.push(opened)
  return {
    client: { opened } as unknown as Client,
    async close() {
      opened.closes++
      await fakes.disconnect(request)
    },
    onBroken(listener) {
      onBroken = listener
    },
  }
}
