import type { Effects } from '../../core/effects.ts'
import type { Keyring } from '../../core/keyring.ts'
import { type Subject, subjectKey } from '../../core/subject.ts'
import { PurserError } from '../../errors.ts'
import type { ActiveRuntime, Override, SettingsFields } from '../api.ts'
import type { Authorizations } from '../oauth/authorizations.ts'
import type { ModelFactory } from '../ports.ts'
import { type Credentials, openSecret } from '../secrets.ts'
import { readSession, SESSION_KIND, type StoredSession, usedSession } from '../sessions.ts'
import type { Catalog } from '../settings/catalog.ts'
import { type Resolved, resolveSettings, usualSettings } from '../settings/layers.ts'
import { type StoredRuntime, toolCredential } from '../stored-runtime.ts'
import type { CloseReason } from './graceful-close.ts'
import type { Queued } from './idle-queue.ts'
import {
  createMcpConnections,
  type McpConnectionPool,
  type McpConnections,
  retireOutdated,
  type ToolClient,
} from './mcp-connections.ts'
import { createModelCache, type ModelCache, type ModelClient } from './model-cache.ts'
import type { PooledClientDeps } from './pooled-client.ts'

/** Sessions whose records are remembered per live runtime, unknown ids included. */
const SESSIONS_REMEMBERED_MAX = 200
/** How often a read is repeated because the user changed meanwhile. */
const READS_MAX = 8
/** With a store that other processes write too, what was read is trusted this long when their news are lost. */
export const TRUST_MS = 30_000

export interface LiveRuntimeDeps extends PooledClientDeps {
  readonly effects: Effects
  readonly keys: Keyring
  readonly catalogue: Catalog
  readonly models: ModelFactory
  readonly desk: McpConnectionPool
  readonly authorizations: Pick<Authorizations, 'bearerFor'>
  readonly shared: boolean
  readFacts(user: Subject): Promise<StoredRuntime>
  readSession(user: Subject, id: string): Promise<string | undefined>
  /** This life of the user is over. */
  erased(live: LiveRuntime): void
}

/** How a runtime ends: let go of, or cut because the person or the whole house is gone. */
export type Fate = 'evicted' | 'erased' | 'closed'

/** What one acquisition runs on. */
export interface Plan extends Resolved {
  /** Undefined when no layer names a provider. */
  readonly client: ModelClient | undefined
  readonly session: PlannedSession | undefined
}

export interface PlannedSession {
  readonly id: string
  readonly stored: StoredSession
}

/**
 * One user's runtime in memory: what the store said of it, the clients that are live, and how many leases are out.
 * News from the store only mark what was read as old; the next use reads again and lets go of exactly the clients
 * that no longer fit.
 */
export class LiveRuntime implements Queued<LiveRuntime> {
  readonly user: Subject
  /** `subjectKey` of the user. */
  readonly key: string
  readonly rack: McpConnections = createMcpConnections()
  readonly #house: LiveRuntimeDeps
  readonly #shelf: ModelCache
  readonly #sessions = new Map<string, PlannedSession | undefined>()
  #facts: StoredRuntime | undefined
  #usual: Resolved | undefined
  #usualPlan: Plan | undefined
  #latestPlan: Plan | undefined
  #readAt = 0
  #generation = 0
  #isOld = true
  #reading: Promise<void> | undefined
  isQueued = false
  before: LiveRuntime | undefined
  behind: LiveRuntime | undefined
  /** Why nobody new gets this runtime, once so. */
  fate: Fate | undefined
  leases = 0
  /** Monotonic; means something only while no lease is out. */
  idleSince: number

  constructor(house: LiveRuntimeDeps, user: Subject) {
    this.#house = house
    this.user = user
    this.key = subjectKey(user)
    this.#shelf = createModelCache(house, house.models)
    this.idleSince = house.effects.monotonic()
  }

  get incarnation(): number {
    return this.#facts?.incarnation ?? 0
  }

  /** False until the store was read for the first time. */
  get isKnown(): boolean {
    return this.#facts !== undefined
  }

  /** What the store is known to say, unless that may be old. */
  get facts(): StoredRuntime | undefined {
    return this.#isOutdated() ? undefined : this.#facts
  }

