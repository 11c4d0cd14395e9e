/** How long to leave something alone that has failed. */
export interface Pauses {
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  /** 0 to 1. */
  random(): number
}

/** The pause after the n-th failure in a row: doubling up to the longest, and up to a quarter shorter by chance. */
export function pauseAfter(failures: number, { firstPauseMs, longestPauseMs, random }: Pauses): number {
  const nominal = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures - 1, 30))
  return nominal * (1 - random() / 4)
}

/**
 * Protects a source that fails or hangs for everybody. It opens after some failures in a row and lets nothing
 * through but one probe a pause; a probe that fails doubles the pause, any success closes it. A hang is a failure
 * that is told by its age, not by its end. All instants are monotonic ms.
 */
export class CircuitBreaker {
  readonly #failuresToOpen: number
  readonly #pauses: Pauses
  #failures = 0
  #openings = 0
  /** When the next probe may begin; undefined while closed. */
  #probeAt: number | undefined
  #probeBegan: number | undefined
  /** When it last closed after having been open. */
  #healedAt = Number.NEGATIVE_INFINITY

  constructor(failuresToOpen: number, pauses: Pauses) {
    this.#failuresToOpen = failuresToOpen
    this.#pauses = pauses
  }

  get open(): boolean {
    return this.#probeAt !== undefined
  }

  /** Failures from before this instant say nothing any more. */
  get healedAt(): number {
    return this.#healedAt
  }

  wantsProbe(now: number): boolean {
    return this.#probeAt !== undefined && this.#probeBegan === undefined && now >= this.#probeAt
  }

  /** Whether a load may begin now; `probe` must then begin. */
  pass(now: number): 'free' | 'probe' | 'refused' {
    if (this.#probeAt === undefined) return 'free'
    if (!this.wantsProbe(now)) return 'refused'
    this.#probeBegan = now
    return 'probe'
  }

  succeeded(now: number): void {
    if (this.#probeAt !== undefined) this.#healedAt = now
    this.#failures = 0
    this.#openings = 0
    this.#probeAt = undefined
    this.#probeBegan = undefined
  }

  /** Tells whether this failure has opened it. `probe`: it was the probe that failed. */
  failed(now: number, probe: boolean): boolean {
    if (this.#probeAt !== undefined) {
      if (!probe || this.#probeBegan === undefined) return false
      this.#openings += 1
      // The pause counts from the start of the probe, so that a hanging probe does not make it longer.
      this.#probeAt = Math.max(now, this.#probeBegan + pauseAfter(this.#openings, this.#pauses))
      this.#probeBegan = undefined
      return false
    }
    this.#failures += 1
    if (this.#failures < this.#failuresToOpen) return false
    this.#openings = 1
    this.#probeAt = now + pauseAfter(1, this.#pauses)
    return true
  }
}
