import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'

/** A reader that stops is noticed after the timeout and at most a fourth of it. */
const CHECKS_PER_TIMEOUT = 4

export interface ReaderWatchDeps {
  readonly effects: Effects
  readonly timeoutMs: number
  /** Called once. */
  readonly onTimeout: () => void
}

/**
 * Limits how long an answer waits for its reader. Time in which the reader waits for the answer does not count. A
 * timer looks at a counter from time to time, so that a chunk costs no timer and no clock.
 */
export class ReaderWatch {
  readonly #deps: ReaderWatchDeps
  #waitsForReader = true
  #steps = 0
  #lastSteps = 0
  #unchangedChecks = 0
  #cancelTimer: () => void = () => {}
  #hasTimedOut = false

  /** Waits for the reader at once. */
  constructor(deps: ReaderWatchDeps) {
    this.#deps = deps
    this.#setTimer()
  }

  /** The reader has got a chunk and should ask for the next one. */
  waitForReader(): void {
    this.#waitsForReader = true
  }

  /**
   * The reader waits for the answer.
   *
   * @throws {PurserError} `reader_slow` after the timeout
   */
  stopWaiting(): void {
    if (this.#hasTimedOut) throw readerTimedOut()
    this.#waitsForReader = false
    this.#steps++
  }

  /** There is no timeout afterwards. */
  end(): void {
    this.#cancelTimer()
  }

  #setTimer(): void {
    const { effects, timeoutMs } = this.#deps
    const intervalMs = timeoutMs / CHECKS_PER_TIMEOUT
    this.#cancelTimer = effects.setTimer(() => this.#check(), intervalMs, { background: true })
  }

  #check(): void {
    const isUnchanged = this.#waitsForReader && this.#steps === this.#lastSteps
    this.#unchangedChecks = isUnchanged ? this.#unchangedChecks + 1 : 0
    this.#lastSteps = this.#steps
    if (this.#unchangedChecks < CHECKS_PER_TIMEOUT) this.#setTimer()
    else {
      this.#hasTimedOut = true
      this.#deps.onTimeout()
    }
  }
}

export function readerTimedOut(): PurserError {
  return new PurserError('reader_slow', 'The answer was cancelled, because it was not read in time.', {
    hint: 'Read the answer without long pauses, or set readerTimeoutMs.',
  })
}
