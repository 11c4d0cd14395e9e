import { withSignal } from '../core/abort.ts'
import { publish } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import type { AdmitOptions, AdmittedTurn, IdempotencyOptions, UserLedger } from './api.ts'
import { type Admission, admit, blocked, claim, costOf, type Refused } from './decide/admission.ts'
import type { LedgerDeps } from './deps.ts'
import { IDEMPOTENCY_OPTIONS, type IdempotentCall, idempotentWrite } from './idempotency.ts'
import { capOf, type LedgerView, quotaOf, usageIn } from './quota.ts'
import type { Settlements } from './settlements.ts'
import type { IssuedTicket, Ticket, Tickets } from './tickets.ts'

type Admissions = Pick<UserLedger, 'admit' | 'admitTurn' | 'quota' | 'claim'>

const WAITING = ['signal'] as const

/** May the user act now? */
export function createAdmissions(
  house: LedgerDeps,
  { user, tickets, closings }: { user: Subject; tickets: Tickets; closings: Settlements },
): Admissions {
  const { journal, rules, effects } = house

  function tell(admission: Admission, cost: number): Admission {
    const outcome = admission.allowed ? 'allowed' : admission.reason
    publish('admission', { namespace: user.namespace, user: user.id, outcome })
    if (!admission.allowed) return admission
    publish('activity', { namespace: user.namespace, user: user.id })
    if (admission.count === cost) house.upkeep.windowOpened(user)
    return admission
  }

  async function admitted(
    given: AdmitOptions,
    repeated: IdempotentCall<Admission>,
    command: { readonly claimed: boolean; issue(ticket: Ticket): IssuedTicket },
  ): Promise<Admission> {
    const cost = costOf(given.cost)
    const ticketId = effects.randomId()
    const admission = await journal.write<Admission>(user, {
      ...idempotentWrite<Admission>(given, { ...repeated, body: { cost, asked: repeated.body } }),
      decide: (view) => admit(rules, { ...command, cost, ticketId }, view),
    })
    return tell(admission, cost)
  }

  async function claimed(
    text: string,
    given: IdempotencyOptions,
    repeated: IdempotentCall<Admission>,
  ): Promise<Admission> {
    const { ticket, ...call } = tickets.call(text)
    return journal.write<Admission>(user, {
      ...call,
      ...idempotentWrite<Admission>(given, repeated),
      decide: (view) => claim(rules, { ticket, text }, view),
    })
  }

  /** What the repeat of a turn is told. */
  function unlessBlocked(kept: Admission, view: LedgerView): Admission {
    return blocked(rules, view) ?? kept
  }

  function turnOf(admission: Admission, ticket: IssuedTicket | undefined): Refused | AdmittedTurn {
    if (!admission.allowed) return admission
    const { settle, refund } = closings
    return {
      allowed: true,
      admission,
      settle: (usage) => settle(ticket ?? admission.ticket, usage),
      refund: () => refund(ticket ?? admission.ticket),
    }
  }

  return {
    async admit(given = {}) {
      validateOptions('admit', given, ['cost', ...IDEMPOTENCY_OPTIONS])
      const issue = (ticket: Ticket): IssuedTicket => tickets.issue(ticket)
      // A plain value: whoever asks for an admission alone wants its ticket.
      return { ...(await admitted(given, { call: 'admit', body: null }, { claimed: false, issue })) }
    },

    async admitTurn({ ticket, request, ...given }) {
      if (ticket !== undefined) {
        const repeated = { call: 'turn', body: { ticket, asked: request }, again: unlessBlocked }
        return turnOf(await claimed(ticket, given, repeated), undefined)
      }
      let issued: IssuedTicket | undefined
      const issue = (made: Ticket): IssuedTicket => {
        issued = tickets.issue(made)
        return issued
      }
      const again = (kept: Admission, view: LedgerView): Admission => {
        // A first attempt may have issued one before another process was found to have answered.
        issued = undefined
        return unlessBlocked(kept, view)
      }
      const admission = await admitted(given, { call: 'turn', body: request, again }, { claimed: true, issue })
      return turnOf(admission, issued)
    },

    async claim(text, given = {}) {
      validateOptions('claim', given, WAITING)
      return claimed(text, { signal: given.signal }, { call: 'claim', body: null })
    },

    async quota(given = {}) {
      validateOptions('quota', given, WAITING)
      const view = await withSignal(journal.read(user), given.signal)
      return quotaOf(capOf(rules, view.state), usageIn(rules, view))
    },
  }
}
