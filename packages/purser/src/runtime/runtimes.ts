import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import { type Subject, subjectKey } from '../core/subject.ts'
import { purserClosed } from '../errors.ts'
import type { JournalPort } from '../journal/api.ts'
import type { RuntimeOptions } from '../options.ts'
import type { BusMessage, Store } from '../storage/store.ts'
import type { ActiveRuntime, UserRuntime } from './api.ts'
import { Authorizations } from './oauth/authorizations.ts'
import { GRANT_KIND } from './oauth/grant.ts'
import { createGracefulClose } from './pool/graceful-close.ts'
import { McpConnectionPool } from './pool/mcp-connections.ts'
import { RuntimePool, type RuntimePoolDeps } from './pool/runtime-pool.ts'
import type { McpConnector, ModelFactory } from './ports.ts'
import { RuntimeRepository } from './repository.ts'
import { SECRET_KIND } from './secrets.ts'
import { SESSION_KIND } from './sessions.ts'
import { type Configured, createCatalog } from './settings/catalog.ts'
import { SETTINGS_RECORD } from './settings/user-settings.ts'
import { readStoredRuntime } from './stored-runtime.ts'
import { createUserRuntime } from './user-runtime.ts'

export interface RuntimesDeps extends Omit<Configured, 'defaults'> {
  readonly journal: JournalPort
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly options: RuntimeOptions
  readonly namespace: string
  readonly models: ModelFactory
  readonly tools: McpConnector
}

