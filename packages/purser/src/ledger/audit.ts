import { checkOptionsOf } from '../core/abort.ts'
import { actorOf, reasonOf, wholeNumber } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Write } from '../journal/api.ts'
import type { Acting } from './api.ts'
import { REPEATABLE, repeating } from './idempotency.ts'
import type { LedgerView } from './quota.ts'
import type { LedgerState, Measured } from './state.ts'

export const ACTING: readonly string[] = ['actor', 'reason', 'expectedVersion', ...REPEATABLE]

/** Who does it, where nothing but that can be said. */
export function actingOnly(given: unknown, call: string): Acting {
  checkOptionsOf(call, given ?? {}, ACTING)
  return acting(given)
}

/** Who does it; a reason and a version where there are any. */
export function acting(given: unknown): Acting {
  const { actor, reason, expectedVersion, ...repeatable } = (given ?? {}) as Partial<Acting>
  const range = { name: 'expectedVersion', least: 0, most: Number.MAX_SAFE_INTEGER }
  return {
    actor: actorOf(actor),
    ...(reason === undefined ? {} : { reason: reasonOf(reason) }),
    ...(expectedVersion === undefined ? {} : { expectedVersion: wholeNumber(expectedVersion, range) }),
    ...repeatable,
  }
}

/** A person's write: decided on the version they named, if they named one. */
export function actingWrite<Result>(
  by: Acting,
  what: { readonly call: string; readonly body: unknown },
  decide: Write<LedgerState, Measured, Result>['decide'],
): Write<LedgerState, Measured, Result> {
  const { actor, reason = null } = by
  return {
    ...repeating<Result>(by, { call: what.call, body: { actor, reason, body: what.body } }),
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
