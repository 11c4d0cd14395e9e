import type { Effects } from '../core/effects.ts'
import type { Keys } from '../core/keyring.ts'
import type { CallsUnderWay } from '../core/pending-calls.ts'
import type { Subject } from '../core/subject.ts'
import type { OpenJournal } from '../journal/journal.ts'
import type { Store } from '../storage/store.ts'
import type { Rules } from './quota.ts'
import type { LedgerState, Measured } from './state.ts'
import type { Upkeep } from './ticket-sweeper.ts'
import type { Verification } from './verify.ts'

/** What the ledger's rooms share. */
export interface LedgerHouse {
  readonly journal: OpenJournal<LedgerState, Measured>
  readonly store: Store
  readonly keys: Keys
  readonly effects: Effects
  /** Reads that may take long; closing waits for them. */
  readonly calls: CallsUnderWay
  readonly rules: Rules
  /** Checks one user; with a checkpoint, also that the store has not been set back behind it. */
  verify(user: Subject, checkpoint: string | undefined): Promise<Verification>
  readonly upkeep: Upkeep
}
