import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import type { JournalPort } from '../journal/api.ts'
import type { ResolvedOptions } from '../options.ts'
import type { BusMessage, Store } from '../storage/store.ts'
import type { ActiveRuntime, InternalUserRuntime } from './api.ts'
import { Authorizations } from './oauth/authorizations.ts'
import { ClientRegistrations } from './oauth/client-registrations.ts'
import { GRANT_KIND } from './oauth/grant.ts'
import { GrantRepository } from './oauth/grant-repository.ts'
import { PendingAuthorizations } from './oauth/pending-authorizations.ts'
import { createGracefulClose } from './pool/graceful-close.ts'
import { LiveRuntime, type LiveRuntimeDeps } from './pool/live-runtime.ts'
import { McpConnectionPool } from './pool/mcp-connection-pool.ts'
import { createModelCache } from './pool/model-cache.ts'
import { RuntimePool } from './pool/runtime-pool.ts'
import type { McpConnector, ModelFactory } from './ports.ts'
import { type PlanOf, RuntimeRepository } from './repository.ts'
import { SECRET_KIND } from './secrets.ts'
import { SessionRepository } from './session-repository.ts'
import { SESSION_KIND } from './sessions.ts'
import type { Catalog } from './settings/catalog.ts'
import { createCatalog } from './settings/create-catalog.ts'
import { SETTINGS_RECORD } from './settings/user-settings.ts'
import { createUserRuntime } from './user-runtime.ts'

export interface RuntimesDeps {
  readonly journal: JournalPort
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly options: Pick<ResolvedOptions, 'namespace' | 'providers' | 'presets' | 'plans' | 'mcpServers' | 'runtime'>
  readonly models: ModelFactory
  readonly mcp: McpConnector
  readonly planOf: PlanOf
  /** Settings that were read before stay usable for some minutes while the store fails. Default: false. */
  readonly usesStaleSettings?: boolean
  /** Called when a session has ended by `endSession`. */
  onSessionEnd?(user: Subject, session: string): void
}

