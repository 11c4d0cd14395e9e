import type { Effects } from '../core/effects.ts'
import type { AnswerUse } from '../storage/answer-store.ts'
import type { AnswerLimits } from './limits.ts'

/** An entry whose uses are written. Setting `isUsed` to false discards a use that is not written yet. */
export interface TrackedEntry extends AnswerUse {
  isUsed: boolean
}

export interface AccessTracker {
  /** Notes an access. Writes nothing yet. */
  note(entry: TrackedEntry): void
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
  write(uses: readonly AnswerUse[]): Promise<void>
}

/**
 * Collects accesses in memory and writes them together, `touchEveryMs` after the first of them: an entry is written at
 * most once in that time however often it is hit, and a hit never waits for the disk. Noting one sets a mark on the entry
 * and adds it to a list once. The timer runs only while something is pending; one run writes `stepRows` entries, and the
 * rest follows in the next turns of the event loop. A crash loses the accesses of the last `touchEveryMs`, never an answer.
 */
export function createAccessTracker({ effects, touchEveryMs, limits, write }: AccessTrackerDeps): AccessTracker {
  let collected: TrackedEntry[] = []
  let writing: TrackedEntry[] = []
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
      if (writing.length > 0) arm(0)
      else if (collected.length > 0) arm(touchEveryMs)
    })
  }

  /** Steps run one after the other, so a row is never written twice at the same time. */
  function step(): Promise<void> {
    working = working.then(writeSome)
    return working
  }

  async function writeSome(): Promise<void> {
    if (writing.length === 0) {
      writing = collected
      collected = []
    }
    const uses: AnswerUse[] = []
    for (const entry of writing.splice(0, limits.stepRows)) {
      if (entry.isUsed) uses.push({ owner: entry.owner, key: entry.key })
      // An access from now on is another one.
      entry.isUsed = false
    }
    if (uses.length > 0) await write(uses)
  }

  return {
    note(entry) {
      if (entry.isUsed) return
      entry.isUsed = true
      if (collected.length === 0 && cancelTimer === undefined) arm(touchEveryMs)
      collected.push(entry)
      if (collected.length === limits.maxPendingTouches) arm(0)
    },
    async flush() {
      do await step()
      while (writing.length > 0 || collected.length > 0)
      cancelTimer?.()
      cancelTimer = undefined
    },
    stop() {
      stopped = true
      cancelTimer?.()
    },
  }
}
