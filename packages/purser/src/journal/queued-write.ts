import type { AbortSignalLike } from '../core/call-signal.ts'
import { PurserError } from '../errors.ts'
import type { Waiter, Write } from './api.ts'
import type { UserData } from './event.ts'
import type { UnitOfWork } from './unit-of-work.ts'

/**
 * A requested write, from the call to its outcome. `decide` finds the outcome, in a unit of work; `settle` passes it on
 * when that is committed. Both are called again when the unit was decided on an outdated state.
 */
export class QueuedWrite<Data extends UserData> {
  readonly write: Write<Data, unknown, unknown>
  /** Of the idempotency body; computed when the call is made, so that a body that is not JSON fails only that call. */
  readonly #digest: string | undefined
  /** Undefined once it has the outcome, and for a write that no caller waits for. */
  #waiter: Waiter<unknown> | undefined
  /** Stops watching the signal of the write. */
  #unwatch: (() => void) | undefined
  #isAborted = false
  #isReplay = false
  #hasFailed = false
  /** The result, or the error. */
  #outcome: unknown

  constructor(write: Write<Data, unknown, unknown>, digest?: string, waiter?: Waiter<unknown>) {
    this.write = write
    this.#digest = digest
    this.#waiter = waiter
    if (write.signal !== undefined) this.#watch(write.signal)
  }

  /** The caller has left before it was decided: it is not decided any more. */
  get isAborted(): boolean {
    return this.#isAborted
  }

  /** An error thrown by the decision is its outcome; an error after the decision fails the whole unit of work. */
  decide(unit: UnitOfWork<Data>, replyTtlMs: number): void {
    const { write } = this
    this.#isReplay = false
    this.#hasFailed = false
    let decision: ReturnType<typeof write.decide>
    try {
      if (write.incarnation !== undefined && (write.incarnation !== unit.incarnation || !unit.exists))
        throw userErased()
      if (write.idempotency !== undefined && this.#findReply(unit, write.idempotency.key)) return
      decision = write.decide(unit.view())
    } catch (error) {
      this.#hasFailed = true
      this.#outcome = error
      return
    }
    const events = unit.apply(decision)
    const result = decision.result({ view: unit.view(), events })
    this.#outcome = result
    if (write.idempotency === undefined || this.#digest === undefined || decision.remember === false) return
    const stored = write.encodeResult ? write.encodeResult(result) : result
    const expiresAt = unit.now + replyTtlMs
    const { key } = write.idempotency
    unit.addReply({ key, digest: this.#digest, result: JSON.stringify(stored ?? null), expiresAt })
  }

  /** Passes the outcome on. */
  settle(): void {
    const waiter = this.#takeWaiter()
    if (waiter === undefined) return
    if (this.#hasFailed) waiter.reject(this.#outcome)
    else if (this.#isReplay) this.#settleReplay(waiter)
    else waiter.resolve(this.#outcome)
  }

  /** The write cannot be committed. */
  reject(error: unknown): void {
    this.#takeWaiter()?.reject(error)
  }

  /** Whether the outcome is that of an earlier call. */
  #findReply(unit: UnitOfWork<Data>, key: string): boolean {
    const stored = unit.findReply(key, this.#digest)
    if (stored === undefined) return false
    const value: unknown = JSON.parse(stored)
    this.#outcome = this.write.replay ? this.write.replay(value, unit.view()) : value
    this.#isReplay = true
    return true
  }

  #settleReplay(waiter: Waiter<unknown>): void {
    try {
      this.write.onReplay?.()
    } catch (error) {
      waiter.reject(error)
      return
    }
    waiter.resolve(this.#outcome)
  }

  #takeWaiter(): Waiter<unknown> | undefined {
    const waiter = this.#waiter
    this.#waiter = undefined
    this.#unwatch?.()
    this.#unwatch = undefined
    return waiter
  }

  #watch(signal: AbortSignalLike): void {
    const onAbort = (): void => {
      this.#isAborted = true
      this.reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#unwatch = () => signal.removeEventListener('abort', onAbort)
  }
}

export function userErased(): PurserError {
  return new PurserError('user_erased', 'The user was erased during this call.', {
    hint: 'Nothing of this call was written. A new call creates a new incarnation of the user.',
  })
}
