import { publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type { Event } from '../journal/event.ts'
import type { UserLedger } from './api.ts'
import { type Bond, bondOf } from './bond.ts'
import { type Observed, observe } from './decide/observation.ts'
import { appEvent } from './decide/record.ts'
import type { LedgerDeps } from './deps.ts'
import { checkDetection } from './detection.ts'
import { IDEMPOTENCY_OPTIONS, idempotentWrite } from './idempotency.ts'
import { writeAndRetain } from './retention.ts'
import { actorOf } from './validate-arguments.ts'

/** What the application's detectors and the application itself say about a user. */
export function createObservations(house: LedgerDeps, user: Subject): Pick<UserLedger, 'observe' | 'record'> {
  const { rules } = house
  return {
    async observe(input, given = {}) {
      validateOptions('observe', given, ['peaks', ...IDEMPOTENCY_OPTIONS])
      const detection = checkDetection(rules, input, given.peaks)
      const command = { detection, bond: (view: Parameters<typeof bondOf>[2]): Bond => bondOf(rules, user.id, view) }
      const repeated = idempotentWrite<Observed<Bond>>(given, { call: 'observe', body: detection })
      const observed = await writeAndRetain<Observed<Bond>>(house, user, {
        ...repeated,
        decide: (view) => observe(rules, command, view),
        replay: (kept, view) => ({ ...repeated.replay(kept, view), outcome: 'replayed' }),
      })
      publish('activity', { namespace: user.namespace, user: user.id })
      return observed
    },

    async record(type, given = {}) {
      validateOptions('record', given, ['detail', 'data', 'actor', ...IDEMPOTENCY_OPTIONS])
      const { detail, data } = given
      const event = appEvent(type, { detail, data, actor: given.actor === undefined ? 'app' : actorOf(given.actor) })
      return writeAndRetain<Event>(house, user, {
        ...idempotentWrite<Event>(given, { call: 'record', body: event }),
        decide: () => ({ events: [event], result: ({ events }) => events[0] as Event }),
      })
    },
  }
}
