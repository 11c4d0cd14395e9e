import type { UserAnswers } from '../answers/user-answers.ts'
import type { UserContext } from '../context/api.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { validateOptions } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { UserLedger } from '../ledger/api.ts'
import type { ProviderOption } from '../options.ts'
import type { Override, UserRuntime } from '../runtime/api.ts'

/** How one chat request is to be taken through the house. */
export interface TurnOptions {
  /** A session of the user, whose settings hold for this turn. */
  readonly session?: string | undefined
  /** Settings for this turn only: fields, or `{ preset: TAG }`. Nothing stored changes. */
  readonly override?: Override | undefined
  /** How the context is rendered. Default `'reuse'`. */
  readonly mode?: 'reuse' | 'create' | undefined
  /** The zone of this turn's dates. Default: the user's. */
  readonly timeZone?: string | undefined
  /** `refresh` asks the model and replaces what was kept. Default `'on'`, which needs `answers.enabled`. */
  readonly cache?: 'on' | 'refresh' | 'off' | undefined
  /** How much of the cap the turn uses. Default 1. */
  readonly cost?: number | undefined
  /** Pays with an admission that was made before, instead of a new one. */
  readonly ticket?: string | undefined
  /**
   * A repeated turn with the same key and request is counted once and gets the first one's answer; when that was not
   * whole or is gone, the model is asked again and the turn is counted again. With another request it is
   * `idempotency_conflict`.
   */
  readonly idempotencyKey?: string | undefined
  /** Until the upstream's first chunk or whole answer, ms. Default 60,000; then `upstream_timeout`. */
  readonly firstChunkTimeoutMs?: number | undefined
  /** Between two chunks, ms. Default 60,000. */
  readonly idleTimeoutMs?: number | undefined
  /** Aborting rejects, or ends the answer, with `signal.reason`; the upstream call is stopped. */
  readonly signal?: AbortSignal | undefined
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
]

/** Checks what the parts do not check themselves, before anything is counted. */
export function validateTurnOptions(options: TurnOptions): void {
  validateOptions('turn', options, TURN_OPTIONS)
  const { cache = 'on', firstChunkTimeoutMs = 0, idleTimeoutMs = 0 } = options
  if (!['on', 'refresh', 'off'].includes(cache)) {
    throw new PurserError('argument_invalid', "'cache' must be 'on', 'refresh' or 'off'.", {
      hint: "'refresh' asks the model and replaces what was kept.",
      details: { param: 'cache' },
    })
  }
  for (const [param, value] of Object.entries({ firstChunkTimeoutMs, idleTimeoutMs })) {
    if (typeof value === 'number' && value >= 0) continue
    throw new PurserError('argument_invalid', `'${param}' must be a number of milliseconds, 0 or more.`, {
      hint: 'Leave it out for 60,000.',
      details: { param },
    })
  }
}

/** One user's parts, as a turn needs them. */
export interface UserModules {
  readonly user: Subject
  readonly ledger: UserLedger
  readonly runtime: UserRuntime
  readonly context: UserContext
  readonly answers: UserAnswers
}

/** What all turns share. */
export interface TurnDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly providers: Readonly<Record<string, ProviderOption>>
  readonly answersEnabled: boolean
  readonly limits: TurnLimits
  /** The keyed hash that stands for a user upstream. */
  pseudonym(user: Subject): string
}

export interface TurnLimits {
  /** Until the upstream's first chunk or whole answer, ms. */
  readonly firstChunkTimeoutMs: number
  /** Between two chunks, ms. */
  readonly idleTimeoutMs: number
  /** An answer that nobody has begun to read after this long is cancelled, ms. */
  readonly unreadTimeoutMs: number
}

export const TURN_LIMITS: TurnLimits = { firstChunkTimeoutMs: 60_000, idleTimeoutMs: 60_000, unreadTimeoutMs: 60_000 }
