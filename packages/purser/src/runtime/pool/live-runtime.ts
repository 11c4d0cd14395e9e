import type { Effects } from '../../core/effects.ts'
import type { QueueNode } from '../../core/linked-queue.ts'
import { type Subject, subjectKey } from '../../core/subject.ts'
import { PurserError } from '../../errors.ts'
import type { ActiveRuntime, Override } from '../api.ts'
import { getCredentialVersion, type RuntimeRepository, type StoredRuntime } from '../repository.ts'
import type { SessionRepository } from '../session-repository.ts'
import { SESSION_KIND, type StoredSession, withUse } from '../sessions.ts'
import { type Catalog, catalogOf } from '../settings/catalog.ts'
import { type ResolvedSettings, resolveBaseSettings, resolveSettings } from '../settings/resolve-settings.ts'
import type { CloseReason } from './graceful-close.ts'
import {
  createUserMcpClients,
  type McpClient,
  type McpConnectionPool,
  retireOutdated,
  type UserMcpClients,
} from './mcp-connection-pool.ts'
import type { ModelCache, ModelClient } from './model-cache.ts'

/** Sessions cached per live runtime, unknown ids included. */
const SESSIONS_CACHED_MAX = 200
/** How often a read is repeated because the user changed meanwhile. */
const READS_MAX = 8
/** On a shared store, data is read again after this time, in case the message about a change was lost. */
const MAX_AGE_MS = 30_000

export interface LiveRuntimeDeps {
  readonly effects: Effects
  readonly catalog: Catalog
  readonly repository: RuntimeRepository
  readonly sessions: SessionRepository
  readonly mcp: McpConnectionPool
  createModelCache(): ModelCache
  /** How long what was read stays usable while the store fails; 0: it is not. */
  readonly staleOnFailureMs: number
}

/** Why a runtime is given to no new lease: evicted runtimes drain, erased and shut down ones are cut. */
export type RuntimeCloseReason = Extract<CloseReason, 'evicted' | 'erased' | 'shutdown'>

/** The settings and the model client of one lease. */
export interface RuntimeSnapshot extends ResolvedSettings {
  /** Undefined when no layer sets a provider. */
  readonly client: ModelClient | undefined
  readonly session: LoadedSession | undefined
}

export interface LoadedSession {
  readonly id: string
  readonly stored: StoredSession
}

/**
 * The runtime of one user in memory: what was read from the store, the live clients, and the number of leases. A change
 * in the store only invalidates what was read; the next use reads again and retires exactly the clients that no longer
 * match.
 */
export class LiveRuntime implements QueueNode<LiveRuntime> {
  // The fields of a warm acquire and release come first: adjacent, they share cache lines.
  /** Number of leases. */
  leases = 0
  isQueued = false
  previous: LiveRuntime | undefined
  next: LiveRuntime | undefined
  /** Monotonic ms; valid while there is no lease. */
  idleSince: number
  /** Set when the runtime is given to no new lease. */
  closeReason: RuntimeCloseReason | undefined
  readonly #deps: LiveRuntimeDeps
  #isInvalidated = true
  #readAt = 0
  /** The snapshot without session and override. */
  #baseSnapshot: RuntimeSnapshot | undefined
  #stored: StoredRuntime | undefined

  readonly user: Subject
  /** `subjectKey` of the user. */
  readonly key: string
  readonly #onErased: (runtime: LiveRuntime) => void
  readonly #models: ModelCache
  readonly #mcpClients: UserMcpClients = createUserMcpClients()
  readonly #sessions = new Map<string, LoadedSession | undefined>()
  #baseSettings: ResolvedSettings | undefined
  /** The last snapshot that resolved to the base settings. */
  #latestSnapshot: RuntimeSnapshot | undefined
  #generation = 0
  #reading: Promise<void> | undefined

  /** `onErased` is called when the incarnation of this runtime turns out to be over. */
  constructor(deps: LiveRuntimeDeps, user: Subject, onErased: (runtime: LiveRuntime) => void) {
    this.#deps = deps
    this.#onErased = onErased
    this.user = user
    this.key = subjectKey(user)
    this.#models = deps.createModelCache()
    this.idleSince = deps.effects.monotonic()
  }

  get incarnation(): number {
    return this.#stored?.incarnation ?? 0
  }

