import { createHash, randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { createAnswers } from './answers/answers.ts'
import type { AnswerStats, Answers } from './answers/api.ts'
import { type ImportOptions, type ImportReport, importAnswers, validateImport } from './answers/legacy-import.ts'
import { createUserResponses, type StoredResponsesDeps } from './answers/stored-responses.ts'
import { type ContextModule, createContext } from './context/context.ts'
import { type AbortOptions, endsWithin, withAbort, withSignal } from './core/abort.ts'
import { canonicalJson } from './core/canonical-json.ts'
import { createEffects, type Effects } from './core/effects.ts'
import type { Keyring } from './core/keyring.ts'
import { createPendingCalls, type PendingCalls } from './core/pending-calls.ts'
import { createSubject, type Subject } from './core/subject.ts'
import { createTimeOrderedIds } from './core/time-ordered-id.ts'
import { parseDuration, throwInvalid, validateOptions } from './core/validate.ts'
import { createWallClock } from './core/wall-clock.ts'
import { readOrCreateKeyFile, requireDatabaseOfKey } from './drivers/sqlite/key-file.ts'
import { PurserError } from './errors.ts'
import { createEventLog, type EventLog } from './event-log.ts'
import {
  createInstances,
  type Instance,
  type InstanceRuntime,
  type InstanceSettings,
  type Instances,
} from './instances.ts'
import { auditOrigin } from './journal/audit-context.ts'
import { registerErasures } from './journal/erasures.ts'
import { type OpenJournal, openJournal } from './journal/journal.ts'
import type { Ledger } from './ledger/api.ts'
import { ledgerFold, planOf } from './ledger/bond.ts'
import { createLedger } from './ledger/ledger.ts'
import { compileRules } from './ledger/rules.ts'
import { INITIAL_STATE, type LedgerData, type LedgerState } from './ledger/state.ts'
import { createMcpConnector } from './mcp/index.ts'
import { openCacheStore, openStore } from './open-store.ts'
import { type PurserOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { openProviderRegistry, type ProviderRegistry } from './providers/registry.ts'
import type { ActiveRuntime } from './runtime/api.ts'
import { createRuntimes, type Runtimes } from './runtime/runtimes.ts'
import { removeKeysOfUser } from './storage/api-keys.ts'
import type { CacheStore } from './storage/cache-store.ts'
import { LOG_OF_NAMESPACE } from './storage/commit.ts'
import { requireComplete } from './storage/copy-rows.ts'
import { followRemovals } from './storage/follow-removals.ts'
import { openKeyring, type SecretKeys } from './storage/root-key.ts'
import type { Bus, MetaStore, Overview, Store, StoreFinding } from './storage/store.ts'
import { sqlitePath } from './storage/store-url.ts'
import { askEndpoint, callEndpoint } from './turn/call-endpoint.ts'
import { CallTrace } from './turn/call-trace.ts'
import type { TurnDeps } from './turn/deps.ts'
import { TURN_LIMITS } from './turn/options.ts'
import { takeTurn } from './turn/take-turn.ts'
import { UnreadTurns } from './turn/unread-turns.ts'
import { type EraseOptions, type EraseReceipt, eraseReceipt, type User, UserHandle, validateErase } from './user.ts'
import { type Vocabulary, vocabularyOf } from './vocabulary.ts'

/** Per-user runtime, context, ledger and answers of one application. */
export interface Purser extends AsyncDisposable {
  readonly namespace: string
  /** The models, phases and risk levels that it was opened with. */
  readonly vocabulary: Vocabulary
  /**
   * A handle for one user. Does no I/O and creates nothing.
   *
   * @param id 1 to 256 bytes of well-formed text without control characters, not `.` or `..`
   * @throws {PurserError} `user_id_invalid`
   */
  user(id: string): User
  /** Users by phase, risk, use of the cap, last activity or peak: one page when awaited, all of them when iterated. */
  readonly users: Ledger['users']
  /** The number of users that the filters of `users` leave, as of their last writes. */
  readonly countUsers: Ledger['countUsers']
  /** Live tail of the event log of all instances. */
  readonly events: Ledger['events']
  /** Records of the turns of all users, oldest first. Ends behind the last one. */
  readonly turns: Ledger['turns']
  /**
   * Replays the recorded turns under proposed limits and plans: who would have been refused, when and how often.
   *
   * @throws {PurserError} `argument_invalid` for a limit or a plan that is not valid
   * @example
   * const limits = [{ name: 'tokens', measure: 'tokens', max: 100_000, window: 'day' }]
   * const { refused, complete, users } = await purser.simulate({ limits, since: '2026-11-01T00:00:00Z' })
   */
  readonly simulate: Ledger['simulate']
  /** What all users have used, added up by hour, day, month, user, plan, provider, model or limit. */
  readonly usage: Ledger['usage']
  /** Checks the log and the state of every user; with an external checkpoint also that the store was not rolled back. */
  readonly verify: Ledger['verify']
  /** Signed text that represents all logs as they are now, to be stored elsewhere. */
  readonly checkpoint: Ledger['checkpoint']
  /** Records what was done outside the calls of a user, in the namespace's own log or in that of a user. */
  readonly recordAudit: Ledger['recordAudit']
  /** What operators and callers of the management API have changed, of all users, newest first. */
  readonly audit: Ledger['audit']
  /** Events of all users since an instant, newest first; of the newest 20,000. */
  readonly recentEvents: Ledger['recentEvents']
  /** Number of users by phase and risk, as of their last writes: a block that has ended since still counts. */
  overview(options?: AbortOptions): Promise<Overview>
  /**
   * All open Pursers on the store, this one included, with what they run. One that ended without closing is listed for 15
   * more seconds.
   *
   * @throws {PurserError} `store_unavailable`
   * @example
   * for (const { id, version, seenAt, runtimes } of await purser.instances()) console.log(id, version, seenAt, runtimes)
   */
  instances(options?: AbortOptions): Promise<Instance[]>
  /** Number of users by phase and risk at the end of each day (UTC), and how they went from phase to phase. */
  readonly overviewByDay: Ledger['overviewByDay']
  /**
   * How users went from phase to phase in the last 30 days, or in a period of days (UTC), with the median of the time that
   * they had been in the phase before.
   */
  readonly phaseChanges: Ledger['phaseChanges']
  readonly runtime: {
    /** Live runtimes in this process, without secrets. */
    active(): ActiveRuntime[]
    /** Evicts runtimes that have been idle for longer than `runtime.idleMs`, now. */
    sweep(options?: AbortOptions): Promise<{ evicted: number }>
  }
  readonly answers: {
    stats(): AnswerStats
    /** Writes the answers and the last access times that are still in memory only. */
    flush(options?: AbortOptions): Promise<void>
    /**
     * Removes the answers of all users.
     *
     * @throws {PurserError} `store_unavailable`
     */
    clear(options?: AbortOptions): Promise<void>
    /**
     * Imports the answers of an `ai_responses.json` file for one user, with their dates. An entry that cannot be read
     * costs that entry only. Imported answers are found under `importedRequest(text)`.
     *
     * @param text content of the file
     * @throws {PurserError} `argument_invalid`, `option_unknown`
     */
    import(user: string, text: string, options?: ImportOptions): Promise<ImportReport>
  }
  /** Admissions that were allowed while the store failed (`ledger.onStoreFailure`) and are not recorded yet, in this process. */
  readonly unrecordedAdmissions: number
  /** Kind, traits and location of the store. */
  readonly store: Store['traits']
  /**
   * What the configuration of the store's server risks, such as evicting rows, as sentences for an operator. Empty for
   * memory and SQLite.
   *
   * @throws {PurserError} `store_unavailable`
   */
  storeWarnings(options?: AbortOptions): Promise<readonly string[]>
  /**
   * Writes a complete and consistent copy of the durable data to a new file of mode 0600 while calls go on. The secret
   * key is not included.
   *
   * @param file path of the new file
   * @throws {PurserError} `argument_invalid` if the path exists or the store is not a file
   */
  backup(file: string, options?: AbortOptions): Promise<void>
  /**
   * Stops accepting calls, drains the running ones, flushes, closes all clients; aborts what remains after `timeoutMs`.
   * A turn that nothing reads is cancelled at once.
   *
   * @param options `timeoutMs`: default 10,000 ms; null waits without limit
   */
  close(options?: AbortOptions & { readonly timeoutMs?: number | null | undefined }): Promise<void>
}

/** A key rather than a member: the values are the installation's own, among them its wrapped root key. */
const META: unique symbol = Symbol.for('purser.meta')

/** Values of the installation rather than of a user, such as the API keys of a server. For `@purser/server`. */
export function getMeta(purser: Purser): MetaStore {
  return (purser as Purser & { readonly [META]: MetaStore })[META]
}

const RUNTIMES: unique symbol = Symbol.for('purser.runtimes')

/**
 * The live runtimes of all instances in this namespace: all of this one, of each other one the 500 that were used last, as
 * of its last heartbeat. For `@purser/server`.
 */
export function listRuntimes(purser: Purser): Promise<InstanceRuntime[]> {
  return (purser as Purser & { [RUNTIMES](): Promise<InstanceRuntime[]> })[RUNTIMES]()
}

const ACTIVITY: unique symbol = Symbol.for('purser.activity')

/**
 * Calls `listener` when data of a user has changed, in any instance: with the user's id, or undefined when it is not known
 * whose. Returns the function that ends it. For `@purser/server`.
 */
export function subscribeToActivity(purser: Purser, listener: (user: string | undefined) => void): () => void {
  type Subscribe = (listen: (user: string | undefined) => void) => () => void
  return (purser as Purser & { [ACTIVITY]: Subscribe })[ACTIVITY](listener)
}

const EVENT_LOG: unique symbol = Symbol.for('purser.event-log')

/** The event log by position. For `@purser/server`. */
export function getEventLog(purser: Purser): EventLog {
  return (purser as Purser & { readonly [EVENT_LOG]: EventLog })[EVENT_LOG]
}

const SEALER: unique symbol = Symbol.for('purser.sealer')

/** Encrypts what is stored and must stay secret, under a key derived from the secret key. */
export type Sealer = Pick<Keyring, 'seal' | 'open'>

/** Seals secrets of the installation. For `@purser/server`. */
export function getSealer(purser: Purser): Sealer {
  return (purser as Purser & { readonly [SEALER]: Sealer })[SEALER]
}

const INSPECT: unique symbol = Symbol.for('purser.inspect')

/** What the driver of a store finds about it. For `@purser/server`. */
export function inspectStore(purser: Purser): Promise<readonly StoreFinding[]> {
  return (purser as Purser & { [INSPECT](): Promise<readonly StoreFinding[]> })[INSPECT]()
}

const CLOSE_TIMEOUT_MS = 10_000
/** The time that the store always gets to close, also after the timeout. */
const STORE_CLOSE_MS = 1_000
/** Handles cached for the next `user(id)`. */
const MAX_HANDLES = 10_000

/**
 * Opens a Purser: the composition root, where all modules are built, connected and closed. When it rejects, nothing is
 * left open.
 *
 * @throws {PurserError} `option_unknown`, `option_invalid`, `secret_key_wrong`, `store_unsafe`, `store_newer`,
 *   `store_unavailable`
 * @example
 * await using purser = await openPurser({ store: 'sqlite:purser.db', ledger: { dailyCap: 50 } })
 */
export async function openPurser(options: PurserOptions = {}): Promise<Purser> {
  const resolved = resolveOptions(options)
  const effects = createEffects(resolved.effects)
  checkSecretKey(resolved)
  const store = typeof resolved.store === 'string' ? await openStore(resolved.store, effects) : resolved.store
  let cache: CacheStore | undefined
  try {
    if (resolved.cacheStore !== undefined) cache = await openCacheStore(resolved.cacheStore, effects)
    const modules = await buildModules(resolved, effects, { store, cache })
    await modules.instances.start()
    return createPurser(modules)
  } catch (error) {
    await Promise.all([store.close(), cache?.close()])
    throw error
  }
}

/** A store that is shared needs a key of the operator. A deleted database is not replaced while its key is there. */
function checkSecretKey({ store, secretKey }: ResolvedOptions): void {
  if (secretKey !== undefined || typeof store !== 'string' || store === 'memory:') return
  const path = sqlitePath(store)
  if (path === undefined) throw missingSecretKey()
  requireDatabaseOfKey(path)
}

interface Modules {
  readonly options: ResolvedOptions
  readonly effects: Effects
  readonly store: Store
  readonly keys: Keyring
  /** Undefined: answers and last good contexts are in the store. */
  readonly cache: CacheStore | undefined
  readonly stopFollowing: (() => void) | undefined
  readonly models: ProviderRegistry
  readonly journal: OpenJournal<LedgerData>
  readonly calls: PendingCalls
  readonly ledger: Ledger
  readonly runtimes: Runtimes
  readonly context: ContextModule
  readonly answers: Answers
  readonly instances: Instances
  readonly responses: StoredResponsesDeps
}

async function buildModules(
  options: ResolvedOptions,
  effects: Effects,
  { store, cache }: Pick<Modules, 'store' | 'cache'>,
): Promise<Modules> {
  const { namespace, timeZone, providers } = options
  const clock = createWallClock(effects)
  const rules = compileRules({ ...options, clock })
  const models = openProviderRegistry({ effects, providers, maxResponseBytes: options.runtime.maxResponseBytes })
  await requireComplete(store.meta)
  const secretKey = await findSecretKey(options, store)
  const keys = await openKeyring(store.meta, secretKey)
  const journal = openJournal({ store, keys, effects: { ...effects, now: clock.now }, fold: ledgerFold(rules) })
  const calls = createPendingCalls(effects)
  const ledger = createLedger({ journal, store, keys, effects, calls, rules, namespace })
  const mcp = createMcpConnector({ effects })
  const runtimes = createRuntimes({
    journal,
    store,
    keys,
    effects,
    options,
    models,
    mcp,
    usesStaleSettings: options.ledger.onStoreFailure === 'admit',
    onSessionEnd: (user, session) => context.endSession(user, session),
    planOf: (state) => planOf(rules, { ...INITIAL_STATE, ...(state as Partial<LedgerState>) }).plan,
  })
  const { answers: answerStore, lastGood } = cache ?? store
  const context = createContext({
    store,
    lastGood,
    journal,
    effects,
    options: options.context,
    timeZone,
    namespace,
    timeZoneOf: async (user) => (await ledger.of(user).api.bond()).timeZone,
  })
  const answers = createAnswers({
    store: answerStore,
    shared: cache && store.answers,
    keys,
    effects,
    options: options.answers,
    namespace,
    calls,
    bus: store.bus,
    incarnationOf: async (user) => (await journal.read(user)).incarnation,
  })
  const stopFollowing = cache && followRemovals(cache, { namespace, bus: store.bus, tag: (user) => journal.tag(user) })
  const instances = createInstances({
    store: store.instances,
    keys,
    effects,
    namespace,
    settings: settingsOf(options, secretKey),
    active: runtimes.active,
    stats: () => answers.stats(),
  })
  const built = { options, effects, store, keys, cache, stopFollowing, models, journal, calls, ledger, runtimes }
  const responses = { journal, reader: store.users, now: clock.now }
  return { ...built, context, answers, instances, responses }
}

async function findStoreProblems({ inspect, warnings }: Store): Promise<readonly StoreFinding[]> {
  if (inspect !== undefined) return inspect()
  return ((await warnings?.()) ?? []).map((detail) => ({ check: 'store', ok: false, detail }))
}

function settingsOf(options: ResolvedOptions, { current }: SecretKeys): InstanceSettings {
  const { ledger, plans, prices, currency, timeZone } = options
  const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')
  return {
    secretKey: digest(`purser instance ${current}`),
    limits: digest(canonicalJson({ ledger, plans, prices, currency, timeZone })),
  }
}

function createPurser(modules: Modules): Purser {
  const { options, effects, store, calls, ledger, runtimes, context, answers } = modules
  const { namespace } = options
  const turnDeps: TurnDeps = {
    namespace,
    effects,
    providers: options.providers,
    answersEnabled: options.answers.enabled,
    limits: TURN_LIMITS,
    unreadTurns: new UnreadTurns(effects),
    nextTurnId: createTimeOrderedIds(effects),
    pseudonym: (user) => modules.journal.tag(user),
  }
  let closing: Promise<void> | undefined
  const users = {
    ledger,
    runtimes,
    context,
    answers,
    responses: { of: (user) => createUserResponses(modules.responses, user) },
    turn: (user, request, turnOptions) => takeTurn(turnDeps, user, request, turnOptions),
    askEndpoint: (user, call, turnOptions) => askEndpoint(turnDeps, user, call, turnOptions),
    traceCall: (user, call) => new CallTrace(turnDeps, user, call),
    callEndpoint: (user, call, turnOptions) => callEndpoint(turnDeps, user, call, turnOptions),
    async erase(user, eraseOptions) {
      validateErase(eraseOptions)
      const erasing = calls.run(() =>
        eraseUser(modules, user, { ...eraseOptions, isClosing: () => closing !== undefined }),
      )
      return withSignal(erasing, eraseOptions.signal)
    },
    now: () => new Date(effects.now()).toISOString(),
  } satisfies ConstructorParameters<typeof UserHandle>[1]
  const handles = new LRUCache<string, User>({
    max: MAX_HANDLES,
    memoMethod: (id) => new UserHandle(createSubject(namespace, id), users),
  })

  const close: Purser['close'] = async (closeOptions = {}) => {
    const timeoutMs = closeTimeout(closeOptions)
    turnDeps.unreadTurns.close()
    closing ??= closeInOrder(modules, timeoutMs)
    return withSignal(closing, closeOptions.signal)
  }

  const purser: Purser = {
    namespace,
    vocabulary: vocabularyOf(options),
    user: (id) => handles.memo(id),
    ...ledgerCalls(ledger),
    instances: (listOptions) => withAbort('instances', listOptions, modules.instances.list),
    runtime: { active: runtimes.active, sweep: (sweepOptions) => withAbort('sweep', sweepOptions, runtimes.sweep) },
    answers: createAnswersApi(modules),
    get unrecordedAdmissions() {
      return ledger.unrecorded
    },
    store: store.traits,
    storeWarnings: (options) => withAbort('storeWarnings', options, async () => (await store.warnings?.()) ?? []),
    backup: (file, backupOptions) => withAbort('backup', backupOptions, () => calls.run(() => backUp(store, file))),
    close,
    [Symbol.asyncDispose]: () => close(),
  }
  return withInternals(purser, modules)
}

/** What `@purser/server` reads besides, under keys that are no members. */
function withInternals(purser: Purser, { store, keys, journal, instances }: Modules): Purser {
  const { namespace } = purser
  registerErasures(purser, { namespace, bus: store.bus, journal })
  return Object.defineProperties(purser, {
    [META]: { value: store.meta },
    [EVENT_LOG]: { value: createEventLog(store, namespace) },
    [SEALER]: { value: keys },
    [RUNTIMES]: { value: instances.runtimes },
    [ACTIVITY]: { value: (listener: ActivityListener) => followActivity(store.bus, namespace, listener) },
    [INSPECT]: { value: async () => [...(await findStoreProblems(store)), ...(await instances.inspect())] },
  })
}

type ActivityListener = (user: string | undefined) => void

/** Every commit of a user is a message, in every instance. */
function followActivity(bus: Bus, namespace: string, listener: ActivityListener): () => void {
  return bus.subscribe((message) => {
    if (message === 'gap') listener(undefined)
    else if (message.topic !== 'user' || message.namespace !== namespace || ENDINGS.has(message.detail)) return
    else if (message.user !== LOG_OF_NAMESPACE) listener(message.user)
  })
}

/** Messages about a user that are no activity. */
const ENDINGS: ReadonlySet<string | undefined> = new Set(['erased', 'evicted'])

function createAnswersApi({ options, effects, calls, answers }: Modules): Purser['answers'] {
  return {
    stats: () => answers.stats(),
    flush: (flushOptions) => withAbort('flush', flushOptions, () => answers.flush()),
    clear: (clearOptions) => withAbort('clear', clearOptions, () => answers.clear()),
    async import(id, text, importOptions = {}) {
      validateImport(text, importOptions)
      const user = createSubject(options.namespace, id)
      return calls.run(() => importAnswers(answers, { user, text, options: importOptions, now: effects.now }))
    },
  }
}

/** The calls of the ledger that are calls of Purser. */
function ledgerCalls({
  of: _,
  close: __,
  unrecorded: ___,
  ...calls
}: Ledger): Omit<Ledger, 'of' | 'close' | 'unrecorded'> {
  return calls
}

async function eraseUser(
  { journal, runtimes, context, answers, store, cache }: Modules,
  user: Subject,
  { actor, reason, isClosing }: EraseOptions & { isClosing(): boolean },
): Promise<EraseReceipt> {
  // Answers that are not written yet are counted in the receipt as well.
  await answers.flush()
  // First, so that a failure leaves a user without keys rather than keys without a user.
  await removeKeysOfUser(store.meta, user.id)
  const rowCounts = await journal.erase(user, (incarnation, pseudonym) => ({
    type: 'user_erased',
    detail: 'a user was erased',
    data: { pseudonym, incarnation, ...auditOrigin() },
    actor,
    reason,
  }))
  // Before the message about the erasure, at which a cache of this process is wiped, so that they are counted.
  const [forgottenAnswers] = await Promise.allSettled([answers.forget(user)])
  const forgotten = [forgottenAnswers, ...(await Promise.allSettled([runtimes.forget(user), context.forget(user)]))]
  const wiped = await cache?.wipe(user, journal.tag(user)).catch(() => false)
  // Last, because the bus messages about the erasure name the user as well.
  const purged = (await store.users.purge().catch(() => false)) && wiped !== false
  const failed = forgotten.find((outcome) => outcome.status === 'rejected')
  // What the modules hold in memory ends with a close that did not wait for them.
  if (failed !== undefined && !isClosing()) throw failed.reason
  const answerCount = forgottenAnswers.status === 'fulfilled' ? forgottenAnswers.value : 0
  return eraseReceipt({ ...rowCounts, answers: (rowCounts.answers ?? 0) + answerCount }, purged)
}

/**
 * Leases first, so that turns can end and settle; then the modules that write, then the journal they write through, and
 * the store last. Calls that still wait for the store fail when it closes, and have a moment to reject their callers.
 */
async function closeInOrder(modules: Modules, timeoutMs: number): Promise<void> {
  const { effects, store, cache, stopFollowing, models, journal, calls, ledger, runtimes } = modules
  const { context, answers, instances } = modules
  const endsAt = effects.monotonic() + timeoutMs
  const left = (): number => Math.max(0, endsAt - effects.monotonic())
  await Promise.all([runtimes.close({ timeoutMs }), calls.close(timeoutMs)])
  await models.close()
  const modulesClosed = Promise.all([context.close(), answers.close(), ledger.close()])
  const writers = Promise.all([modulesClosed.then(() => journal.close()), instances.close()])
  await endsWithin(effects, writers, left())
  stopFollowing?.()
  await Promise.all([store.close({ timeoutMs: Math.max(STORE_CLOSE_MS, left()) }), cache?.close()])
  await endsWithin(effects, writers, STORE_CLOSE_MS)
}

async function backUp({ traits, backup }: Store, file: string): Promise<void> {
  if (typeof file !== 'string' || file === '') {
    throwInvalid("'file' must be the path of a new file.", {
      name: 'file',
      hint: "Example: backup('purser-backup.db').",
    })
  }
  if (backup !== undefined) return backup(file)
  throwInvalid(`The store '${traits.name}' is not a file that can be copied.`, {
    hint: 'Use the backup tools of the store, such as snapshots.',
  })
}

function closeTimeout(options: NonNullable<Parameters<Purser['close']>[0]>): number {
  validateOptions('close', options, ['timeoutMs'])
  const { timeoutMs = CLOSE_TIMEOUT_MS } = options
  if (timeoutMs === null) return Number.POSITIVE_INFINITY
  return parseDuration(timeoutMs, { name: 'timeoutMs', hint: 'Default: 10,000 ms; null waits without limit.' })
}

/** The operator's key; otherwise a file beside the database, or a key that ends with an in-memory store. */
export async function findSecretKey(
  { store: url, secretKey: configured }: ResolvedOptions,
  store: Store,
): Promise<SecretKeys> {
  if (configured !== undefined) return configured
  if (!store.traits.durable) return { current: randomBytes(32).toString('base64'), previous: [] }
  const path = typeof url === 'string' ? sqlitePath(url) : undefined
  if (path !== undefined) return { current: await readOrCreateKeyFile(path, store.meta), previous: [] }
  throw missingSecretKey()
}

function missingSecretKey(): PurserError {
  return new PurserError('option_invalid', 'This store needs a secretKey.', {
    hint: 'Make one with `openssl rand -base64 32`, and use the same one for every instance.',
  })
}
