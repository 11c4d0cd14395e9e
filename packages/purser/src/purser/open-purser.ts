import { LRUCache } from 'lru-cache'
import { importAnswers, validateImport } from '../answers/legacy-import.ts'
import { createUserResponses } from '../answers/stored-responses.ts'
import { withAbort, withSignal } from '../core/abort.ts'
import { DeadlineQueue } from '../core/deadline-queue.ts'
import { createEffects } from '../core/effects.ts'
import { createSubject } from '../core/subject.ts'
import { createTimeOrderedIds } from '../core/time-ordered-id.ts'
import { parseDuration, throwInvalid, validateOptions } from '../core/validate.ts'
import type { Ledger } from '../ledger/api.ts'
import { openCacheStore, openStore } from '../open-store.ts'
import { type PurserOptions, resolveOptions } from '../options.ts'
import type { CacheStore } from '../storage/cache-store.ts'
import type { Store } from '../storage/store.ts'
import { askEndpoint, callEndpoint } from '../turn/call-endpoint.ts'
import { CallTrace } from '../turn/call-trace.ts'
import type { TurnDeps } from '../turn/deps.ts'
import { TURN_LIMITS } from '../turn/options.ts'
import { StartingTurns } from '../turn/starting-turns.ts'
import { takeTurn } from '../turn/take-turn.ts'
import { UnreadTurns } from '../turn/unread-turns.ts'
import { type User, UserHandle, validateErase } from '../user.ts'
import { vocabularyOf } from '../vocabulary.ts'
import type { Purser } from './api.ts'
import { eraseUser } from './erase-user.ts'
import { buildModules, closeInOrder, type Modules } from './modules.ts'
import { checkSecretKey } from './secret-key.ts'
import { defineInternals } from './server-internals.ts'

const CLOSE_TIMEOUT_MS = 10_000
/** Handles cached for the next `user(id)`. */
const MAX_HANDLES = 10_000

/**
 * Opens a Purser. When it rejects, nothing is left open.
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
    readerDeadlines: new DeadlineQueue(effects, { background: true }),
    startingTurns: new StartingTurns(),
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
  return defineInternals(purser, modules)
}

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