/** The runtimes of all users of one Purser. */
export interface Runtimes {
  of(user: Subject): UserRuntime
  /** Lists the runtimes in memory; listing is not a use. */
  active(): ActiveRuntime[]
  /** Evicts runtimes that have been idle for longer than `idleMs`, and closes MCP clients and leases that are due. */
  sweep(): Promise<{ evicted: number }>
  /** After an erasure: ends the user's leases, closes their clients here, and notifies other processes. */
  forget(user: Subject): Promise<void>
  /** Accepts no more calls, waits up to `timeoutMs` for leases, then closes every client once. */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

/** How long `close` waits for leases unless told otherwise. */
const CLOSE_TIMEOUT_MS = 10_000

/** Refreshes that were sent get this long to be stored, however late it is: what they bring cannot be had again. */
const STORING_MS = 1_000

/** The records that a runtime is made of: news of others do not concern it. */
const RUNTIME_KINDS: ReadonlySet<string> = new Set([SETTINGS_RECORD.kind, SECRET_KIND, SESSION_KIND, GRANT_KIND])

/**
 * The runtime part: settings and secrets in the store, live clients in memory. Throws for a mistake in the
 * configured providers, presets, MCP servers or defaults.
 */
export function createRuntimes(house: RuntimesDeps): Runtimes {
  const { store, effects, options, namespace } = house
  const { bus } = store
  const { catalogue, reads, records, authorizations, notes, fleet } = furnish(house)
  const stopListening = bus.subscribe((news) => hear(fleet, namespace, news))
  let isClosed = false
  let closing: Promise<void> | undefined
  const stopSweeping = sweepRegularly(effects, options.sweepMs, () => fleet.sweep())

  async function announce(user: Subject, detail: 'evicted' | 'erased'): Promise<void> {
    await bus.publish({ topic: 'user', namespace, user: user.id, detail })
  }

  async function close(timeoutMs: number): Promise<void> {
    isClosed = true
    stopSweeping()
    const startedAt = effects.monotonic()
    await fleet.close(timeoutMs)
    const leftMs = timeoutMs - (effects.monotonic() - startedAt)
    await Promise.all([notes.settled(), authorizations.close(Math.max(leftMs, STORING_MS))])
    stopListening()
  }

  const userHouse = {
    ...reads,
    catalogue,
    fleet,
    records,
    authorizations,
    now: effects.now,
    announceEviction: (user: Subject) => announce(user, 'evicted'),
    requireOpen() {
      if (isClosed) throw purserClosed()
    },
  }
  return {
    of: (user) => createUserRuntime(userHouse, user),
    active: () => fleet.active(),
    sweep: () => fleet.sweep(),
    async forget(user) {
      const forgotten = fleet.forget(subjectKey(user))
      await announce(user, 'erased')
      await forgotten
    },
    close({ timeoutMs = CLOSE_TIMEOUT_MS } = {}) {
      closing ??= close(timeoutMs)
      return closing
    },
  }
}

/** What a runtime is made of, joined. */
function furnish(house: RuntimesDeps) {
  const { journal, store, keys, effects, options, namespace } = house
  const catalogue = createCatalog({ ...house, defaults: options.defaults })
  const { users } = store
  const records = new RuntimeRepository({ journal, users, keys, catalogue })
  const closings = createGracefulClose({ effects, namespace })
  const clientHouse = { namespace, effects, closings }
  const desk = new McpConnectionPool(clientHouse, { factory: house.tools, maxProcesses: options.maxMcpProcesses })
  const notes = createSessionNotes(records)
  const readsGrants = catalogue.servers.values().some((server) => 'url' in server && server.oauth !== undefined)
  const reads = {
    readFacts: (user: Subject) => readStoredRuntime({ journal, users, readsGrants }, user),
    readSession: (user: Subject, id: string) => users.record(user, SESSION_KIND, id),
  }
  const authorizations = new Authorizations({
    ...reads,
    ...{ namespace, effects, journal, keys, users, catalogue },
    meta: store.meta,
    port: house.tools.oauth,
  })
  const fleet = new RuntimePool({
    ...clientHouse,
    ...reads,
    keys,
    catalogue,
    desk,
    authorizations,
    options,
    models: house.models,
    shared: store.traits.shared,
    noteUse: notes.add,
  })
  return { catalogue, reads, records, authorizations, notes, fleet }
}

/** Sweeps again and again, each time when the last sweep has ended. Returns what stops it. */
function sweepRegularly(effects: Effects, everyMs: number, sweep: () => Promise<unknown>): () => void {
  let isStopped = false
  let cancel = schedule()

  function schedule(): () => void {
    return effects.setTimer(() => void sweep().then(again, again), everyMs, { background: true })
  }
  function again(): void {
    if (!isStopped) cancel = schedule()
  }
  return () => {
    isStopped = true
    cancel()
  }
}

/** Writes what sessions were used on, beside the turn. A note that is lost is made again with the next use. */
function createSessionNotes(records: RuntimeRepository): {
  add: RuntimePoolDeps['noteUse']
  settled(): Promise<unknown>
} {
  const pending = new Set<Promise<void>>()
  return {
    add(live, session, use) {
      const noted: Promise<void> = records
        .useSession(live.user, session, { ...use, incarnation: live.incarnation })
        .catch(() => live.invalidate([SESSION_KIND]))
        .finally(() => pending.delete(noted))
      pending.add(noted)
    },
    settled: () => Promise.all(pending),
  }
}

/** What other processes, and the writes of this one, say about users. */
function hear(fleet: RuntimePool, namespace: string, news: BusMessage | 'gap'): void {
  if (news === 'gap') fleet.invalidate(undefined)
  else if (news.topic === 'user' && news.namespace === namespace) {
    const { user: id, detail } = news
    if (id === undefined) fleet.invalidate(undefined)
    else hearOfUser(fleet, subjectKey({ namespace, id }), detail)
  }
}

function hearOfUser(fleet: RuntimePool, key: string, detail: string | undefined): void {
  if (detail === 'erased') void fleet.forget(key)
  else if (detail === 'evicted') void fleet.evict(key)
  else if (detail === undefined) fleet.invalidate(key)
  else {
    const kinds = detail.split(' ').filter((kind) => RUNTIME_KINDS.has(kind))
    if (kinds.length > 0) fleet.invalidate(key, kinds)
  }
}
