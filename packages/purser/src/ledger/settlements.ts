import { publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type { IdempotencyOptions, TokenUsage } from './api.ts'
import { refund, settle } from './decide/admission.ts'
import type { LedgerDeps } from './deps.ts'
import { IDEMPOTENCY_OPTIONS, idempotentWrite } from './idempotency.ts'
import type { IssuedTicket, Tickets } from './tickets.ts'
import { onlyKnown, wholeNumber } from './validate-arguments.ts'

/** What becomes of a ticket: settled or refunded, once. */
export interface Settlements {
  refund(ticket: string | IssuedTicket, options?: IdempotencyOptions): Promise<boolean>
  settle(ticket: string | IssuedTicket, usage?: TokenUsage, options?: IdempotencyOptions): Promise<void>
}

export function createSettlements(house: LedgerDeps, user: Subject, tickets: Tickets): Settlements {
  const { journal, rules } = house

  function closed(): void {
    publish('activity', { namespace: user.namespace, user: user.id })
    house.upkeep.ticketClosed(user)
  }

  return {
    async refund(handed, given = {}) {
      validateOptions('refund', given, IDEMPOTENCY_OPTIONS)
      const { ticket, ...call } = tickets.call(handed)
      const refunded = await journal.write<boolean>(user, {
        ...call,
        ...idempotentWrite<boolean>(given, { call: 'refund', body: handed }),
        decide: (view) => refund(rules, ticket, view),
      })
      if (refunded) closed()
      return refunded
    },

    async settle(handed, usage = {}, given = {}) {
      validateOptions('settle', given, IDEMPOTENCY_OPTIONS)
      onlyKnown(usage, ['inputTokens', 'outputTokens'], { what: 'usage', code: 'argument_invalid' })
      const tokens = {
        inputTokens: count(usage.inputTokens, 'inputTokens'),
        outputTokens: count(usage.outputTokens, 'outputTokens'),
      }
      const { ticket, ...call } = tickets.call(handed)
      await journal.write<void>(user, {
        ...call,
        ...idempotentWrite<void>(given, { call: 'settle', body: { text: handed, tokens } }),
        decide: (view) => settle(rules, { ticket, tokens }, view),
      })
      closed()
    },
  }
}

function count(value: unknown, name: string): number {
  return value === undefined ? 0 : wholeNumber(value, { name, least: 0, most: 1_000_000_000_000 })
}
