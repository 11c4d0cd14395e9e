import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Write } from '../journal/api.ts'
import type { AuditOptions } from './api.ts'
import { IDEMPOTENCY_OPTIONS, idempotentWrite } from './idempotency.ts'
import type { LedgerView } from './quota.ts'
import type { LedgerState, Measurements } from './state.ts'
import { actorOf, reasonOf, wholeNumber } from './validate-arguments.ts'

export const AUDIT_OPTIONS: readonly string[] = ['actor', 'reason', 'expectedVersion', ...IDEMPOTENCY_OPTIONS]

/** Who does it, where nothing but that can be said. */
export function parseAuditOptions(given: unknown, call: string): AuditOptions {
  validateOptions(call, given ?? {}, AUDIT_OPTIONS)
  return parseAudit(given)
}

/** Who does it; a reason and a version where there are any. */
export function parseAudit(given: unknown): AuditOptions {
  const { actor, reason, expectedVersion, ...repeatable } = (given ?? {}) as Partial<AuditOptions>
  const range = { name: 'expectedVersion', least: 0, most: Number.MAX_SAFE_INTEGER }
  return {
    actor: actorOf(actor),
    ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
    ...(expectedVersion === undefined ? {} : { expectedVersion: wholeNumber(expectedVersion, range) }),
    ...repeatable,
  }
}

/** A person's write: decided on the version they named, if they named one. */
export function auditedWrite<Result>(
  by: AuditOptions,
  what: { readonly call: string; readonly body: unknown },
  decide: Write<LedgerState, Measurements, Result>['decide'],
): Write<LedgerState, Measurements, Result> {
  const { actor, reason = null } = by
  return {
    ...idempotentWrite<Result>(by, { call: what.call, body: { actor, reason, body: what.body } }),
    decide(view: LedgerView) {
      if (by.expectedVersion !== undefined && by.expectedVersion !== view.version) throw conflict(view.version)
      return decide(view)
    },
  }
}

function conflict(version: number): PurserError {
  return new PurserError('version_conflict', 'The bond has changed since the version you named.', {
    hint: 'Read it again, decide again, and name the new version.',
    details: { version },
  })
}
