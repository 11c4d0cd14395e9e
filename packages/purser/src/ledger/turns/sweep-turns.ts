import { sleep } from '../../core/abort.ts'
import { firstIdAt } from '../../core/time-ordered-id.ts'
import type { LedgerDeps } from '../deps.ts'

/*
 * Removes records of turns that are older than `keepTurns.maxAgeMs`, and sums of days before the last 400, in the
 * background: in slices with a pause after each, so that other writes need not wait long. Every instance does it; an
 * instance that finds nothing has cost one read.
 */

export interface TurnSweeper {
  /** Removes everything that is too old now. */
  sweep(): Promise<void>
  /** Ends the sweeps; resolves when none is running. */
  close(): Promise<void>
}

type SweeperDeps = Pick<LedgerDeps, 'store' | 'effects' | 'rules'>

const SWEEP_EVERY_MS = 3_600_000
const SLICE_ROWS = 500
const PAUSE_MS = 20
const DAY_MS = 86_400_000
const KEEP_SUMS_DAYS = 400

export function createTurnSweeper({ store, effects, rules }: SweeperDeps, namespace: string): TurnSweeper {
  const closing = new AbortController()
  let running: Promise<void> = Promise.resolve()
  let cancelTimer = schedule()

  function schedule(): () => void {
    return effects.setTimer(
      () => {
        void sweep().catch(() => undefined)
        cancelTimer = schedule()
      },
      SWEEP_EVERY_MS,
      { background: true },
    )
  }

  /** Runs `remove` until it removes nothing any more. */
  async function repeat(remove: () => Promise<number>): Promise<void> {
    while (!closing.signal.aborted && (await remove()) > 0) await sleep(effects, PAUSE_MS, closing.signal)
  }

  async function sweepAll(): Promise<void> {
    const now = effects.now()
    const { maxAgeMs } = rules.keepTurns
    if (maxAgeMs !== null) {
      const below = firstIdAt(now - maxAgeMs)
      await repeat(() => store.turns.sweep(namespace, below, SLICE_ROWS))
    }
    const day = new Date(Math.max(0, now - KEEP_SUMS_DAYS * DAY_MS)).toISOString().slice(0, 10)
    await repeat(() => store.sums.sweep(namespace, day, SLICE_ROWS))
  }

  function sweep(): Promise<void> {
    running = running.catch(() => undefined).then(sweepAll)
    return running
  }

  return {
    sweep,
    async close() {
      cancelTimer()
      closing.abort()
      await running.catch(() => undefined)
    },
  }
}
