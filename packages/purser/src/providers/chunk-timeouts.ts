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
export class ChunkTimeouts {
  readonly #deps: ChunkTimeoutDeps
  #waitingSince: number | undefined
  #hasStarted = false
  #isCleared = false
  #cancelTimer: (() => void) | undefined

  /** Starts waiting at once, for the first chunk. */
  constructor(deps: ChunkTimeoutDeps) {
    this.#deps = deps
    this.#waitingSince = deps.effects.monotonic()
    this.#setTimer(() => this.#timeOut('did not start to answer'), deps.firstChunkTimeoutMs)
  }

  /** The reader waits from now on. */
  startWaiting(): void {
    const { effects, idleTimeoutMs } = this.#deps
    this.#waitingSince ??= effects.monotonic()
    if (this.#hasStarted && !this.#isCleared && this.#cancelTimer === undefined)
      this.#setTimer(this.#checkIdle, idleTimeoutMs)
  }

  /** A chunk has arrived. */
  stopWaiting(): void {
    this.#waitingSince = undefined
    if (this.#hasStarted || this.#isCleared) return
    this.#hasStarted = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Cancels all timers; there is no timeout afterwards. */
  clear(): void {
    this.#isCleared = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #setTimer(run: () => void, delayMs: number): void {
    this.#cancelTimer = this.#deps.effects.setTimer(run, delayMs, { background: true })
  }

  #timeOut(what: string): void {
    if (this.#isCleared) return
    this.#isCleared = true
    const { provider, onTimeout } = this.#deps
    onTimeout(new PurserError('upstream_timeout', `The provider '${provider}' ${what} in time.`))
  }

  readonly #checkIdle = (): void => {
    const { effects, idleTimeoutMs } = this.#deps
    this.#cancelTimer = undefined
    if (this.#isCleared || this.#waitingSince === undefined) return
    const waitedMs = effects.monotonic() - this.#waitingSince
    if (waitedMs >= idleTimeoutMs) this.#timeOut('did not send the next chunk')
    else this.#setTimer(this.#checkIdle, idleTimeoutMs - waitedMs)
  }
}
