import type { Admission, AdmissionOutcome } from './decide/admission.ts'
import type { Tickets } from './tickets.ts'

/*
 * The outcome of an admission, as callers get it and as replies store it: with its ticket as text.
 */

export function encodeOutcome(tickets: Tickets, outcome: AdmissionOutcome): Admission {
  if (!outcome.allowed) return outcome
  const { ticket, quota, unrecorded } = outcome
  const { model, downgradedBy } = ticket
  const text = tickets.encode(ticket)
  return { allowed: true, ticket: text, ...quota, model, downgradedBy, ...(unrecorded && { unrecorded }) }
}

export function decodeOutcome(tickets: Tickets, admission: Admission): AdmissionOutcome {
  if (!admission.allowed) return admission
  const { allowed, ticket, remaining, cap, count, resetAt } = admission
  return {
    allowed,
    ticket: tickets.decode(ticket),
    quota: { remaining, cap, count, resetAt },
    isHeld: false,
    observed: [],
  }
}
