import { withAbort, withSignal } from '../core/abort.ts'
import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import { createSubject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError, purserClosed } from '../errors.ts'
import type { Fold } from '../journal/event.ts'
import type { OpenJournal } from '../journal/journal.ts'
import { decodeRow, viewOf } from '../journal/unit-of-work.ts'
import type { LedgerOptions } from '../options.ts'
import type { UserRow } from '../storage/commit.ts'
import type { Store } from '../storage/store.ts'
import { createAdmissions } from './admissions.ts'
import type { Ledger, TailOptions } from './api.ts'
import { type Bond, bondOf, ledgerFold } from './bond.ts'
import { makeCheckpoint, verifyAgainst } from './checkpoint.ts'
import type { LedgerDeps } from './deps.ts'
import { listUsers } from './list-users.ts'
import { createModeration } from './moderation.ts'
import { createNotes } from './notes.ts'
import { createObservations } from './observations.ts'
import { createQueries } from './queries.ts'
import { type Rules, rulesOf } from './quota.ts'
import { createSettlements } from './settlements.ts'
import type { LedgerState, Measurements } from './state.ts'
import { tailEvents } from './tail.ts'
import { createTicketSweeper } from './ticket-sweeper.ts'
import { Tickets } from './tickets.ts'
import { refuse } from './validate-arguments.ts'
import { type Verification, verifyUser } from './verify.ts'
import { verifyAll } from './verify-all.ts'

export interface CreateLedgerDeps {
  readonly journal: OpenJournal<LedgerState, Measurements>
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  readonly calls: PendingCalls
  readonly options: LedgerOptions
  readonly timeZone: string
  readonly namespace: string
}

/** The ledger of a namespace, on a journal that was opened with `ledgerFold` of the same options. */
export function createLedger(parts: CreateLedgerDeps): Ledger {
  const { journal, store, keys, effects, calls, namespace } = parts
  const rules = rulesOf(parts.options, parts.timeZone)
  const fold = ledgerFold(parts.options, parts.timeZone)
  const upkeep = createTicketSweeper({ journal, store, keys, effects, rules })
  const closing = new AbortController()
  const house: LedgerDeps = {
    journal,
    store,
    keys,
    effects,
    calls,
    rules,
    upkeep,
    verify: (user, text) =>
      calls.run(() => verifyAgainst({ store, keys, namespace, text }, () => verifyUser({ store, keys }, user))),
  }

  return {
    of(user) {
      const tickets = new Tickets(keys, user)
      const closings = createSettlements(house, user, tickets)
      return {
        ...createAdmissions(house, { user, tickets, closings }),
        ...closings,
        ...createObservations(house, user),
        ...createModeration(house, user),
        ...createNotes(house, user),
        ...createQueries(house, user),
      }
    },

    users: (query) =>
      listUsers(
        {
          store,
          calls,
          namespace,
          rules,
          now: effects.now,
          bond: (id, row) => listedBond({ rules, fold, now: effects.now() }, id, row),
        },
        query,
      ),

    events(given = {}) {
      if (closing.signal.aborted) throw purserClosed()
      checkTail(namespace, given)
      return tailEvents({ store, namespace, closing: closing.signal }, given)
    },

    async verify(given = {}) {
      validateOptions('verify', given, ['checkpoint', 'signal'])
      const all = (): Promise<Verification> => verifyAll({ store, keys, now: effects.now }, namespace, given.signal)
      const checked = calls.run(() => verifyAgainst({ store, keys, namespace, text: given.checkpoint }, all))
      return withSignal(checked, given.signal)
    },

    async checkpoint(given = {}) {
      validateOptions('checkpoint', given, ['signal'])
      return withSignal(
        calls.run(() => makeCheckpoint(house, namespace)),
        given.signal,
      )
    },

    overview: (given) => withAbort('overview', given, () => calls.run(() => store.users.overview(namespace))),

    async close() {
      closing.abort()
      await upkeep.idle()
    },
  }
}

/** undefined: the row is damaged. */
function listedBond(
  { rules, fold, now }: { rules: Rules; fold: Fold<LedgerState, Measurements>; now: number },
  id: string,
  row: UserRow,
): Bond | undefined {
  try {
    return bondOf(rules, id, viewOf(decodeRow(row, fold), now))
  } catch (error) {
    if (PurserError.is(error, 'store_damaged')) return undefined
    throw error
  }
}

const isText = (value: unknown): boolean => typeof value === 'string'

function checkTail(namespace: string, given: TailOptions): void {
  validateOptions('events', given, ['after', 'user', 'types', 'signal'])
  if (given.user !== undefined) createSubject(namespace, given.user)
  if (given.after !== undefined && typeof given.after !== 'string')
    refuse('argument_invalid', 'after must be the id of an event.', 'Leave it out for what comes from now on.', 'after')
  if (given.types !== undefined && !(Array.isArray(given.types) && given.types.every(isText)))
    refuse('argument_invalid', 'types must be a list of event types.', "For instance ['risk_change'].", 'types')
}
