import { withSignal } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { readEvent } from '../journal/hash-chain.ts'
import type { UserLedger } from './api.ts'
import { bondOf } from './bond.ts'
import type { LedgerDeps } from './deps.ts'
import { exportRows } from './export.ts'
import { pageLimit, refuse, wholeNumber } from './validate-arguments.ts'

type Readings = Pick<UserLedger, 'bond' | 'events' | 'verify' | 'exportRows'>

/** What can be known of a user. Nothing here writes. */
export function createQueries(house: LedgerDeps, user: Subject): Readings {
  const { journal, store, calls, rules } = house
  return {
    async bond(given = {}) {
      validateOptions('bond', given, ['signal'])
      return bondOf(rules, user.id, await withSignal(journal.read(user), given.signal))
    },

    async events(given = {}) {
      validateOptions('events', given, ['limit', 'before', 'types', 'signal'])
      const { before, types } = given
      const limit = pageLimit(given.limit)
      if (before !== undefined) wholeNumber(before, { name: 'before', least: 0, most: Number.MAX_SAFE_INTEGER })
      if (types !== undefined && !(Array.isArray(types) && types.every((type) => typeof type === 'string')))
        refuse('argument_invalid', 'types must be a list of event types.', "For instance ['risk_change'].", 'types')
      given.signal?.throwIfAborted()
      if (limit === 0 || types?.length === 0) return []
      const stored = await withSignal(
        calls.run(() => store.events.newest(user, { limit, before, types })),
        given.signal,
      )
      return stored.map((event) => readEvent(user.id, event))
    },

    async verify(given = {}) {
      validateOptions('verify', given, ['checkpoint', 'signal'])
      return withSignal(house.verify(user, given.checkpoint), given.signal)
    },

    exportRows: () => exportRows(house, user),
  }
}
