import type { InternalUserAnswers } from '../answers/api.ts'
import type { InternalUserContext } from '../context/api.ts'
import type { DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { InternalUserLedger } from '../ledger/api.ts'
import type { ProviderOption } from '../options.ts'
import type { InternalUserRuntime } from '../runtime/api.ts'
import type { TurnLimits } from './options.ts'
import type { StartingTurns } from './starting-turns.ts'
import type { UnreadTurns } from './unread-turns.ts'

/** The modules of one user, as a turn uses them. */
export interface UserModules {
  readonly user: Subject
  readonly ledger: InternalUserLedger
  readonly runtime: InternalUserRuntime
  readonly context: InternalUserContext
  readonly answers: InternalUserAnswers
}

/** Dependencies shared by all turns. */
export interface TurnDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly providers: Readonly<Record<string, ProviderOption>>
  readonly answersEnabled: boolean
  readonly limits: TurnLimits
  readonly unreadTurns: UnreadTurns
  /** When readers that take nothing are noticed. */
  readonly readerDeadlines: DeadlineQueue
  readonly startingTurns: StartingTurns
  /** The id of a new turn. */
  nextTurnId(): string
  /** The keyed hash that replaces the user id upstream. */
  pseudonym(user: Subject): string
}
