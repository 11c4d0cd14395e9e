import type { Effects } from '../core/effects.ts'
import type { Keyring } from '../core/keyring.ts'
import type { PendingCalls } from '../core/pending-calls.ts'
import type { Subject } from '../core/subject.ts'
import type { OpenJournal } from '../journal/journal.ts'
import type { Store } from '../storage/store.ts'
import type { Rules } from './quota.ts'
import type { LedgerState, Measurements } from './state.ts'
import type { TicketSweeper } from './ticket-sweeper.ts'
import type { Verification } from './verify.ts'

/** What the ledger's rooms share. */
export interface LedgerDeps {
  readonly journal: OpenJournal<LedgerState, Measurements>
  readonly store: Store
  readonly keys: Keyring
  readonly effects: Effects
  /** Reads that may take long; closing waits for them. */
  readonly calls: PendingCalls
  readonly rules: Rules
  /** Checks one user; with a checkpoint, also that the store has not been set back behind it. */
  verify(user: Subject, checkpoint: string | undefined): Promise<Verification>
  readonly upkeep: TicketSweeper
}
