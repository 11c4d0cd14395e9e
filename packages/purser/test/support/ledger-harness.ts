import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Effects } from '../../src/core/effects.ts'
import { createKeyring, type Keyring } from '../../src/core/keyring.ts'
import { createPendingCalls } from '../../src/core/pending-calls.ts'
import { createSubject } from '../../src/core/subject.ts'
import { openMemoryStore } from '../../src/drivers/memory/index.ts'
import { openSqliteStore } from '../../src/drivers/sqlite/index.ts'
import { type OpenJournal, openJournal } from '../../src/journal/journal.ts'
import type { JournalLimits } from '../../src/journal/limits.ts'
import type { Ledger, UserLedger } from '../../src/ledger/api.ts'
import { ledgerFold } from '../../src/ledger/bond.ts'
import { createLedger } from '../../src/ledger/ledger.ts'
import type { LedgerState, Measurements } from '../../src/ledger/state.ts'
import { DEFAULTS, type LedgerOptions } from '../../src/options.ts'
import type { Store } from '../../src/storage/store.ts'
import { type HandClock, handClock } from '../../src/testing/hand-clock.ts'

export type Driver = 'memory' | 'sqlite'
export const DRIVERS: readonly Driver[] = ['memory', 'sqlite']

export interface Order extends Partial<LedgerOptions> {
  readonly driver?: Driver
  readonly timeZone?: string
  readonly wall?: string
  readonly namespace?: string
  /** Share a store, or wrap one. */
  readonly store?: Store
  readonly path?: string
  readonly effects?: Effects
  readonly clock?: HandClock
  readonly limits?: JournalLimits
}

export interface House extends AsyncDisposable {
  readonly clock: HandClock
  readonly store: Store
  readonly keys: Keyring
  readonly journal: OpenJournal<LedgerState, Measurements>
  readonly ledger: Ledger
  readonly path: string
  of(id: string): UserLedger
}

/** The same root for every house, so that two houses on one file understand each other. */
export const ROOT: Buffer = Buffer.alloc(32, 7)

/** A ledger with everything below it, on a clock that is moved by hand. */
export async function openHouse(order: Order = {}): Promise<House> {
  const { driver = 'memory', timeZone = 'UTC', namespace = 'default', limits } = order
  const { dailyCap, window, keepEvents, phases, riskLevels } = { ...DEFAULTS.ledger, ...order }
  const options = { dailyCap, window, keepEvents, phases, riskLevels }
  const clock = order.clock ?? handClock({ wall: order.wall ?? '2026-03-10T12:00:00Z' })
  const effects = order.effects ?? clock
  const directory = driver === 'sqlite' && !order.path ? await mkdtemp(join(tmpdir(), 'purser-ledger-')) : undefined
  const path = order.path ?? join(directory ?? '', 'ledger.db')
  const store =
    order.store ?? (driver === 'memory' ? await openMemoryStore({ effects }) : await openSqliteStore({ path, effects }))
  const keys = createKeyring(ROOT)
  const fold = ledgerFold(options, timeZone)
  const journal = openJournal({ store, keys, effects, fold, ...(limits === undefined ? {} : { limits }) })
  const ledger = createLedger({
    ...{ journal, store, keys, effects, options, timeZone, namespace },
    calls: createPendingCalls(effects),
  })
  return {
    clock,
    store,
    keys,
    journal,
    ledger,
    path,
    of: (id) => ledger.of(createSubject(namespace, id)),
    async [Symbol.asyncDispose]() {
      await ledger.close()
      await journal.close()
      if (order.store === undefined) await store.close()
      if (directory !== undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}

export async function erase(house: House, id: string, namespace = 'default'): Promise<void> {
  await house.journal.erase(createSubject(namespace, id), (incarnation, pseudonym) => ({
    type: 'user_erased',
    detail: 'user erased',
    data: { pseudonym, incarnation },
    actor: 'test',
    reason: 'asked for',
  }))
}

/** The ticket of an admission that must have been allowed. */
export async function ticketOf(user: UserLedger, cost = 1): Promise<string> {
  const admission = await user.admit({ cost })
  if (!admission.allowed) throw new Error(`Not admitted: ${admission.reason}`)
  return admission.ticket
}
