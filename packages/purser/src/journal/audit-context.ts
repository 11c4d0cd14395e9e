import { AsyncLocalStorage } from 'node:async_hooks'
import type { Subject } from '../core/subject.ts'
import type { Decision, View, Write } from './api.ts'
import type { NewEvent, UserData } from './event.ts'

/*
 * Who is responsible for the writes of one request. The journal is the only way to change a user's data, so every write
 * that is made on behalf of a person leaves an event, in the same commit, whichever call made it.
 */

/** Who asks for a change of one user, and from where. */
export interface AuditContext {
  readonly user: string
  readonly actor: string
  readonly reason: string | undefined
  /** Where the request came from: `api`, `deck`, `command` or `host`. */
  readonly origin: string
  /** What was asked for, such as `PUT profile`: the detail of the event of a write that has no event of its own. */
  readonly request: string
}

const contexts = new AsyncLocalStorage<AuditContext>()

/** Runs `run`, so that its writes for the user of the context are recorded with its actor, reason and origin. */
export function runAudited<Result>(context: AuditContext, run: () => Result): Result {
  return contexts.run(context, run)
}

/** The origin of the request in progress, for an event that is made outside a decision. */
export function auditOrigin(): { readonly origin?: string } {
  const context = contexts.getStore()
  return context === undefined ? {} : { origin: context.origin }
}

/** The write as it is recorded in the current context; the same write outside any. */
export function auditedWrite<Data extends UserData, Result, Stored>(
  user: Subject,
  write: Write<Data, Result, Stored>,
): Write<Data, Result, Stored> {
  const context = contexts.getStore()
  if (context === undefined || context.user !== user.id || write.isAudited === false) return write
  return {
    ...write,
    decide: (view: View<Data>) => auditDecision(context, write.decide(view)),
  }
}

function auditDecision<Data extends UserData, Result>(
  context: AuditContext,
  decision: Decision<Data, Result>,
): Decision<Data, Result> {
  const { events = [] } = decision
  if (events.length > 0) return { ...decision, events: events.map((event) => auditEvent(context, event)) }
  if (!changesData(decision)) return decision
  const { actor, reason, origin, request } = context
  const event = { type: 'admin_action', detail: request, data: { action: 'api_call', origin }, actor, reason }
  return { ...decision, events: [event] }
}

/** Retention runs behind a write and is not what was asked for. */
function auditEvent({ actor, reason, origin }: AuditContext, event: NewEvent): NewEvent {
  if (event.type === 'retention') return event
  return {
    ...event,
    data: { ...event.data, origin },
    actor: event.actor ?? actor,
    reason: event.reason ?? reason,
  }
}

function changesData({ measurements, usage, records = [], seen }: Decision<UserData, unknown>): boolean {
  return measurements !== undefined || usage !== undefined || seen === true || records.length > 0
}
