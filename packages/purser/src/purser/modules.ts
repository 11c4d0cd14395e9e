import { createHash } from 'node:crypto'
import { createAnswers } from '../answers/answers.ts'
import type { Answers } from '../answers/api.ts'
import type { StoredResponsesDeps } from '../answers/stored-responses.ts'
import { type ContextModule, createContext } from '../context/context.ts'
import { endsWithin } from '../core/abort.ts'
import { canonicalJson } from '../core/canonical-json.ts'
import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import { createPendingCalls, type PendingCalls } from '../core/pending-calls.ts'
import { createWallClock } from '../core/wall-clock.ts'
import { createInstances, type InstanceSettings, type Instances } from '../instances.ts'
import { type OpenJournal, openJournal } from '../journal/journal.ts'
import type { Ledger } from '../ledger/api.ts'
import { ledgerFold, planOf } from '../ledger/bond.ts'
import { createLedger } from '../ledger/ledger.ts'
import { compileRules } from '../ledger/rules.ts'
import { INITIAL_STATE, type LedgerData, type LedgerState } from '../ledger/state.ts'
import { createMcpConnector } from '../mcp/index.ts'
import type { ResolvedOptions } from '../options.ts'
import { openProviderRegistry, type ProviderRegistry } from '../providers/registry.ts'
import { createRuntimes, type Runtimes } from '../runtime/runtimes.ts'
import type { CacheStore } from '../storage/cache-store.ts'
import { requireComplete } from '../storage/copy-rows.ts'
import { followRemovals } from '../storage/follow-removals.ts'
import { openKeyring, type SecretKeys } from '../storage/root-key.ts'
import type { Store } from '../storage/store.ts'
import { findSecretKey } from './secret-key.ts'

/** The time that the store always gets to close, also after the timeout. */
const STORE_CLOSE_MS = 1_000

/** The parts of an open Purser. */
export interface Modules {
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

/** Builds the parts and connects them; opens nothing but what is stored in `store`. */
export async function buildModules(
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
    incarnationOf: (user) => journal.incarnationOf(user),
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

function settingsOf(options: ResolvedOptions, { current }: SecretKeys): InstanceSettings {
  const { ledger, plans, prices, currency, timeZone } = options
  const digest = (text: string): string => createHash('sha256').update(text).digest('base64url')
  return {
    secretKey: digest(`purser instance ${current}`),
    limits: digest(canonicalJson({ ledger, plans, prices, currency, timeZone })),
  }
}

/**
 * Leases first, so that turns can end and settle; then the modules that write, then the journal they write through, and
 * the store last. Calls that still wait for the store fail when it closes, and have a moment to reject their callers.
 */
export async function closeInOrder(modules: Modules, timeoutMs: number): Promise<void> {
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
