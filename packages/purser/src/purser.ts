import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { type AnswerStats, createAnswers } from './answers/answers.ts'
import { checkImport, type ImportOptions, type ImportReport, importAnswers } from './answers/legacy-import.ts'
import { createContexts } from './context/context.ts'
import { type AbortOptions, endsWithin, withAbort, withSignal } from './core/abort.ts'
import { createEffects, type Effects } from './core/effects.ts'
import { createPendingCalls } from './core/pending-calls.ts'
import { createSubject, type Subject } from './core/subject.ts'
import { validateOptions } from './core/validate.ts'
import { openMemoryStore } from './drivers/memory/index.ts'
import { openSqliteStore } from './drivers/sqlite/index.ts'
import { readOrCreateKeyFile } from './drivers/sqlite/key-file.ts'
import { PurserError } from './errors.ts'
import { openJournal } from './journal/journal.ts'
import type { Ledger } from './ledger/api.ts'
import { ledgerFold } from './ledger/bond.ts'
import { createLedger } from './ledger/ledger.ts'
import { createTools } from './mcp/index.ts'
import { type PurserOptions, type ResolvedOptions, resolveOptions } from './options.ts'
import { createModels } from './providers/registry.ts'
import type { ActiveRuntime } from './runtime/api.ts'
import { createRuntimes } from './runtime/runtimes.ts'
import { openKeyring, type SecretKeys } from './storage/root-key.ts'
import type { MetaStore, Overview, Store } from './storage/store.ts'
import { TURN_LIMITS, type TurnDeps } from './turn/options.ts'
import { takeTurn } from './turn/take-turn.ts'
import { checkErasure, type EraseReceipt, eraseReceipt, type User, type UserDeps, UserHandle } from './user.ts'

/** Per-user runtime, context, ledger and answers for one application. */
export interface Purser extends AsyncDisposable {
  readonly namespace: string
  /** A handle over everything kept for one user. No I/O. Throws `user_id_invalid`. */
  user(id: string): User
  /** Users by phase, risk, use of the cap, last activity or peak: a page when awaited, all of them when iterated. */
  readonly users: Ledger['users']
  /** Live tail of the event log, of every instance. */
  readonly events: Ledger['events']
  /** Checks every user's log and state; with a checkpoint from outside also that nothing was rolled back. */
  readonly verify: Ledger['verify']
  /** Signed text that stands for all logs as they are now, to be kept outside the store. */
  readonly checkpoint: Ledger['checkpoint']
  /** How many users there are, by phase and risk as of their last writes: a block that ended since still counts. */
  overview(options?: AbortOptions): Promise<Overview>
  readonly runtime: {
    /** Live runtimes in this process, without secrets. */
    active(): ActiveRuntime[]
    /** Evicts now what has been idle too long. */
    sweep(options?: AbortOptions): Promise<{ evicted: number }>
  }
  readonly answers: {
    stats(): AnswerStats
    /** Writes out last uses that are still in memory. */
    flush(options?: AbortOptions): Promise<void>
    /** Forgets every user's answers. */
    clear(options?: AbortOptions): Promise<void>
    /**
     * Takes over what an old `ai_responses.json` holds, for one user, with its dates; an entry that cannot be read costs
     * that entry only. It is found under `importedRequest(text)`.
     */
    import(user: string, text: string, options?: ImportOptions): Promise<ImportReport>
  }
  /** A few values that belong to the installation rather than to a user, such as the keys of a server. */
  readonly meta: MetaStore
  /** What the store is and where. */
  readonly store: Store['traits']
  /**
   * Writes a whole and consistent copy of what must survive into a new file of mode 0600, while everything goes on. The
   * secret key is not in it. `argument_invalid` when there is something at that path, or the store is not a file.
   */
  backup(file: string, options?: AbortOptions): Promise<void>
  /** Takes no new work, waits for what is under way, writes everything out, closes every client once; then cuts. */
  close(options?: AbortOptions & { readonly timeoutMs?: number | null | undefined }): Promise<void>
}

const CLOSE_TIMEOUT_MS = 10_000
/** A store that nobody uses any more needs a moment to end in order; it always gets that. */
const STORE_CLOSE_MS = 1_000

/** Handles that are kept for the next `user(id)`. */
const MAX_HANDLES = 10_000

/**
 * Opens a Purser: the only place where the parts are built, joined and closed. Rejects with `option_unknown`,
 * `option_invalid`, `secret_key_wrong`, `store_unsafe`, `store_newer` or `store_unavailable`; then nothing is open.
 */
