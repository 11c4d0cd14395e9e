import { PurserError } from '../../src/errors.ts'
import type { UserLedger } from '../../src/ledger/api.ts'
import type { RecordedCall } from './check-history.ts'
import type { Operation, Outcome } from './ledger-model.ts'

/** Calls that run one after the other; several such sequences run at the same time. */
export type Sequence = readonly Operation[]

/** CLOCK_MONOTONIC, which all processes of a machine share, ns. */
const now = (): number => Number(process.hrtime.bigint())

/** Runs sequences on one user, and records when each call began and ended and what it returned. */
export async function runCalls(ledger: UserLedger, sequences: readonly Sequence[]): Promise<RecordedCall[]> {
  const history: RecordedCall[] = []
  const runSequence = async (sequence: Sequence): Promise<void> => {
    for (const operation of sequence) {
      const startedAt = now()
      const outcome = await run(ledger, operation)
      history.push({ operation, startedAt, endedAt: outcome === undefined ? Infinity : now(), outcome })
    }
  }
  await Promise.all(sequences.map(runSequence))
  return history
}

async function run(ledger: UserLedger, operation: Operation): Promise<Outcome | undefined> {
  try {
    return await call(ledger, operation)
  } catch (error) {
    if (PurserError.is(error, 'store_unavailable')) return undefined
    if (PurserError.is(error, 'ticket_used')) return { closed: false }
    throw error
  }
}

async function call(ledger: UserLedger, operation: Operation): Promise<Outcome> {
  switch (operation.call) {
    case 'admit': {
      const { allowed, count, cap } = await ledger.admit()
      return { allowed, count, cap }
    }
    case 'settle':
      await ledger.settle(operation.ticket, {})
      return { closed: true }
    case 'refund':
      return { closed: await ledger.refund(operation.ticket) }
    case 'setLimit': {
      const { dailyCap, dailyCount } = await ledger.setDailyCap(operation.cap, { actor: 'test' })
      return { cap: dailyCap, count: dailyCount }
    }
    case 'observe': {
      const { bond, events } = await ledger.observe({ phase: operation.phase })
      const changed = events.some(({ type }) => type === 'phase_transition')
      return { phase: bond.phase, previousPhase: bond.previousPhase, changed }
    }
  }
}
