import type { Effects } from '../core/effects.ts'
import type { AnswerLimits } from './limits.ts'

export interface AccessTracker {
  /** Notes a use. Writes nothing now. */
  note(key: string, used: number): void
  /** The latest use that is not written yet. */
  pending(key: string): number | undefined
  /** Forgets a use of an entry that is gone. */
  drop(key: string): void
  /** Writes all that is pending, now. */
  flush(): Promise<void>
  /** No more timers. */
  stop(): void
}

export interface AccessTrackerDeps {
  readonly effects: Effects
  readonly touchEveryMs: number
  readonly limits: AnswerLimits
  /** Never rejects: a lost touch makes an entry look older than it is, nothing else. */
  write(uses: ReadonlyMap<string, number>): Promise<void>
}

/**
 * Uses are gathered in memory and written together, at the earliest `touchEveryMs` after the first of them: so an
 * entry is touched at most once in that time however often it is hit, and a hit never waits for a disk. The timer
 * runs only while something is pending; one run writes `stepRows`, and the rest follows on the next turns of the
 * event loop. A crash loses the uses of the last `touchEveryMs`, never an answer.
 */
export function createAccessTracker({ effects, touchEveryMs, limits, write }: AccessTrackerDeps): AccessTracker {
  let gathering = new Map<string, number>()
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
      else if (gathering.size > 0) arm(touchEveryMs)
    })
  }

  /** Steps follow each other, so that a row is not written twice at a time. */
  function step(): Promise<void> {
    working = working.then(writeSome)
    return working
  }

  async function writeSome(): Promise<void> {
    if (writing.size === 0) {
      writing = gathering
      gathering = new Map()
    }
    const uses = new Map(writing.entries().take(limits.stepRows))
    if (uses.size > 0) await write(uses)
    for (const key of uses.keys()) writing.delete(key)
  }

  return {
    note(key, used) {
      if (gathering.size === 0 && cancelTimer === undefined) arm(touchEveryMs)
      gathering.set(key, used)
      if (gathering.size === limits.maxPendingTouches) arm(0)
    },
    pending: (key) => gathering.get(key) ?? writing.get(key),
    drop(key) {
      gathering.delete(key)
      writing.delete(key)
    },
    async flush() {
      do await step()
      while (writing.size > 0 || gathering.size > 0)
      cancelTimer?.()
      cancelTimer = undefined
    },
    stop() {
      stopped = true
      cancelTimer?.()
    },
  }
}