export async function openPurser(given: PurserOptions = {}): Promise<Purser> {
  const options = resolveOptions(given)
  const effects = createEffects(options.effects)
  const store = await openStore(options, effects)
  try {
    return await furnish(options, effects, store)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function openStore({ store }: ResolvedOptions, effects: Effects): Promise<Store> {
  if (typeof store !== 'string') return store
  return store === 'memory:' ? openMemoryStore({ effects }) : openSqliteStore({ path: sqlitePath(store), effects })
}

async function furnish(options: ResolvedOptions, effects: Effects, store: Store): Promise<Purser> {
  const { namespace, timeZone, providers, presets, mcpServers } = options
  const models = createModels({ effects, providers })
  const keys = await openKeyring(store.meta, await secretKey(options, store))
  const journal = openJournal({ store, keys, effects, fold: ledgerFold(options.ledger, timeZone) })
  const calls = createPendingCalls(effects)
  const ledger = createLedger({ journal, store, keys, effects, calls, options: options.ledger, timeZone, namespace })
  const runtimes = createRuntimes({
    journal,
    store,
    keys,
    effects,
    options: options.runtime,
    providers,
    presets,
    mcpServers,
    namespace,
    models,
    tools: createTools({ effects }),
  })
  const contexts = createContexts({
    store,
    journal,
    effects,
    options: options.context,
    timeZone,
    namespace,
    timeZoneOf: async (user) => (await ledger.of(user).bond()).timeZone,
  })
  const answers = createAnswers({
    store: store.answers,
    keys,
    effects,
    options: options.answers,
    namespace,
    calls,
    bus: store.bus,
    incarnationOf: async (user) => (await journal.read(user)).incarnation,
  })
  const house: TurnDeps = {
    namespace,
    effects,
    providers,
    answersEnabled: options.answers.enabled,
    limits: TURN_LIMITS,
    pseudonym: journal.tag,
  }
  const makers: UserDeps = {
    ledger,
    runtimes,
    contexts,
    answers,
    turn: (parts, request, turn) => takeTurn(house, parts, request, turn),
    async erase(who, order) {
      checkErasure(order)
      return withSignal(
        calls.run(() => erase(who, order)),
        order.signal,
      )
    },
    now: () => new Date(effects.now()).toISOString(),
  }
  // Whoever is active needs the same handle at every request.
  const handles = new LRUCache<string, User>({
    max: MAX_HANDLES,
    memoMethod: (id) => new UserHandle(createSubject(namespace, id), makers),
  })
  let closing: Promise<void> | undefined

  async function erase(who: Subject, { actor, reason }: Parameters<User['erase']>[0]): Promise<EraseReceipt> {
    const counts = await journal.erase(who, (incarnation, pseudonym) => ({
      type: 'user_erased',
      detail: 'a user was erased',
      data: { pseudonym, incarnation },
      actor,
      reason,
    }))
    const forgetting = await Promise.allSettled([runtimes.forget(who), contexts.forget(who), answers.forget(who)])
    // Last, because what was told of the erasure names the person as well.
    const purged = await store.users.purge().catch(() => false)
    const failed = forgetting.find((outcome) => outcome.status === 'rejected')
    // What they hold in memory ends with a close that did not wait for them.
    if (failed !== undefined && closing === undefined) throw failed.reason
    return eraseReceipt(counts, purged)
  }

  async function close(timeoutMs: number): Promise<void> {
    const endsAt = effects.monotonic() + timeoutMs
    const left = (): number => Math.max(0, endsAt - effects.monotonic())
    await Promise.all([runtimes.close({ timeoutMs }), calls.close(timeoutMs)])
    await models.close()
    const parts = Promise.all([contexts.close(), answers.close(), ledger.close()]).then(() => journal.close())
    await endsWithin(effects, parts, left())
    // What still waits for the store is cut with it, and has a moment to say so to its callers.
    await store.close({ timeoutMs: Math.max(STORE_CLOSE_MS, left()) })
    await endsWithin(effects, parts, STORE_CLOSE_MS)
  }

  const closeOnce: Purser['close'] = async (options = {}) => {
    const timeoutMs = closeTimeout(options)
    closing ??= close(timeoutMs)
    return withSignal(closing, options.signal)
  }

  return {
    namespace,
    user: (id) => handles.memo(id),
    users: ledger.users,
    events: ledger.events,
    verify: ledger.verify,
    checkpoint: ledger.checkpoint,
    overview: ledger.overview,
    runtime: { active: runtimes.active, sweep: (options) => withAbort('sweep', options, runtimes.sweep) },
    answers: {
      stats: answers.stats,
      flush: (options) => withAbort('flush', options, answers.flush),
      clear: (options) => withAbort('clear', options, answers.clear),
      async import(id, text, how = {}) {
        checkImport(text, how)
        const user = createSubject(namespace, id)
        return calls.run(() => importAnswers({ ...how, answers, user, text, effects }))
      },
    },
    meta: store.meta,
    store: store.traits,
    backup: (file, options) => withAbort('backup', options, () => calls.run(() => backUp(store, file))),
    close: closeOnce,
    [Symbol.asyncDispose]: () => closeOnce(),
  }
}

async function backUp({ traits, backup }: Store, file: string): Promise<void> {
  if (typeof file !== 'string' || file === '') {
    throw new PurserError('argument_invalid', 'backup needs the path of a new file.', {
      hint: "For instance: backup('purser-backup.db').",
      details: { param: 'file' },
    })
  }
  if (backup !== undefined) return backup(file)
  throw new PurserError('argument_invalid', `The store '${traits.name}' is not a file that could be copied.`, {
    hint: 'Use the means of the store itself, such as snapshots.',
  })
}

function closeTimeout(options: NonNullable<Parameters<Purser['close']>[0]>): number {
  validateOptions('close', options, ['timeoutMs'])
  const { timeoutMs = CLOSE_TIMEOUT_MS } = options
  if (timeoutMs === null) return Number.POSITIVE_INFINITY
  if (typeof timeoutMs === 'number' && timeoutMs >= 0) return timeoutMs
  throw new PurserError('argument_invalid', "'timeoutMs' must be a number of milliseconds, 0 or more, or null.", {
    hint: 'Leave it out for 10,000; null waits as long as it takes.',
  })
}

/** The operator's key; else a file beside the database, or one that ends with a store that ends with the process. */
async function secretKey({ store: where, secretKey: given }: ResolvedOptions, store: Store): Promise<SecretKeys> {
  if (given !== undefined) return given
  if (!store.traits.durable) return { current: randomBytes(32).toString('base64'), previous: [] }
  if (typeof where === 'string')
    return { current: await readOrCreateKeyFile(sqlitePath(where), store.meta), previous: [] }
  throw new PurserError('option_invalid', 'This store needs a secretKey.', {
    hint: 'Make one with `openssl rand -base64 32`, and give the same one to every instance.',
  })
}

function sqlitePath(store: string): string {
  return store.slice('sqlite:'.length)
}
