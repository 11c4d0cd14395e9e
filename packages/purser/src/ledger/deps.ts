import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import type { Subject } from '../core/subject.ts'
import type { Journal } from '../journal/api.ts'
import type { Store } from '../storage/store.ts'
import type { LeaseRenewals } from './lease-renewals.ts'
import type { LedgerRules } from './rules.ts'
import type { LedgerData } from './state.ts'
import type { UnrecordedAdmissions } from './unrecorded-admissions.ts'

/** Dependencies shared by the ledger modules. */
export interface LedgerDeps {
  readonly journal: Journal<LedgerData>
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  /** Registers long reads, so that closing waits for them. */
  readonly calls: PendingCalls
  readonly rules: LedgerRules
  readonly sweeper: RetentionSweeper
  /** What was admitted while the store was unavailable. */
  readonly unrecorded: UnrecordedAdmissions
  /** What turns in progress hold. */
  readonly renewals: LeaseRenewals
}

/** Removes what is too old, in the background. */
export interface RetentionSweeper {
  /** Call when a user's usage in a window begins. */
  onWindowOpened(user: Subject): void
  /** Call when a ticket was settled or refunded. */
  onTicketClosed(user: Subject): void
  /** Resolves when no sweep is running. */
  idle(): Promise<void>
}
