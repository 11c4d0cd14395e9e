import { checkOptionsOf, withSignal } from '../core/abort.ts'
import { signal } from '../core/diagnostics.ts'
import type { Subject } from '../core/subject.ts'
import type { AdmitOptions, AdmittedTurn, Repeatable, UserLedger } from './api.ts'
import { type Admission, admit, blocked, claim, costOf, type Refused } from './decide/admission.ts'
import type { LedgerHouse } from './deps.ts'
import { REPEATABLE, type RepeatedCall, repeating } from './idempotency.ts'
import { capOf, type LedgerView, quotaOf, usageIn } from './quota.ts'
import type { Closings } from './settlements.ts'
import type { IssuedTicket, Ticket, Tickets } from './tickets.ts'

type Admissions = Pick<UserLedger, 'admit' | 'admitTurn' | 'quota' | 'claim'>

const WAITING = ['signal'] as const

/** May the user act now? */
export function createAdmissions(
  house: LedgerHouse,
  { user, tickets, closings }: { user: Subject; tickets: Tickets; closings: Closings },
): Admissions {
  const { journal, rules, effects } = house

  function tell(admission: Admission, cost: number): Admission {
    const outcome = admission.allowed ? 'allowed' : admission.reason
    signal('admission', { namespace: user.namespace, user: user.id, outcome })
    if (!admission.allowed) return admission
    signal('activity', { namespace: user.namespace, user: user.id })
    if (admission.count === cost) house.upkeep.windowOpened(user)
    return admission
  }

  async function admitted(
    given: AdmitOptions,
    repeated: RepeatedCall<Admission>,
    command: { readonly claimed: boolean; issue(ticket: Ticket): IssuedTicket },
  ): Promise<Admission> {
    const cost = costOf(given.cost)
    const ticketId = effects.randomId()
    const admission = await journal.write<Admission>(user, {
      ...repeating<Admission>(given, { ...repeated, body: { cost, asked: repeated.body } }),
      decide: (view) => admit(rules, { ...command, cost, ticketId }, view),
    })
    return tell(admission, cost)
  }

  async function claimed(text: string, given: Repeatable, repeated: RepeatedCall<Admission>): Promise<Admission> {
    const { ticket, ...call } = tickets.call(text)
    return journal.write<Admission>(user, {
      ...call,
      ...repeating<Admission>(given, repeated),
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
      checkOptionsOf('admit', given, ['cost', ...REPEATABLE])
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
      checkOptionsOf('claim', given, WAITING)
      return claimed(text, { signal: given.signal }, { call: 'claim', body: null })
    },

    async quota(given = {}) {
      checkOptionsOf('quota', given, WAITING)
      const view = await withSignal(journal.read(user), given.signal)
      return quotaOf(capOf(rules, view.state), usageIn(rules, view))
    },
  }
}
