import { withSignal } from '../core/abort.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { encodeOutcome } from './admission-outcome.ts'
import { AdmissionWrites } from './admission-writes.ts'
import type { InternalUserLedger, UserLedger } from './api.ts'
import { type Admission, type AdmissionOutcome, parseModelName, parseSettlement } from './decide/admission.ts'
import type { LedgerDeps } from './deps.ts'
import { estimateUsage } from './limits/estimate-usage.ts'
import { dailyUseOf, quotaOf } from './quota.ts'
import { Tickets } from './tickets.ts'
import { TurnAdmission } from './turn-admission.ts'
import { IDEMPOTENCY_OPTIONS } from './write-options.ts'

type Admissions = Pick<InternalUserLedger, 'admitTurn' | 'estimate' | 'recordTurn'> &
  Pick<UserLedger, 'admit' | 'claim' | 'quota' | 'refund' | 'settle'>

export function createAdmissions(deps: LedgerDeps, user: Subject): Admissions {
  const tickets = new Tickets(deps.keys, user)
  const writes = new AdmissionWrites(deps, user, tickets)
  return {
    ...createTicketCalls(writes, tickets),
    ...createTurnCalls(deps, { user, writes, tickets }),

    async quota(options = {}) {
      validateOptions('quota', options, [])
      const view = await withSignal(deps.journal.read(user), options.signal)
      return quotaOf(dailyUseOf(deps.rules, view))
    },
  }
}

/** The calls of applications, whose tickets are texts. */
function createTicketCalls(
  writes: AdmissionWrites,
  tickets: Tickets,
): Pick<UserLedger, 'admit' | 'claim' | 'refund' | 'settle'> {
  const encoded = async (outcome: Promise<AdmissionOutcome>): Promise<Admission> =>
    encodeOutcome(tickets, await outcome)

  return {
    async admit(options = {}) {
      validateOptions('admit', options, ['cost', 'model', 'estimate', ...IDEMPOTENCY_OPTIONS])
      const { model: asked, estimate = null } = options
      const model = parseModelName(asked)
      const body = model === null && estimate === null ? null : { model, estimate }
      const ask = { call: 'admit', body, claimed: false, estimate: options.estimate } as const
      return encoded(new Promise((resolve, reject) => writes.admit(options, ask, { resolve, reject })))
    },

    async claim(ticket, options = {}) {
      validateOptions('claim', options, [])
      const { signal } = options
      const claimed = { ticket: tickets.decode(ticket), call: 'claim', body: null } as const
      return encoded(new Promise((resolve, reject) => writes.claim({ signal }, claimed, { resolve, reject })))
    },

    async refund(ticket, options = {}) {
      validateOptions('refund', options, IDEMPOTENCY_OPTIONS)
      return writes.refund(tickets.decode(ticket), { ...options, body: ticket })
    },

    async settle(ticket, usage = {}, options = {}) {
      validateOptions('settle', options, IDEMPOTENCY_OPTIONS)
      const settlement = parseSettlement(usage)
      const { inputTokens, outputTokens, ...others } = usage
      const body = {
        text: ticket,
        tokens: { inputTokens: inputTokens ?? 0, outputTokens: outputTokens ?? 0, ...others },
      }
      return writes.settle(tickets.decode(ticket), settlement, { ...options, body })
    },
  }
}

interface TurnCallsDeps {
  readonly user: Subject
  readonly writes: AdmissionWrites
  readonly tickets: Tickets
}

/** The calls of turns, whose tickets seldom become text. */
function createTurnCalls(
  deps: LedgerDeps,
  { user, writes, tickets }: TurnCallsDeps,
): Pick<InternalUserLedger, 'admitTurn' | 'estimate' | 'recordTurn'> {
  return {
    admitTurn(options, waiter) {
      const { ticket, request, model = null, end } = options
      const isShared = ticket !== undefined || options.idempotencyKey !== undefined
      const onOutcome = {
        resolve(outcome: AdmissionOutcome): void {
          if (outcome.allowed) {
            const waiting = outcome.unrecorded && deps.unrecorded.find(user, outcome.ticket)
            waiter.resolve(new TurnAdmission(deps, { writes, tickets, granted: outcome, waiting, isShared, model }))
          } else waiter.resolve(outcome)
        },
        reject: (error: unknown): void => waiter.reject(error),
      }
      if (ticket === undefined) {
        const estimate = deps.rules.policy.needsEstimate ? options.estimate : undefined
        writes.admit(options, { call: 'turn', body: request, claimed: true, estimate, end }, onOutcome)
      } else {
        const claimed = { ticket: tickets.decode(ticket), call: 'turn', body: { ticket, asked: request } } as const
        writes.claim(options, claimed, onOutcome)
      }
    },

    estimate: (request, known) => estimateUsage(request, known, deps.rules.hold),

    recordTurn: (facts, options = {}) => writes.recordLater(facts, options),
  }
}
