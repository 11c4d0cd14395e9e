import type { Effects } from '../core/effects.ts'
import type { AnswerLimits } from './limits.ts'

export interface AccessTracker {
  /** Notes an access. Writes nothing yet. */
  note(key: string, used: number): void
  /** The latest access that is not written yet. */
  pending(key: string): number | undefined
  /** Discards the accesses of an entry that was removed. */
  drop(key: string): void
  /** Writes everything that is pending. */
  flush(): Promise<void>
  /** Cancels the timer. */
  stop(): void
}

export interface AccessTrackerDeps {
  readonly effects: Effects
  readonly touchEveryMs: number
  readonly limits: AnswerLimits
  /** Never rejects: a lost write only makes entries look older than they are. */
  write(accesses: ReadonlyMap<string, number>): Promise<void>
}

/**
 * Collects accesses in memory and writes them together, `touchEveryMs` after the first of them: an entry is written at
 * most once in that time however often it is hit, and a hit never waits for the disk. The timer runs only while
 * something is pending; one run writes `stepRows` entries, and the rest follows in the next turns of the event loop. A
 * crash loses the accesses of the last `touchEveryMs`, never an answer.
 */
export function createAccessTracker({ effects, touchEveryMs, limits, write }: AccessTrackerDeps): AccessTracker {
  let collected = new Map<string, number>()
  let writing = new Map<string, number>()
  let cancelTimer: (() => void) | undefined
  let working: Promise<void> = Promise.resolve()
  let stopped = false

  function arm(delayMs: number): void {
    cancelTimer?.()
    cancelTimer = stopped ? undefined : effects.setTimer(onTimer, delayMs, { background: true })
  }

  function onTimer(): void {
    cancelTimer = undefined
    void step().then(() => {
      if (writing.size > 0) arm(0)
      else if (collected.size > 0) arm(touchEveryMs)
    })
  }

  /** Steps run one after the other, so a row is never written twice at the same time. */
  function step(): Promise<void> {
    working = working.then(writeSome)
    return working
  }

  async function writeSome(): Promise<void> {
    if (writing.size === 0) {
      writing = collected
      collected = new Map()
    }
    const accesses = new Map(writing.entries().take(limits.stepRows))
    if (accesses.size > 0) await write(accesses)
    for (const key of accesses.keys()) writing.delete(key)
  }

  return {
    note(key, used) {
      if (collected.size === 0 && cancelTimer === undefined) arm(touchEveryMs)
      collected.set(key, used)
      if (collected.size === limits.maxPendingTouches) arm(0)
    },
    pending: (key) => collected.get(key) ?? writing.get(key),
    drop(key) {
      collected.delete(key)
      writing.delete(key)
    },
    async flush() {
      do await step()
      while (writing.size > 0 || collected.size > 0)
      cancelTimer?.()
      cancelTimer = undefined
    },
    stop() {
      stopped = true
      cancelTimer?.()
    },
  }
}
