import type { Effects } from '../core/effects.ts'
import { LinkedQueue, type QueueNode } from '../core/linked-queue.ts'

/** What a turn in progress holds. */
export interface RenewableLease extends QueueNode<RenewableLease> {
  /** Monotonic ms. */
  renewAt: number
  /** Extends the lease. Does not throw, and does not wait. */
  renew(): void
}

/** Leases that are due within this time are renewed together. */
const GROUP_MS = 5

/**
 * Renews the leases of turns in progress, three times in each, so that one failed write releases nothing. All have the same
 * length, so the one that was added first is due first, and one timer serves all: nearly every turn ends before it fires.
 */
export class LeaseRenewals {
  readonly #effects: Pick<Effects, 'monotonic' | 'setTimer'>
  readonly #periodMs: number
  readonly #leases = new LinkedQueue<RenewableLease>()
  #cancelTimer: (() => void) | undefined
  #isClosed = false

  constructor(effects: Pick<Effects, 'monotonic' | 'setTimer'>, leaseMs: number) {
    this.#effects = effects
    this.#periodMs = leaseMs / 3
  }

  /** Renews a lease until it is removed. */
  add(lease: RenewableLease): void {
    lease.renewAt = this.#effects.monotonic() + this.#periodMs
    this.#leases.add(lease)
    // While leases are renewed, the timer that has fired is set again for the first of them.
    if (!this.#isClosed) this.#cancelTimer ??= this.#setTimer(this.#periodMs)
  }

  /** No effect on a lease that was not added. */
  remove(lease: RenewableLease): void {
    this.#leases.remove(lease)
  }

  /** Renews nothing any more. */
  close(): void {
    this.#isClosed = true
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #setTimer(delayMs: number): () => void {
    return this.#effects.setTimer(this.#renewDue, delayMs, { background: true })
  }

  readonly #renewDue = (): void => {
    const now = this.#effects.monotonic()
    let { first } = this.#leases
    while (first !== undefined && first.renewAt <= now + GROUP_MS) {
      this.remove(first)
      this.add(first)
      first.renew()
      first = this.#leases.first
    }
    this.#cancelTimer = first === undefined ? undefined : this.#setTimer(first.renewAt - now)
  }
}