  /** False until the store was read for the first time. */
  get isLoaded(): boolean {
    return this.#stored !== undefined
  }

  /** What was read from the store, unless it may be outdated. */
  get stored(): StoredRuntime | undefined {
    return this.#isOutdated() ? undefined : this.#stored
  }

  /** What was read from the store last, if it may be used while the store fails. */
  get stale(): StoredRuntime | undefined {
    const { effects, staleOnFailureMs } = this.#deps
    return effects.monotonic() - this.#readAt < staleOnFailureMs ? this.#stored : undefined
  }

  describe(): ActiveRuntime {
    return {
      user: this.user.id,
      version: this.#baseSettings?.settings.version ?? 0,
      inUse: this.leases,
      idleMs: this.leases > 0 ? 0 : Math.max(0, this.#deps.effects.monotonic() - this.idleSince),
      clients: [...this.#models.all, ...this.#mcpClients.all].map((client) => client.describe()),
    }
  }

  /** The snapshot without session and override, when it needs no I/O and no waiting. */
  getWarmSnapshot(): RuntimeSnapshot | undefined {
    const snapshot = this.#baseSnapshot
    if (snapshot === undefined || this.#isOutdated() || snapshot.client?.isRetired) return undefined
    return snapshot
  }

  /** Marks what was read as outdated. `kinds`: the kinds of records that changed; any when absent. */
  invalidate(kinds?: readonly string[]): void {
    this.#generation++
    this.#sessions.clear()
    if (kinds === undefined || kinds.some((kind) => kind !== SESSION_KIND)) this.#isInvalidated = true
  }

  /** Reads the store again if what was read may be outdated. Callers share one read. */
  refresh(): Promise<void> {
    if (!this.#isOutdated()) return Promise.resolve()
    this.#reading ??= this.#readOrUseStale().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readOrUseStale(): Promise<void> {
    try {
      await this.#read()
    } catch (error) {
      if (!PurserError.is(error, 'store_unavailable') || this.stale === undefined) throw error
    }
  }

  /** Synchronous, so that no model is built for a caller that has stopped waiting. Requires a finished `refresh`. */
  createSnapshot(session: LoadedSession | undefined, override: Override | undefined): RuntimeSnapshot {
    const stored = this.#stored
    const base = this.#baseSettings
    if (stored === undefined || base === undefined) throw notLoaded()
    const pinned = session?.stored.pinned
    const isBase = override === undefined && pinned === undefined
    const resolved = isBase ? base : resolveSettings(this.#catalogOf(stored), stored.userSettings, { pinned, override })
    if (resolved.error !== undefined) throw resolved.error
    const snapshot: RuntimeSnapshot = { ...resolved, client: this.#getModel(stored, resolved), session }
    if (isBase) this.#latestSnapshot = snapshot
    if (isBase && session === undefined) this.#baseSnapshot = snapshot
    return snapshot
  }

  /** Undefined for a session that is unknown or has ended. */
  async loadSession(id: string): Promise<LoadedSession | undefined> {
    if (this.#sessions.has(id)) return this.#sessions.get(id)
    const generation = this.#generation
    const stored = await this.#deps.sessions.read(this.user, id, this.incarnation)
    const session = stored && { id, stored }
    if (generation === this.#generation) this.#cacheSession(id, session)
    return session
  }

  /** Records, in the background, the model that the session was used on. A failed write is repeated by the next use. */
  recordSessionUse({ session, settings: { provider, model } }: RuntimeSnapshot): void {
    if (session === undefined) return
    const used = withUse(session.stored, { provider, model, now: this.#deps.effects.now() })
    if (used === session.stored) return
    // A session that is not cached any more was changed meanwhile and must be read again.
    if (this.#sessions.get(session.id) === session) this.#cacheSession(session.id, { id: session.id, stored: used })
    const use = { incarnation: this.incarnation, provider, model }
    this.#deps.sessions.recordUse(this.user, session.id, use).catch(() => this.invalidate([SESSION_KIND]))
  }

  get configuredMcpServers(): readonly string[] {
    return [...this.#deps.catalog.mcpServers.keys()]
  }

  /** Returns an MCP client that is open or opening, retained for the caller. Requires a finished `refresh`. */
  retainMcpClient(server: string): McpClient {
    const { catalog, repository, mcp } = this.#deps
    const { user } = this
    const definition = catalog.mcpServers.get(server)
    if (definition === undefined) throw new PurserError('mcp_unknown', `Unknown MCP server '${server}'.`)
    const stored = this.#stored
    if (stored === undefined) throw notLoaded()
    return mcp.retain(this.#mcpClients, {
      server,
      definition,
      user,
      incarnation: stored.incarnation,
      credentialVersion: getCredentialVersion(stored, server),
      openCredentials: () => repository.openSecret(user, stored, server),
    })
  }

  /** Retires every client; resolves when the unused ones are closed. */
  async retireClients(reason: CloseReason): Promise<void> {
    const mcpClients = [...this.#mcpClients.current.values()].map((client) => client.retire(reason))
    await Promise.all([this.#models.retireAll(reason), ...mcpClients])
  }

  /** Closes every client now, in use or not. */
  async destroyClients(reason: CloseReason): Promise<void> {
    await Promise.all([...this.#models.all, ...this.#mcpClients.all].map((client) => client.destroy(reason)))
  }

  #isOutdated(): boolean {
    if (this.#isInvalidated) return true
    return this.#deps.repository.isShared && this.#deps.effects.monotonic() - this.#readAt > MAX_AGE_MS
  }

  async #read(): Promise<void> {
    for (let reads = 1; ; reads++) {
      const generation = this.#generation
      const readAt = this.#deps.effects.monotonic()
      const stored = await this.#deps.repository.read(this.user)
      const isCurrent = generation === this.#generation
      if (!isCurrent && reads < READS_MAX) continue
      this.#apply(stored)
      this.#readAt = readAt
      this.#isInvalidated = !isCurrent
      return
    }
  }

  #apply(stored: StoredRuntime): void {
    if (this.#stored !== undefined && this.#stored.incarnation !== stored.incarnation) {
      this.#onErased(this)
      return
    }
    this.#stored = stored
    this.#baseSettings = resolveBaseSettings(this.#catalogOf(stored), stored.userSettings)
    this.#baseSnapshot = undefined
    this.#models.retireOutdated((provider) => stored.secrets.get(provider)?.sealed ?? null)
    retireOutdated(this.#mcpClients, (server) => getCredentialVersion(stored, server))
    if (this.#latestSnapshot !== undefined) this.#retireReplaced(this.#latestSnapshot, this.#baseSettings)
  }

  /** Retires the clients that the base settings no longer use; clients of sessions and overrides stay. */
  #retireReplaced(before: RuntimeSnapshot, { settings, operatorBaseURL }: ResolvedSettings): void {
    const isSameModel =
      before.operatorBaseURL === operatorBaseURL &&
      (['provider', 'model', 'region', 'deployment', 'baseURL'] as const).every(
        (field) => before.settings[field] === settings[field],
      )
    if (!isSameModel) void before.client?.retire('replaced')
    for (const server of before.settings.mcpServers) {
      if (!settings.mcpServers.includes(server)) void this.#mcpClients.current.get(server)?.retire('replaced')
    }
  }

  #catalogOf({ plan }: StoredRuntime): Catalog {
    return catalogOf(this.#deps.catalog, plan)
  }

  #cacheSession(id: string, session: LoadedSession | undefined): void {
    if (this.#sessions.size >= SESSIONS_CACHED_MAX) this.#sessions.clear()
    this.#sessions.set(id, session)
  }

  #getModel(stored: StoredRuntime, { settings, operatorBaseURL }: ResolvedSettings): ModelClient | undefined {
    const { provider, model, region, deployment, baseURL } = settings
    const { catalog, repository } = this.#deps
    const config = provider === null ? undefined : catalog.providers.get(provider)
    if (provider === null || model === null || config === undefined) return undefined
    return this.#models.get(
      {
        user: this.user,
        provider,
        config,
        modelId: model,
        settings: { region, deployment, baseURL },
        credentials: repository.openSecret(this.user, stored, provider),
        operatorKeyAllowed: operatorBaseURL,
      },
      stored.secrets.get(provider)?.sealed ?? null,
    )
  }
}

function notLoaded(): Error {
  return new Error('The runtime is used before it was read from the store.')
}
