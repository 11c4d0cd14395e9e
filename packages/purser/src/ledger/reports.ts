import type { Subject } from '../identity.ts'
import type { Event } from '../journal/fold.ts'
import { signal } from '../signals.ts'
import { checkOptionsOf } from '../waiting.ts'
import { actorOf } from './arguments.ts'
import { type Bond, bondOf } from './bond.ts'
import { type Observed, observe } from './decide/observation.ts'
import { appEvent } from './decide/record.ts'
import { checkDetection } from './detection.ts'
import type { LedgerHouse } from './house.ts'
import type { UserLedger } from './port.ts'
import { REPEATABLE, repeating } from './repeating.ts'
import { writeAndRetain } from './retention.ts'

/** What the application's detectors and the application itself say about a user. */
export function createReports(house: LedgerHouse, user: Subject): Pick<UserLedger, 'observe' | 'record'> {
  const { rules } = house
  return {
    async observe(input, given = {}) {
      checkOptionsOf('observe', given, ['peaks', ...REPEATABLE])
      const detection = checkDetection(rules, input, given.peaks)
      const command = { detection, bond: (view: Parameters<typeof bondOf>[2]): Bond => bondOf(rules, user.id, view) }
      const repeated = repeating<Observed<Bond>>(given, { call: 'observe', body: detection })
      const observed = await writeAndRetain<Observed<Bond>>(house, user, {
        ...repeated,
        decide: (view) => observe(rules, command, view),
        replay: (kept, view) => ({ ...repeated.replay(kept, view), outcome: 'replayed' }),
      })
      signal('activity', { namespace: user.namespace, user: user.id })
      return observed
    },

    async record(type, given = {}) {
      checkOptionsOf('record', given, ['detail', 'data', 'actor', ...REPEATABLE])
      const { detail, data } = given
      const event = appEvent(type, { detail, data, actor: given.actor === undefined ? 'app' : actorOf(given.actor) })
      return writeAndRetain<Event>(house, user, {
        ...repeating<Event>(given, { call: 'record', body: event }),
        decide: () => ({ events: [event], result: ({ events }) => events[0] as Event }),
      })
    },
  }
}
