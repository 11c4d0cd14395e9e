import type { Subject } from '../identity.ts'
import { signal } from '../signals.ts'
import { onlyKnown, options, wholeNumber } from './arguments.ts'
import { refund, settle } from './decide/admission.ts'
import type { LedgerHouse } from './house.ts'
import type { UserLedger } from './port.ts'
import { REPEATABLE, repeating } from './repeating.ts'
import type { Tickets } from './tickets.ts'

/** What becomes of a ticket: settled or refunded, once. */
export function createClosings(
  house: LedgerHouse,
  user: Subject,
  tickets: Tickets,
): Pick<UserLedger, 'refund' | 'settle'> {
  const { journal, rules } = house

  function closed(): void {
    signal('activity', { namespace: user.namespace, user: user.id })
    house.upkeep.ticketClosed(user)
  }

  return {
    async refund(text, given = {}) {
      options(given, REPEATABLE, 'refund')
      const { ticket, ...call } = tickets.call(text)
      const refunded = await journal.write<boolean>(user, {
        ...call,
        ...repeating<boolean>(given, { call: 'refund', body: text }),
        decide: (view) => refund(rules, { ticket, text }, view),
      })
      if (refunded) closed()
      return refunded
    },

    async settle(text, usage = {}, given = {}) {
      options(given, REPEATABLE, 'settle')
      onlyKnown(usage, ['inputTokens', 'outputTokens'], { what: 'usage', code: 'argument_invalid' })
      const tokens = {
        inputTokens: count(usage.inputTokens, 'inputTokens'),
        outputTokens: count(usage.outputTokens, 'outputTokens'),
      }
      const { ticket, ...call } = tickets.call(text)
      await journal.write<void>(user, {
        ...call,
        ...repeating<void>(given, { call: 'settle', body: { text, tokens } }),
        decide: (view) => settle(rules, { ticket, text, tokens }, view),
      })
      closed()
    },
  }
}

function count(value: unknown, name: string): number {
  return value === undefined ? 0 : wholeNumber(value, { name, least: 0, most: 1_000_000_000_000 })
}
