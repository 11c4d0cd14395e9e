import type { CacheKey } from './key-resolver.ts'

/** One of those who wait for a flight, or read what it brought. */
export interface Member<Result> {
  /** What the flight brought; rejects with `signal.reason` as soon as this member's own signal is aborted. */
  readonly result: Promise<Result>
  /** True once this member has left. */
  readonly left: boolean
  /** Why it left, when its signal was aborted. */
  readonly reason: unknown
  /** Told when this member's signal is aborted. */
  onAbort: (() => void) | undefined
  /** With a reason, its `result` rejects with that, as when its signal was aborted. */
  leave(reason?: unknown): void
}

interface Seat<Result> extends Member<Result> {
  left: boolean
  reason: unknown
  readonly settle: PromiseWithResolvers<Result>
  readonly stopListening: () => void
}

/**
 * One piece of work for everybody who wants the same at the same time. Each member waits on its own and may leave on
 * its own; the work is cancelled when the last one has left before it was over. A set of members instead of races:
 * nobody who has left is held on to.
 */
export class Flight<Result> {
  readonly #seats = new Set<Seat<Result>>()
  readonly #abort = new AbortController()
  readonly #onDeserted: (flight: Flight<Result>) => void
  /** Where the result belongs. */
  readonly place: CacheKey
  /** How many have taken part so far. */
  entered = 0
  #outcome: { readonly result: Result } | { readonly error: unknown } | undefined
  #isOver = false

  /** `onDeserted` is told when the last member left while the work was still going on. */
  constructor(place: CacheKey, onDeserted: (flight: Flight<Result>) => void) {
    this.place = place
    this.#onDeserted = onDeserted
  }

  /** Aborted when nobody is left. The work listens to it. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Takes part. */
  enter(signal: AbortSignal | undefined): Member<Result> {
    const settle = Promise.withResolvers<Result>()
    const abort = (): void => this.#leave(seat, signal?.reason, true)
    const seat: Seat<Result> = {
      result: settle.promise,
      left: false,
      reason: undefined,
      onAbort: undefined,
      settle,
      leave: (reason) => this.#leave(seat, reason, reason !== undefined),
      stopListening: () => signal?.removeEventListener('abort', abort),
    }
    this.entered++
    this.#seats.add(seat)
    this.#tell(seat)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return seat
  }

  /** Brings the result to all members, also to those who enter later. */
  bring(result: Result): void {
    this.#outcome = { result }
    for (const seat of this.#seats) this.#tell(seat)
  }

  fail(error: unknown): void {
    this.#outcome = { error }
    for (const seat of this.#seats) this.#tell(seat)
  }

  /** The work has ended: there is nothing left to cancel. */
  land(): void {
    this.#isOver = true
  }

  #tell(seat: Seat<Result>): void {
    if (this.#outcome === undefined) return
    if ('error' in this.#outcome) seat.settle.reject(this.#outcome.error)
    else seat.settle.resolve(this.#outcome.result)
  }

  #leave(seat: Seat<Result>, reason: unknown, aborted: boolean): void {
    if (!this.#seats.delete(seat)) return
    seat.left = true
    seat.reason = reason
    seat.stopListening()
    if (aborted) {
      seat.settle.reject(reason)
      seat.onAbort?.()
    }
    if (this.#seats.size > 0 || this.#isOver) return
    this.#isOver = true
    this.#onDeserted(this)
    this.#abort.abort(reason)
  }
}
