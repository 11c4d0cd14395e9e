import type { Effects } from '../effects.ts'
import type { Subject } from '../identity.ts'
import type { OpenJournal } from '../journal/journal.ts'
import type { Keys } from '../keys.ts'
import type { Store } from '../store.ts'
import type { CallsUnderWay } from '../underway.ts'
import type { Rules } from './rules.ts'
import type { LedgerState, Measured } from './state.ts'
import type { Upkeep } from './upkeep.ts'
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