/** The runtimes of all users of one Purser. */
export interface Runtimes {
  of(user: Subject): InternalUserRuntime
  /** Lists the runtimes in memory. Not a use. */
  active(): ActiveRuntime[]
  /**
   * Evicts runtimes that have been idle for longer than `idleMs`, closes idle MCP clients and revokes leases that are
   * older than `maxLeaseMs`.
   */
  sweep(): Promise<{ evicted: number }>
  /** After an erasure: ends the user's leases, closes their clients here, and notifies other processes. */
  forget(user: Subject): Promise<void>
  /** Accepts no more calls, waits up to `timeoutMs` (default: 10,000) for leases, then closes every client once. */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

const CLOSE_TIMEOUT_MS = 10_000
/** How long settings that were read before are used while the store fails, if they are. */
const STALE_ON_FAILURE_MS = 300_000

/** `close` waits at least this long for refreshed tokens to be stored: they cannot be obtained a second time. */
const TOKEN_STORE_TIMEOUT_MS = 1_000

/** The kinds of records that a runtime is read from; changes of other kinds are ignored. */
const RUNTIME_KINDS: ReadonlySet<string> = new Set([SETTINGS_RECORD.kind, SECRET_KIND, SESSION_KIND, GRANT_KIND])

/**
 * Creates the runtime module: settings and secrets in the store, live clients in memory. Throws for a mistake in the
 * configured providers, presets, MCP servers or defaults.
 */
export function createRuntimes(deps: RuntimesDeps): Runtimes {
  const { effects } = deps
  const { namespace, runtime: options } = deps.options
  const { bus } = deps.store
  const { catalog, repository, sessions, authorizations, pool } = createModules(deps)
  const unsubscribe = bus.subscribe((message) => handleMessage({ pool, catalog }, namespace, message))
  const unfollow = deps.journal.onErased((user) => void pool.forget(subjectKey(user)))
  const stopSweeping = sweepRegularly(effects, options.sweepMs, () => pool.sweep())
  let closing: Promise<void> | undefined

  async function publishChange(user: Subject, detail: 'evicted' | 'erased'): Promise<void> {
    await bus.publish({ topic: 'user', namespace, user: user.id, detail })
  }

  async function close(timeoutMs: number): Promise<void> {
    stopSweeping()
    const startedAt = effects.monotonic()
    await pool.close(timeoutMs)
    const remainingMs = timeoutMs - (effects.monotonic() - startedAt)
    await Promise.all([sessions.settled(), authorizations.close(Math.max(remainingMs, TOKEN_STORE_TIMEOUT_MS))])
    unsubscribe()
    unfollow()
  }

  const publishEviction = (user: Subject): Promise<void> => publishChange(user, 'evicted')
  const onSessionEnd = (user: Subject, session: string): void => deps.onSessionEnd?.(user, session)
  const userDeps = { catalog, pool, repository, sessions, authorizations, publishEviction, onSessionEnd }
  return {
    of: (user) => createUserRuntime(userDeps, user),
    active: () => pool.active(),
    sweep: () => pool.sweep(),
    async forget(user) {
      const forgotten = pool.forget(subjectKey(user))
      await publishChange(user, 'erased')
      await forgotten
    },
    close({ timeoutMs = CLOSE_TIMEOUT_MS } = {}) {
      closing ??= close(timeoutMs)
      return closing
    },
  }
}

interface RuntimeModules {
  readonly catalog: Catalog
  readonly repository: RuntimeRepository
  readonly sessions: SessionRepository
  readonly authorizations: Authorizations
  readonly pool: RuntimePool
}

function createModules({
  journal,
  store,
  keys,
  effects,
  options,
  models,
  mcp: connector,
  usesStaleSettings = false,
  planOf,
}: RuntimesDeps): RuntimeModules {
  const { namespace, providers, presets, plans, mcpServers, runtime } = options
  const { users, meta } = store
  const { oauth } = connector
  const catalog = createCatalog({ providers, presets, plans, mcpServers, defaults: runtime.defaults })
  const repository = new RuntimeRepository({
    journal,
    store,
    keys,
    catalog,
    planOf,
    effects,
    pausesReads: usesStaleSettings,
  })
  const sessions = new SessionRepository({ journal, users, catalog, planOf, effects })
  const grants = new GrantRepository({ journal, users, keys })
  const registrations = new ClientRegistrations({ namespace, effects, keys, meta, oauth })
  const pending = new PendingAuthorizations({ journal, keys })
  const authorizations = new Authorizations({ effects, catalog, oauth, repository, pending, grants, registrations })

  const gracefulClose = createGracefulClose({ effects, namespace })
  const clientDeps = { namespace, effects, gracefulClose }
  const maxProcesses = runtime.maxMcpProcesses
  const mcp = new McpConnectionPool({ ...clientDeps, connector, authorizations, maxProcesses })
  const liveDeps: LiveRuntimeDeps = {
    effects,
    catalog,
    repository,
    sessions,
    mcp,
    createModelCache: () => createModelCache(clientDeps, models),
    staleOnFailureMs: usesStaleSettings ? STALE_ON_FAILURE_MS : 0,
  }
  const pool = new RuntimePool({
    ...clientDeps,
    options: runtime,
    mcp,
    createRuntime: (user, onErased) => new LiveRuntime(liveDeps, user, onErased),
  })
  return { catalog, repository, sessions, authorizations, pool }
}

/** Sweeps `everyMs` after the end of the last sweep. Returns a function that stops it. */
function sweepRegularly(effects: Effects, everyMs: number, sweep: () => Promise<unknown>): () => void {
  let isStopped = false
  let cancel = schedule()

  function schedule(): () => void {
    return effects.setTimer(() => void sweep().then(reschedule, reschedule), everyMs, { background: true })
  }
  function reschedule(): void {
    if (!isStopped) cancel = schedule()
  }
  return () => {
    isStopped = true
    cancel()
  }
}

/** Applies a message about users, from another process or about a write of this one. */
function handleMessage(
  { pool, catalog }: Pick<RuntimeModules, 'pool' | 'catalog'>,
  namespace: string,
  message: BusMessage | 'gap',
): void {
  if (message === 'gap') pool.invalidate(undefined)
  else if (message.namespace !== namespace) return
  else if (message.topic === 'user') {
    const { user: id, detail } = message
    if (id === undefined) pool.invalidate(undefined)
    // Nearly all commits write no records.
    else if (detail !== '') handleUserMessage(pool, subjectKey({ namespace, id }), detail)
  } else if (message.topic === 'events' && catalog.plans.size > 0) {
    // An event may have changed the user's plan.
    pool.invalidate(message.user === undefined ? undefined : subjectKey({ namespace, id: message.user }))
  }
}

function handleUserMessage(pool: RuntimePool, key: string, detail: string | undefined): void {
  if (detail === 'evicted') void pool.evict(key)
  else if (detail === undefined) pool.invalidate(key)
  else {
    const kinds = detail.split(' ').filter((kind) => RUNTIME_KINDS.has(kind))
    if (kinds.length > 0) pool.invalidate(key, kinds)
  }
}