  look(): ActiveRuntime {
    const clients = [...this.#shelf.all, ...this.rack.all].map((client) => client.look())
    return {
      user: this.user.id,
      version: this.#usual?.settings.version ?? 0,
      inUse: this.leases,
      idleMs: this.leases > 0 ? 0 : Math.max(0, this.#house.effects.monotonic() - this.idleSince),
      clients,
    }
  }

  /** The plan without session and override, when it can be used as it is: no I/O, no waiting. */
  warmPlan(): Plan | undefined {
    const plan = this.#usualPlan
    if (plan === undefined || this.#isOutdated() || plan.client?.isLeaving) return undefined
    return plan
  }

  /** What was read may be old. `kinds`: the records that changed, when that is known. */
  invalidate(kinds?: readonly string[]): void {
    this.#generation++
    this.#sessions.clear()
    if (kinds === undefined || kinds.some((kind) => kind !== SESSION_KIND)) this.#isOld = true
  }

  /** Reads the store again if what is known may be old. Callers share one read. */
  refresh(): Promise<void> {
    if (!this.#isOutdated()) return Promise.resolve()
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** Made at once, so that no model is built for somebody who has stopped waiting. */
  plan(session: PlannedSession | undefined, override: Override | undefined): Plan {
    const facts = this.#facts
    const usual = this.#usual
    if (facts === undefined || usual === undefined) throw new Error('A runtime is planned before it was read.')
    const pinned = session?.stored.pinned
    const isUsual = override === undefined && pinned === undefined
    const resolved = isUsual ? usual : resolveSettings(this.#house.catalogue, facts.own, { pinned, override })
    if (resolved.fault !== undefined) throw resolved.fault
    const plan: Plan = { ...resolved, client: this.#model(facts, resolved), session }
    if (isUsual) this.#latestPlan = plan
    if (isUsual && session === undefined) this.#usualPlan = plan
    return plan
  }

  /** Undefined for a session that is unknown or over. */
  async session(id: string): Promise<PlannedSession | undefined> {
    if (this.#sessions.has(id)) return this.#sessions.get(id)
    const generation = this.#generation
    const record = await this.#house.readSession(this.user, id)
    const stored = readSession(record, { incarnation: this.incarnation, now: this.#house.effects.now() })
    const session = stored && { id, stored }
    if (generation === this.#generation) this.#remember(id, session)
    return session
  }

  /** What using the session on this plan changes in its record; undefined when there is nothing to write. */
  useOfSession({ session, settings }: Plan): Pick<SettingsFields, 'provider' | 'model'> | undefined {
    if (session === undefined) return undefined
    const { provider, model } = settings
    const used = usedSession(session.stored, { provider, model, now: this.#house.effects.now() })
    if (used === session.stored) return undefined
    // What is no longer remembered was changed meanwhile, and must be read again.
    if (this.#sessions.get(session.id) === session) this.#remember(session.id, { id: session.id, stored: used })
    return { provider, model }
  }

  /** An MCP client that is open or opening, held for the caller. */
  takeTool(server: string): ToolClient {
    const { catalogue, desk, authorizations } = this.#house
    const definition = catalogue.servers.get(server)
    if (definition === undefined) throw new PurserError('mcp_unknown', `There is no MCP server '${server}'.`)
    const facts = this.#facts
    return desk.take(this.rack, {
      server,
      definition,
      user: this.user.id,
      credential: toolCredential(facts, server),
      credentials: () => (facts === undefined ? null : this.#credentials(facts, server)),
      bearer: (url) => authorizations.bearerFor(this.user, this.incarnation, { name: server, url }),
    })
  }

  /** Lets go of every client; resolves when those that nobody holds are closed. */
  async retireAll(farewell: CloseReason): Promise<void> {
    const tools = [...this.rack.clients.values()].map((client) => client.retire(farewell))
    await Promise.all([this.#shelf.retireAll(farewell), ...tools])
  }

  /** Closes every client now, those in use too. */
  async cutAll(farewell: CloseReason): Promise<void> {
    await Promise.all([...this.#shelf.all, ...this.rack.all].map((client) => client.cut(farewell)))
  }

  #isOutdated(): boolean {
    if (this.#isOld) return true
    return this.#house.shared && this.#house.effects.monotonic() - this.#readAt > TRUST_MS
  }

  async #read(): Promise<void> {
    for (let reads = 1; ; reads++) {
      const generation = this.#generation
      const readAt = this.#house.effects.monotonic()
      const facts = await this.#house.readFacts(this.user)
      const isNew = generation === this.#generation
      if (!isNew && reads < READS_MAX) continue
      this.#apply(facts)
      this.#readAt = readAt
      this.#isOld = !isNew
      return
    }
  }

  #apply(facts: StoredRuntime): void {
    if (this.#facts !== undefined && this.#facts.incarnation !== facts.incarnation) {
      this.#house.erased(this)
      return
    }
    this.#facts = facts
    this.#usual = usualSettings(this.#house.catalogue, facts.own)
    this.#usualPlan = undefined
    this.#shelf.retireOutdated((provider) => facts.secrets.get(provider)?.sealed ?? null)
    retireOutdated(this.rack, (server) => toolCredential(facts, server))
    if (this.#latestPlan !== undefined) this.#retireReplaced(this.#latestPlan, this.#usual)
  }

  /** What the user's own settings no longer name goes; what sessions and overrides brought stays. */
  #retireReplaced(before: Plan, { settings, operatorBaseURL }: Resolved): void {
    const isSameModel =
      before.operatorBaseURL === operatorBaseURL &&
      (['provider', 'model', 'region', 'deployment', 'baseURL'] as const).every(
        (field) => before.settings[field] === settings[field],
      )
    if (!isSameModel) void before.client?.retire('replaced')
    for (const server of before.settings.mcpServers) {
      if (!settings.mcpServers.includes(server)) void this.rack.clients.get(server)?.retire('replaced')
    }
  }

  #remember(id: string, session: PlannedSession | undefined): void {
    if (this.#sessions.size >= SESSIONS_REMEMBERED_MAX) this.#sessions.clear()
    this.#sessions.set(id, session)
  }

  #model(facts: StoredRuntime, { settings, operatorBaseURL }: Resolved): ModelClient | undefined {
    const { provider, model, region, deployment, baseURL } = settings
    const config = provider === null ? undefined : this.#house.catalogue.providers.get(provider)
    if (provider === null || model === null || config === undefined) return undefined
    return this.#shelf.get(
      {
        user: this.user,
        provider,
        config,
        modelId: model,
        settings: { region, deployment, baseURL },
        credentials: this.#credentials(facts, provider),
        operatorKeyAllowed: operatorBaseURL,
      },
      facts.secrets.get(provider)?.sealed ?? null,
    )
  }

  #credentials({ incarnation, secrets }: StoredRuntime, name: string): Credentials | null {
    const secret = secrets.get(name)
    return secret === undefined ? null : openSecret(this.#house.keys, { user: this.user, incarnation, name }, secret)
  }
}
