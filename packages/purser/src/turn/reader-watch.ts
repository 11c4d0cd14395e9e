import type { Deadline, DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import { PurserError } from '../errors.ts'

/** A reader that stops is noticed after the timeout and at most a fourth of it. */
const CHECKS_PER_TIMEOUT = 4

export interface ReaderWatchDeps {
  readonly effects: Effects
  /** Shared by all readers, so that a turn sets no timer of its own. */
  readonly deadlines: DeadlineQueue
  readonly timeoutMs: number
  /** Called once. */
  readonly onTimeout: () => void
}

/**
 * Limits how long an answer waits for its reader. Time in which the reader waits for the answer does not count. A
 * counter is looked at from time to time, so that a chunk costs no deadline and no clock.
 */
export class ReaderWatch {
  readonly #deps: ReaderWatchDeps
  #waitsForReader = true
  #steps = 0
  #lastSteps = 0
  #unchangedChecks = 0
  #deadline: Deadline
  #hasTimedOut = false

  /** Waits for the reader at once. */
  constructor(deps: ReaderWatchDeps) {
    this.#deps = deps
    this.#deadline = this.#addDeadline()
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
    this.#deps.deadlines.remove(this.#deadline)
  }

  #addDeadline(): Deadline {
    const { deadlines, effects, timeoutMs } = this.#deps
    return deadlines.add(effects.monotonic() + timeoutMs / CHECKS_PER_TIMEOUT, () => this.#check())
  }

  #check(): void {
    const isUnchanged = this.#waitsForReader && this.#steps === this.#lastSteps
    this.#unchangedChecks = isUnchanged ? this.#unchangedChecks + 1 : 0
    this.#lastSteps = this.#steps
    if (this.#unchangedChecks < CHECKS_PER_TIMEOUT) this.#deadline = this.#addDeadline()
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
