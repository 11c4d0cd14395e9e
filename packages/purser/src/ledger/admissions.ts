import type { Subject } from '../identity.ts'
import { signal } from '../signals.ts'
import { withSignal } from '../waiting.ts'
import { options } from './arguments.ts'
import { type Admission, admit, blocked, claim, costOf } from './decide/admission.ts'
import type { LedgerHouse } from './house.ts'
import type { AdmitOptions, UserLedger } from './port.ts'
import { REPEATABLE, type RepeatedCall, repeating } from './repeating.ts'
import { capOf, type LedgerView, quotaOf, usageIn } from './rules.ts'
import type { Ticket, Tickets } from './tickets.ts'

type Admissions = Pick<UserLedger, 'admit' | 'admitTurn' | 'quota' | 'claim'>

const WAITING = ['signal'] as const

/** May the user act now? */
export function createAdmissions(house: LedgerHouse, user: Subject, tickets: Tickets): Admissions {
  const { journal, rules, effects } = house
  const write = (ticket: Ticket): string => tickets.write(ticket)

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
    claimed: boolean,
  ): Promise<Admission> {
    const cost = costOf(given.cost)
    const command = { cost, ticketId: effects.randomId(), claimed, write }
    const admission = await journal.write<Admission>(user, {
      ...repeating<Admission>(given, { ...repeated, body: { cost, asked: repeated.body } }),
      decide: (view) => admit(rules, command, view),
    })
    return tell(admission, cost)
  }

  async function claimed(text: string, abort: AbortSignal | undefined): Promise<Admission> {
    const { ticket, ...call } = tickets.call(text)
    return journal.write<Admission>(user, {
      ...call,
      signal: abort,
      decide: (view) => claim(rules, { ticket, text }, view),
    })
  }

  return {
    async admit(given = {}) {
      options(given, ['cost', ...REPEATABLE], 'admit')
      return admitted(given, { call: 'admit', body: null }, false)
    },

    async admitTurn({ ticket, request, ...given }) {
      if (ticket !== undefined) return claimed(ticket, given.signal)
      const again = (kept: Admission, view: LedgerView): Admission => blocked(rules, view) ?? kept
      return admitted(given, { call: 'turn', body: request, again }, true)
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
  }
}
