import { checkOptionsOf } from '../core/abort.ts'
import { signal } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { onlyKnown, wholeNumber } from '../core/validate.ts'
import type { Repeatable, TokenUsage } from './api.ts'
import { refund, settle } from './decide/admission.ts'
import type { LedgerHouse } from './deps.ts'
import { REPEATABLE, repeating } from './idempotency.ts'
import type { IssuedTicket, Tickets } from './tickets.ts'

/** What becomes of a ticket: settled or refunded, once. */
export interface Closings {
  refund(ticket: string | IssuedTicket, options?: Repeatable): Promise<boolean>
  settle(ticket: string | IssuedTicket, usage?: TokenUsage, options?: Repeatable): Promise<void>
}

export function createClosings(house: LedgerHouse, user: Subject, tickets: Tickets): Closings {
  const { journal, rules } = house

  function closed(): void {
    signal('activity', { namespace: user.namespace, user: user.id })
    house.upkeep.ticketClosed(user)
  }

  return {
    async refund(handed, given = {}) {
      checkOptionsOf('refund', given, REPEATABLE)
      const { ticket, ...call } = tickets.call(handed)
      const refunded = await journal.write<boolean>(user, {
        ...call,
        ...repeating<boolean>(given, { call: 'refund', body: handed }),
        decide: (view) => refund(rules, ticket, view),
      })
      if (refunded) closed()
      return refunded
    },

    async settle(handed, usage = {}, given = {}) {
      checkOptionsOf('settle', given, REPEATABLE)
      onlyKnown(usage, ['inputTokens', 'outputTokens'], { what: 'usage', code: 'argument_invalid' })
      const tokens = {
        inputTokens: count(usage.inputTokens, 'inputTokens'),
        outputTokens: count(usage.outputTokens, 'outputTokens'),
      }
      const { ticket, ...call } = tickets.call(handed)
      await journal.write<void>(user, {
        ...call,
        ...repeating<void>(given, { call: 'settle', body: { text: handed, tokens } }),
        decide: (view) => settle(rules, { ticket, tokens }, view),
      })
      closed()
    },
  }
}

function count(value: unknown, name: string): number {
  return value === undefined ? 0 : wholeNumber(value, { name, least: 0, most: 1_000_000_000_000 })
}
