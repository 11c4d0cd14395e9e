import { randomBytes } from 'node:crypto'
import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { Effects } from '../../src/core/effects.ts'
import { createSubject, type Subject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { PurserError } from '../../src/errors.ts'
import type { Fold } from '../../src/journal/event.ts'
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

/** A client that was opened, and what became of it. */
export interface Opened<Order> {
  readonly order: Order
  closes: number
}

export interface House {
  readonly runtimes: Runtimes
  readonly store: Store
  readonly journal: OpenJournal<object, object>
  readonly clock: HandClock
  readonly models: Opened<ModelRequest>[]
  readonly tools: (Opened<McpConnectRequest> & { breakIt(): void })[]
  readonly behaviour: Behaviour
  user(id: string): UserRuntime
  subject(id: string): Subject
  erase(id: string): Promise<void>
  /** Another process on the same store. */
  sibling(overrides?: Partial<Furnishing>): Promise<House>
}

/** What the fake clients do; tests change it on the way. */
export interface Behaviour {
  openTools(order: McpConnectRequest): Promise<void>
  closeTools(order: McpConnectRequest): Promise<void>
  closeModel(order: ModelRequest): Promise<void>
}

export interface Furnishing {
  readonly store: Store
  readonly clock: HandClock
  readonly secretKey: { current: string; previous: string[] }
  readonly providers: Record<string, ProviderOption>
  readonly presets: Record<string, Record<string, unknown>>
  readonly mcpServers: Record<string, McpServerOption>
  readonly options: Partial<RuntimeOptions>
  /** Real ones in place of the fakes. */
  readonly tools: McpConnector
  readonly authorization: OAuthPort
  readonly effects: Effects
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

const unused = async (): Promise<never> => {
  throw new Error('Nobody speaks OAuth here.')
}
const NO_AUTHORIZATION: OAuthPort = {
  discover: unused,
  register: unused,
  start: unused,
  exchange: unused,
  refresh: unused,
}

export const fold: Fold<object, object> = {
  initialState: {},
  initialMeasurements: {},
  evolve: (state) => state,
  facets: () => ({ phase: '', riskLevel: '', blocked: false, capUsed: 0, capUsedUntil: null, peak: 0 }),
}

export async function openHouse(given: Partial<Furnishing> = {}): Promise<House> {
  const clock = given.clock ?? handClock()
  const store = given.store ?? (await openMemoryStore({ effects: clock }))
  const secretKey = given.secretKey ?? { current: randomBytes(32).toString('base64'), previous: [] }
  const keys = await openKeyring(store.meta, secretKey)
  const journal = openJournal({ store, keys, effects: given.effects ?? clock, fold })
  const models: House['models'] = []
  const tools: House['tools'] = []
  const behaviour: Behaviour = {
    openTools: async () => undefined,
    closeTools: async () => undefined,
    closeModel: async () => undefined,
  }
  const runtimes = createRuntimes({
    journal,
    store,
    keys,
    effects: given.effects ?? clock,
    options: {
      namespace: 'test',
      providers: given.providers ?? PROVIDERS,
      presets: given.presets ?? PRESETS,
      mcpServers: given.mcpServers ?? SERVERS,
      runtime: { ...DEFAULTS.runtime, ...given.options },
    },
    models: { build: (order) => buildModel(order, models, behaviour) },
    mcp: given.tools ?? {
      oauth: given.authorization ?? NO_AUTHORIZATION,
      async connect(order) {
        await behaviour.openTools(order)
        return liveTools(order, tools, behaviour)
      },
    },
  })
  return {
    runtimes,
    store,
    journal,
    clock,
    models,
    tools,
    behaviour,
    user: (id) => runtimes.of(createSubject('test', id)),
    subject: (id) => createSubject('test', id),
    async erase(id) {
      await journal.erase(createSubject('test', id), () => ({ type: 'erased', detail: 'erased', data: {} }))
      await runtimes.forget(createSubject('test', id))
    },
    sibling: (overrides) => openHouse({ ...given, store, clock, secretKey, ...overrides }),
  }
}

/** A model that knows for whom it was built; the real ones are tested where they are made. */
function buildModel(order: ModelRequest, models: House['models'], behaviour: Behaviour): LiveModel {
  const { config, credentials } = order
  const operatorKey = typeof config === 'object' && order.operatorKeyAllowed ? config.apiKey : undefined
  if (typeof config === 'object' && config.kind === 'openai' && !credentials && !operatorKey) {
    throw new PurserError('secret_missing', `There is no key for '${order.provider}'.`)
  }
  const opened = { order, closes: 0 }
  models.push(opened)
  return {
    model: { opened, provider: order.provider, modelId: order.modelId } as unknown as LanguageModelV4,
    chat: { opened, provider: order.provider, model: order.modelId } as unknown as ChatModel,
    async close() {
      opened.closes++
      await behaviour.closeModel(order)
    },
  }
}

function liveTools(order: McpConnectRequest, tools: House['tools'], behaviour: Behaviour): McpConnection {
  let broken: () => void = () => undefined
  const opened = { order, closes: 0, breakIt: () => broken() }
  tools.push(opened)
  return {
    client: { opened } as unknown as Client,
    async close() {
      opened.closes++
      await behaviour.closeTools(order)
    },
    onBroken(listener) {
      broken = listener
    },
  }
}

/** How often each client was closed, in the order of opening. */
export function closesOf(house: House): { models: number[]; tools: number[] } {
  return { models: house.models.map(({ closes }) => closes), tools: house.tools.map(({ closes }) => closes) }
}

/** Everybody has a model and three MCP servers. */
export const FURNISHED: Partial<Furnishing> & { readonly options: Partial<RuntimeOptions> } = {
  options: { defaults: { provider: 'local', mcpServers: ['plain', 'own', 'child'] } },
}

export function fails(code: string): (error: unknown) => boolean {
  return (error) => {
    if (!PurserError.is(error)) throw error
    if (error.code === code) return true
    throw new Error(`Expected ${code}, but it failed with ${error.code}: ${error.message}`, { cause: error })
  }
}
