import type { AbortOptions } from '../core/abort.ts'
import { parseOneOf, parseText, parseTimeLimit, validateFunction, validateOptions } from '../core/validate.ts'
import type { Override } from '../runtime/api.ts'

/** Why a turn failed, and on what it ran. */
export interface TurnFailure {
  /** A `PurserError`, unless the fault is one of Purser itself. */
  readonly error: unknown
  /** The keyed hash of the user id, as providers get it. */
  readonly user: string
  /** Null when the turn failed before its settings were known. */
  readonly provider: string | null
  readonly model: string | null
  readonly durationMs: number
  /** False: it failed before it was counted, for example because its model is unknown. */
  readonly isAdmitted: boolean
}

/** Options of one turn. */
export interface TurnOptions extends AbortOptions {
  /** A session of the user, whose settings apply. */
  readonly session?: string | undefined
  /** Settings for this turn only: fields, or `{ preset: TAG }`. Nothing stored changes. */
  readonly override?: Override | undefined
  /** How the context is rendered. Default: the option `context.mode`, `'plain'`. */
  readonly mode?: 'plain' | 'reuse' | 'create' | undefined
  /** IANA zone of the dates in the context. Default: the user's. */
  readonly timeZone?: string | undefined
  /** `refresh` calls the model and replaces the cached answer. Default `'on'`, which needs `answers.enabled`. */
  readonly cache?: 'on' | 'refresh' | 'off' | undefined
  /** How much of the cap the turn uses. Default 1. */
  readonly cost?: number | undefined
  /** A ticket of an earlier admission, which pays for the turn instead of a new admission. */
  readonly ticket?: string | undefined
  /**
   * A repeated turn with the same key and request is counted once and gets the answer of the first one. If that was cut
   * or is no longer stored, the model is called again, and the turn is counted again. Another request under the same
   * key rejects with `idempotency_conflict`.
   */
  readonly idempotencyKey?: string | undefined
  /** Time until the upstream's first chunk or whole answer, ms; then `upstream_timeout`. Null: no limit. Default: 60,000 ms. */
  readonly firstChunkTimeoutMs?: number | null | undefined
  /** Time between two chunks or comments of the upstream, ms; null: no limit. Default: 60,000 ms. */
  readonly idleTimeoutMs?: number | null | undefined
  /**
   * Time for which the reader may take nothing of the answer, ms; then the turn is cancelled. Null: no limit. Default:
   * 60,000 ms.
   */
  readonly readerTimeoutMs?: number | null | undefined
  /**
   * Called once when the turn fails, before its answer begins or while it is read; not when it is refused or cancelled.
   * A log line needs it: after the first chunk, no status says any more that the turn failed.
   */
  readonly onFailure?: ((failure: TurnFailure) => void) | undefined
  /** What the record of the turn names as its endpoint; at most 64 bytes. Default: `'turn'`. */
  readonly endpoint?: string | undefined
  /** The application's own id of the request, for the record of the turn; at most 256 bytes. */
  readonly requestId?: string | undefined
}

const TURN_OPTIONS: readonly (keyof TurnOptions)[] = [
  'session',
  'override',
  'mode',
  'timeZone',
  'cache',
  'cost',
  'ticket',
  'idempotencyKey',
  'firstChunkTimeoutMs',
  'idleTimeoutMs',
  'readerTimeoutMs',
  'onFailure',
  'endpoint',
  'requestId',
]

export interface TurnLimits {
  /** Time until the upstream's first chunk or whole answer, ms. */
  readonly firstChunkTimeoutMs: number
  /** Time between two chunks or comments of the upstream, ms. */
  readonly idleTimeoutMs: number
  /** Time for which the reader may take nothing of the answer, ms; then the turn is cancelled. */
  readonly readerTimeoutMs: number
}

export const TURN_LIMITS: TurnLimits = { firstChunkTimeoutMs: 60_000, idleTimeoutMs: 60_000, readerTimeoutMs: 60_000 }

/** Validates what the modules do not validate themselves, before anything is counted. */
export function validateTurnOptions(options: TurnOptions): void {
  validateOptions('turn', options, TURN_OPTIONS)
  const { cache, onFailure, endpoint, requestId } = options
  if (cache !== undefined) parseOneOf(cache, ['on', 'refresh', 'off'], { name: 'cache', hint: "Default: 'on'." })
  if (onFailure !== undefined) validateFunction(onFailure, { name: 'onFailure' })
  if (endpoint !== undefined) parseText(endpoint, { name: 'endpoint', maxBytes: 64 })
  if (requestId !== undefined) parseText(requestId, { name: 'requestId', maxBytes: 256 })
  for (const name of LIMIT_NAMES) {
    if (options[name] !== undefined)
      parseTimeLimit(options[name], { name, hint: 'Default: 60,000 ms; null: no limit.' })
  }
}

const LIMIT_NAMES = Object.keys(TURN_LIMITS) as (keyof TurnLimits)[]

/** The limit of a call that was validated, or the default. Null: none. */
export function chooseLimit(limitMs: number | null | undefined, defaultMs: number): number {
  return limitMs === null ? Number.POSITIVE_INFINITY : (limitMs ?? defaultMs)
}
