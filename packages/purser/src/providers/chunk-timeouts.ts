import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'

export interface ChunkTimeoutDeps {
  readonly effects: Effects
  readonly provider: string
  readonly firstChunkTimeoutMs: number
  readonly idleTimeoutMs: number
  /** Called once, with `upstream_timeout`. */
  readonly onTimeout: (reason: PurserError) => void
}

/**
 * Limits how long a reader waits for an upstream: first until the answer starts, then between two chunks. Time in which
 * the reader does not wait does not count. One timer serves many chunks: when it fires, it compares how long the
 * current wait has lasted and is set again for the rest; without a current wait it is set again by the next one.
 */
export interface ChunkTimeouts {
  /** The reader waits from now on. */
  startWaiting(): void
  /** A chunk has arrived. */
  stopWaiting(): void
  /** Cancels all timers; there is no timeout afterwards. */
  clear(): void
}

/** Starts waiting at once, for the first chunk. */
export function createChunkTimeouts(deps: ChunkTimeoutDeps): ChunkTimeouts {
  const { effects, idleTimeoutMs } = deps
  let waitingSince: number | undefined = effects.monotonic()
  let hasStarted = false
  let isCleared = false
  let cancelTimer: (() => void) | undefined
  setTimer(() => timeOut('did not start to answer'), deps.firstChunkTimeoutMs)

  function setTimer(run: () => void, delayMs: number): void {
    cancelTimer = effects.setTimer(run, delayMs, { background: true })
  }

  function timeOut(what: string): void {
    if (isCleared) return
    isCleared = true
    deps.onTimeout(new PurserError('upstream_timeout', `The provider '${deps.provider}' ${what} in time.`))
  }

  function checkIdle(): void {
    cancelTimer = undefined
    if (isCleared || waitingSince === undefined) return
    const waitedMs = effects.monotonic() - waitingSince
    if (waitedMs >= idleTimeoutMs) timeOut('did not send the next chunk')
    else setTimer(checkIdle, idleTimeoutMs - waitedMs)
  }

  return {
    startWaiting() {
      waitingSince ??= effects.monotonic()
      if (hasStarted && !isCleared && cancelTimer === undefined) setTimer(checkIdle, idleTimeoutMs)
    },
    stopWaiting() {
      waitingSince = undefined
      if (hasStarted || isCleared) return
      hasStarted = true
      cancelTimer?.()
      cancelTimer = undefined
    },
    clear() {
      isCleared = true
      cancelTimer?.()
      cancelTimer = undefined
    },
  }
}
