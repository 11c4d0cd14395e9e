import type { Effects } from '../effects.ts'
import { PurserError } from '../errors.ts'
import type { Subject } from '../identity.ts'
import type { OpenJournal } from '../journal/journal.ts'
import { decodeRow, viewOf } from '../journal/pending.ts'
import type { Keys } from '../keys.ts'
import type { LedgerOptions } from '../options.ts'
import type { Store, UserRow } from '../store.ts'
import { withSignal } from '../waiting.ts'
import { createAdmissions } from './admissions.ts'
import { options, refuse } from './arguments.ts'
import { type Bond, bondOf, ledgerFold } from './bond.ts'
import { createChanges } from './changes.ts'
import { behind, makeCheckpoint, readCheckpoint } from './checkpoint.ts'
import type { LedgerHouse } from './house.ts'
import { listUsers } from './listing.ts'
import type { Ledger, TailOptions } from './port.ts'
import { createReadings } from './readings.ts'
import { rulesOf } from './rules.ts'
import type { LedgerState, Measured } from './state.ts'
import { tailEvents } from './tail.ts'
import { type Verification, verifyUser } from './verify.ts'
import { verifyAll } from './verify-all.ts'

export type { Bond } from './bond.ts'
export { ledgerFold } from './bond.ts'
export type { Admission, Admitted, Refused } from './decide/admission.ts'
export type { ObservationOutcome, Observed } from './decide/observation.ts'
export type { DetectionInput } from './detection.ts'
export type { UserPage, UserQueryInput } from './listing.ts'
export type { Note } from './notes.ts'
export type { Acting, AdmitOptions, EventsOptions, ExportRow, Ledger, TailOptions, UserLedger } from './port.ts'
export type { Quota } from './rules.ts'
export type { LedgerState, Measured } from './state.ts'
export type { Fault, Verification } from './verify.ts'

export interface LedgerParts {
  readonly journal: OpenJournal<LedgerState, Measured>
  readonly store: Store
  readonly keys: Keys
  readonly effects: Effects
  readonly options: LedgerOptions
  readonly timeZone: string
  readonly namespace: string
}

/** Users looked after at once, beside the calls. */
const MAX_UPKEEP = 64
const TICKETS_PER_UPKEEP = 64

/** The ledger of a namespace, on a journal that was opened with `ledgerFold` of the same options. */
export function createLedger(parts: LedgerParts): Ledger {
  const { journal, store, keys, effects, namespace } = parts
  const rules = rulesOf(parts.options, parts.timeZone)
  const fold = ledgerFold(parts.options, parts.timeZone)
  const upkeep = new Set<Promise<unknown>>()
  const closing = new AbortController()
  let closedTickets = 0
  const upkeepIsDue = (): boolean => ++closedTickets % TICKETS_PER_UPKEEP === 0
  const house: LedgerHouse = { journal, store, keys, effects, rules, verify: verifyOne, background, upkeepIsDue }

  function background(work: () => Promise<unknown>): void {
    if (upkeep.size >= MAX_UPKEEP) return
    const quiet: Promise<unknown> = work().then(
      () => upkeep.delete(quiet),
      () => upkeep.delete(quiet),
    )
    upkeep.add(quiet)
  }

  async function verifyOne(user: Subject, text: string | undefined): Promise<Verification> {
    const checkpoint = text === undefined ? undefined : readCheckpoint(keys, namespace, text)
    return withCheckpoint(await verifyUser(house, user), checkpoint && (await behind(house, checkpoint)))
  }

  function listedBond(id: string, row: UserRow): Bond | undefined {
    try {
      return bondOf(rules, id, viewOf(decodeRow(row, fold), effects.now()))
    } catch (error) {
      if (PurserError.is(error, 'store_damaged')) return undefined
      throw error
    }
  }

  return {
    of: (user) => ({ ...createAdmissions(house, user), ...createChanges(house, user), ...createReadings(house, user) }),

    users: (query) =>
      listUsers(
        {
          store,
          namespace,
          now: effects.now,
          bond: listedBond,
        },
        query,
      ),

    events(given = {}) {
      checkTail(given)
      const start =
        given.after === undefined ? store.events.position(namespace) : store.events.position(namespace, given.after)
      const known = start.then((position) => position ?? gone(given.after))
      known.catch(() => undefined)
      return tailEvents({ store, namespace, closing: closing.signal }, given, known)
    },

    async verify(given = {}) {
      options(given, ['checkpoint', 'signal'], 'verify')
      const checkpoint = given.checkpoint === undefined ? undefined : readCheckpoint(keys, namespace, given.checkpoint)
      const all = verifyAll({ store, keys, now: effects.now }, namespace, given.signal)
      const found = all.then(async (verified) =>
        withCheckpoint(verified, checkpoint && (await behind(house, checkpoint))),
      )
      return withSignal(found, given.signal)
    },

    async checkpoint(given = {}) {
      options(given, ['signal'], 'checkpoint')
      return withSignal(makeCheckpoint(house, namespace), given.signal)
    },

    overview: () => store.users.overview(namespace),

    async close() {
      closing.abort()
      await Promise.all(upkeep)
    },
  }
}

function withCheckpoint(found: Verification, fault: Verification['firstBad']): Verification {
  return fault === undefined ? found : { ok: false, checked: found.checked, firstBad: found.firstBad ?? fault }
}

function checkTail(given: TailOptions): void {
  options(given, ['after', 'user', 'types', 'signal'], 'events')
  for (const name of ['after', 'user'] as const) {
    if (given[name] !== undefined && typeof given[name] !== 'string')
      refuse('argument_invalid', `${name} must be text.`, undefined, name)
  }
  if (given.types !== undefined && !Array.isArray(given.types))
    refuse('argument_invalid', 'types must be a list of event types.', undefined, 'types')
}

function gone(after: string | undefined): never {
  throw new PurserError('event_gone', 'No event of that id is kept, so there is nothing to resume behind.', {
    hint: 'Read the present state, then tail without `after`.',
    details: { after },
  })
}
