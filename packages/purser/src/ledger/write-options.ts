import {
  IDEMPOTENCY_KEY_MAX_BYTES,
  parseActor,
  parseExpectedVersion,
  parseOptionalReason,
  parseText,
  validateFunction,
  validateOptions,
} from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { AuditOptions, IdempotencyOptions } from './api.ts'
import type { LedgerWrite } from './state.ts'

/*
 * Options that calls which write have in common: the idempotency key under which a call can be repeated, and the audit
 * fields of an operator's action.
 */

export const IDEMPOTENCY_OPTIONS: readonly string[] = ['idempotencyKey', 'onReplay']
export const AUDIT_OPTIONS: readonly string[] = ['actor', 'reason', 'expectedVersion', ...IDEMPOTENCY_OPTIONS]

/** What identifies a repeatable call. Keys of different calls are independent. */
export interface IdempotentCall<Result, Stored = Result>
  extends Pick<LedgerWrite<Result, Stored>, 'encodeResult' | 'replay'> {
  readonly call: string
  /** What a repeat must have in common with the first call. */
  readonly body: unknown
}

type IdempotentWrite<Result, Stored> = Pick<
  LedgerWrite<Result, Stored>,
  'signal' | 'idempotency' | 'encodeResult' | 'replay' | 'onReplay'
>

/** The part of a write that makes it repeatable. */
export function idempotentWrite<Result, Stored = Result>(
  options: IdempotencyOptions,
  repeatable: IdempotentCall<Result, Stored>,
): IdempotentWrite<Result, Stored> {
  const { idempotencyKey, onReplay, signal } = options
  if (onReplay !== undefined) validateFunction(onReplay, { name: 'onReplay' })
  if (idempotencyKey === undefined) return { signal }
  const { call, body, ...codec } = repeatable
  const key = parseText(idempotencyKey, { name: 'idempotencyKey', maxBytes: IDEMPOTENCY_KEY_MAX_BYTES })
  return { signal, onReplay, idempotency: { key: `${call}:${key}`, body }, ...codec }
}

/** The audit fields of a call that has no other options. */
export function parseAuditOptions(options: unknown, call: string): AuditOptions {
  validateOptions(call, options ?? {}, AUDIT_OPTIONS)
  return parseAudit(options)
}

/** The audit fields of a call; the other options are passed on. */
export function parseAudit(options: unknown): AuditOptions {
  const { actor, reason, expectedVersion, ...idempotency } = (options ?? {}) as Partial<AuditOptions>
  return {
    actor: parseActor(actor),
    reason: parseOptionalReason(reason),
    expectedVersion: parseExpectedVersion(expectedVersion),
    ...idempotency,
  }
}

/** A write by an actor. When the actor names the version they have read, it must still be the current one. */
export function auditedWrite<Result>(
  by: AuditOptions,
  { call, body }: { readonly call: string; readonly body: unknown },
  decide: LedgerWrite<Result>['decide'],
): LedgerWrite<Result> {
  const { actor, reason = null, expectedVersion } = by
  return {
    ...idempotentWrite<Result>(by, { call, body: { actor, reason, body } }),
    decide(view) {
      if (expectedVersion !== undefined && expectedVersion !== view.version) throw versionConflict(view.version)
      return decide(view)
    },
  }
}

function versionConflict(version: number): PurserError {
  return new PurserError('version_conflict', 'The bond has changed since the expected version.', {
    hint: 'Read the bond again and repeat the call with its version.',
    details: { version },
  })
}
