import type { Effects } from '../../src/core/effects.ts'
import { createKeyring, type Keyring } from '../../src/core/keyring.ts'
import { createPendingCalls } from '../../src/core/pending-calls.ts'
import { createSubject } from '../../src/core/subject.ts'
import { createWallClock } from '../../src/core/wall-clock.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import type { ErasedCounts } from '../../src/journal/commit-loop.ts'
import type { Event } from '../../src/journal/event.ts'
import { type OpenJournal, openJournal } from '../../src/journal/journal.ts'
import type { JournalLimits } from '../../src/journal/limits.ts'
import type { AdmitTurnOptions, AdmittedTurn, InternalUserLedger, Ledger, UserLedger } from '../../src/ledger/api.ts'
import { ledgerFold } from '../../src/ledger/bond.ts'
import type { Refused } from '../../src/ledger/decide/admission.ts'
import { createLedger } from '../../src/ledger/ledger.ts'
import { compileRules, type LedgerRulesOptions } from '../../src/ledger/rules.ts'
import type { LedgerData } from '../../src/ledger/state.ts'
import { DEFAULTS, type LedgerOptions } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'
import { noPostgres, openPostgres } from './postgres-server.ts'
import { noRedis, openRedis } from './redis-server.ts'
import { temporaryPath } from './temporary-store.ts'
import { openTestStore } from './test-store.ts'

export type Driver = 'memory' | 'sqlite' | 'postgres' | 'redis'
export const DRIVERS: readonly Driver[] = [
  'memory',
  'sqlite',
  ...(noPostgres ? [] : ['postgres' as const]),
  ...(noRedis ? [] : ['redis' as const]),
]

export interface LedgerHarnessOptions
  extends Partial<LedgerOptions>,
    Partial<Pick<LedgerRulesOptions, 'plans' | 'prices'>> {
  /** Default: see `openTestStore`. */
  readonly driver?: Driver
  readonly timeZone?: string
  /** The wall clock at first, ISO 8601. */
  readonly wall?: string
  readonly namespace?: string
  /** An open store, which is left open. */
  readonly store?: Store
  /** The file of a SQLite store. Default: a temporary one. */
  readonly path?: string
  /** Default: the clock. */
  readonly effects?: Effects
  readonly clock?: HandClock
  readonly journalLimits?: JournalLimits
}

export interface LedgerHarness extends AsyncDisposable {
  readonly clock: HandClock
  readonly store: Store
  readonly keys: Keyring
  readonly journal: OpenJournal<LedgerData>
  readonly ledger: Ledger
  user(id: string): UserLedger
  /** With the calls that are not public. */
  internalUser(id: string): InternalUserLedger
  erase(id: string): Promise<ErasedCounts>
  /** A second process: the same store and clock, and caches of its own. */
  openPeer(options?: LedgerHarnessOptions): Promise<LedgerHarness>
  /** The process after a restart: closes the ledger and opens another one on the same store. */
  reopen(): Promise<LedgerHarness>
}

/** The same for every harness, so that two of them can share a file. */
const ROOT_KEY = Buffer.alloc(32, 7)

/** A ledger and everything below it, on a clock that the test moves. */
export async function openLedgerHarness(options: LedgerHarnessOptions = {}): Promise<LedgerHarness> {
  const clock = options.clock ?? handClock({ wall: options.wall ?? '2026-03-10T12:00:00Z' })
  const effects = options.effects ?? clock
  const { store, release } = await openStore(options, effects)
  return openOn({ ...options, clock, effects, store }, release)
}

type OpenOptions = LedgerHarnessOptions & Required<Pick<LedgerHarnessOptions, 'clock' | 'effects' | 'store'>>

function openOn(options: OpenOptions, release: () => Promise<void>): LedgerHarness {
  const { clock, effects, store, timeZone = 'UTC', namespace = 'default', journalLimits } = options
  const { plans = {}, prices = {} } = options
  const wallClock = createWallClock(effects)
  const ledgerOptions = { ...DEFAULTS.ledger, ...options }
  const rules = compileRules({ ledger: ledgerOptions, plans, prices, timeZone, clock: wallClock })
  const keys = createKeyring(ROOT_KEY)
  const fold = ledgerFold(rules)
  const journal = openJournal({
    store,
    keys,
    effects: { ...effects, now: wallClock.now },
    fold,
    ...(journalLimits === undefined ? {} : { limits: journalLimits }),
  })
  const calls = createPendingCalls(effects)
  const ledger = createLedger({ journal, store, keys, effects, calls, rules, namespace })
  const internalUser = (id: string): InternalUserLedger => ledger.of(createSubject(namespace, id))
  let isReopened = false

  async function close(): Promise<void> {
    await ledger.close()
    await journal.close()
  }

  return {
    clock,
    store,
    keys,
    journal,
    ledger,
    internalUser,
    user: (id) => internalUser(id).api,
    erase: (id) =>
      journal.erase(createSubject(namespace, id), (incarnation, pseudonym) => ({
        type: 'user_erased',
        detail: 'user erased',
        data: { pseudonym, incarnation },
        actor: 'test',
        reason: 'requested',
      })),
    openPeer: (peerOptions) => openLedgerHarness({ ...options, ...peerOptions }),
    async reopen() {
      isReopened = true
      await close()
      return openOn(options, release)
    },
    async [Symbol.asyncDispose]() {
      if (isReopened) return
      await close()
      await release()
    },
  }
}

/** Opens an empty store of a driver; the SQLite files are temporary. */
const openDriver: Readonly<Record<Driver, (effects: Effects) => Promise<Store>>> = {
  memory: (effects) => openMemoryStore({ effects }),
  sqlite: (effects) => openSqliteStore({ path: temporaryPath(), effects }),
  postgres: () => openPostgres(),
  redis: () => openRedis(),
}

async function openStore(
  { store, driver, path }: LedgerHarnessOptions,
  effects: Effects,
): Promise<{ readonly store: Store; release(): Promise<void> }> {
  if (store !== undefined) return { store, release: async () => {} }
  const opened = await openNew({ driver, path }, effects)
  return { store: opened, release: () => opened.close() }
}

function openNew(
  { driver, path }: { readonly [Name in 'driver' | 'path']: LedgerHarnessOptions[Name] | undefined },
  effects: Effects,
): Promise<Store> {
  if (path !== undefined) return openSqliteStore({ path, effects })
  return driver === undefined ? openTestStore(effects) : openDriver[driver](effects)
}

/** Admits the user, which must be allowed, and returns the ticket. */
export async function admitForTicket(user: UserLedger, cost = 1): Promise<string> {
  const admission = await user.admit({ cost })
  if (!admission.allowed) throw new Error(`Refused: ${admission.reason}`)
  return admission.ticket
}

/** As a turn is admitted. */
export function admitTurn(ledger: InternalUserLedger, options: AdmitTurnOptions): Promise<Refused | AdmittedTurn> {
  return new Promise((resolve, reject) => ledger.admitTurn(options, { resolve, reject }))
}

/** Records events `{ index }` of type `acme:n`, one by one. */
export async function recordEvents(user: UserLedger, count: number): Promise<Event[]> {
  const events: Event[] = []
  for (let index = 0; index < count; index++) events.push(await user.record('acme:n', { data: { index } }))
  return events
}
