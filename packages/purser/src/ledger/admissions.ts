import type { Subject } from '../identity.ts'
import { signal } from '../signals.ts'
import { withSignal } from '../waiting.ts'
import { idempotencyOf, onlyKnown, options, wholeNumber } from './arguments.ts'
import { type Admission, admit, claim, costOf, refund, settle } from './decide/admission.ts'
import type { LedgerHouse } from './house.ts'
import type { AdmitOptions, UserLedger } from './port.ts'
import { pruneTickets, retain } from './retention.ts'
import { capOf, quotaOf, usageIn } from './rules.ts'
import { readTicket, TICKET_RECORDS, type Ticket, ticketRecord, writeTicket } from './tickets.ts'

type Admissions = Pick<UserLedger, 'admit' | 'admitTurn' | 'quota' | 'claim' | 'refund' | 'settle'>

const WAITING = ['signal'] as const

/** May the user act now, and what becomes of the ticket. */
export function createAdmissions(house: LedgerHouse, user: Subject): Admissions {
  const { journal, keys, rules, effects } = house
  const write = (ticket: Ticket): string => writeTicket(keys, user, ticket)

  function tell(admission: Admission, cost: number): Admission {
    const outcome = admission.allowed ? 'allowed' : admission.reason
    signal('admission', { namespace: user.namespace, user: user.id, outcome })
    if (!admission.allowed) return admission
    active()
    // The first use of a window is the occasion to remove what is too old.
    if (admission.count === cost) house.background(upkeep)
    return admission
  }

  async function upkeep(): Promise<void> {
    await pruneTickets(house, user)
    if (rules.keepEvents !== null) await retain(house, user, rules.keepEvents)
  }

  function active(): void {
    signal('activity', { namespace: user.namespace, user: user.id })
  }

  function closed(): void {
    active()
    if (house.upkeepIsDue()) house.background(upkeep)
  }

  /** What every call with a ticket begins with: whose life it belongs to, and what was done with it so far. */
  function ticketCall(text: unknown): { ticket: Ticket; reads: { kind: string; name: string }[]; incarnation: number } {
    const ticket = readTicket(keys, user, text)
    return { ticket, reads: [{ kind: TICKET_RECORDS, name: ticketRecord(ticket) }], incarnation: ticket.incarnation }
  }

  async function admitted(given: AdmitOptions, kind: { call: string; claimed: boolean }): Promise<Admission> {
    const cost = costOf(given.cost)
    const command = { cost, ticketId: effects.randomId(), claimed: kind.claimed, write }
    const admission = await journal.write<Admission>(user, {
      signal: given.signal,
      idempotency: idempotencyOf(given.idempotencyKey, kind.call, { cost }),
      decide: (view) => admit(rules, command, view),
    })
    return tell(admission, cost)
  }

  async function claimed(text: string, abort: AbortSignal | undefined): Promise<Admission> {
    const { ticket, ...call } = ticketCall(text)
    return journal.write<Admission>(user, {
      ...call,
      signal: abort,
      decide: (view) => claim(rules, { ticket, text }, view),
    })
  }

  return {
    async admit(given = {}) {
      options(given, ['cost', 'idempotencyKey', 'signal'], 'admit')
      return admitted(given, { call: 'admit', claimed: false })
    },

    async admitTurn({ cost, ticket, idempotencyKey, signal }) {
      if (ticket !== undefined) return claimed(ticket, signal)
      return admitted({ cost, idempotencyKey, signal }, { call: 'turn', claimed: true })
    },

    async claim(text, given = {}) {
      options(given, WAITING, 'claim')
      return claimed(text, given.signal)
    },

    async quota(given = {}) {
      options(given, WAITING, 'quota')
      const view = await withSignal(journal.read(user), given.signal)
      return quotaOf(capOf(rules, view.state), usageIn(rules, view))
    },

    async refund(text, given = {}) {
      options(given, WAITING, 'refund')
      const { ticket, ...call } = ticketCall(text)
      const refunded = await journal.write<boolean>(user, {
        ...call,
        signal: given.signal,
        decide: (view) => refund(rules, { ticket, text }, view),
      })
      if (refunded) closed()
      return refunded
    },

    async settle(text, usage = {}, given = {}) {
      options(given, WAITING, 'settle')
      onlyKnown(usage, ['inputTokens', 'outputTokens'], { what: 'usage', code: 'argument_invalid' })
      const tokens = {
        inputTokens: count(usage.inputTokens, 'inputTokens'),
        outputTokens: count(usage.outputTokens, 'outputTokens'),
      }
      const { ticket, ...call } = ticketCall(text)
      await journal.write<void>(user, {
        ...call,
        signal: given.signal,
        decide: (view) => settle(rules, { ticket, text, tokens }, view),
      })
      closed()
    },
  }
}

function count(value: unknown, name: string): number {
  return value === undefined ? 0 : wholeNumber(value, { name, least: 0, most: 1_000_000_000_000 })
}
