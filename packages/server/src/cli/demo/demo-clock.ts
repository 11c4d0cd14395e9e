import { type Effects, systemEffects } from 'purser'

interface Timer {
  readonly dueMs: number
  readonly run: () => void
}

/**
 * Clocks that begin in the past and are moved to the present. Both clocks move together, so that nothing takes it for a
 * wrong clock. Until they have arrived, timers fire when they are moved over their instant; background timers always
 * follow the real time.
 */
export class DemoClock implements Effects {
  readonly #startMs: number
  /** How far the clocks are from the real ones; negative in the past. */
  #offsetMs: number
  readonly #timers = new Set<Timer>()

  constructor(pastMs: number) {
    this.#startMs = -pastMs
    this.#offsetMs = -pastMs
  }

  readonly now = (): number => systemEffects.now() + this.#offsetMs

  readonly monotonic = (): number => systemEffects.monotonic() + this.#offsetMs - this.#startMs

  readonly randomId = (): string => systemEffects.randomId()

  readonly setTimer: Effects['setTimer'] = (run, delayMs, options) => {
    if (this.#offsetMs === 0 || options?.background === true) return systemEffects.setTimer(run, delayMs, options)
    const timer = { dueMs: this.now() + Math.max(0, delayMs), run }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Moves on to an instant and fires the timers before it. An instant that has passed changes nothing. */
  moveTo(epochMs: number): void {
    for (let timer = this.#next(); timer !== undefined && timer.dueMs <= epochMs; timer = this.#next())
      this.#fire(timer)
    this.#skipTo(epochMs)
  }

  /** Moves to the next timer and fires it; false when there is none. */
  fireNext(): boolean {
    const timer = this.#next()
    if (timer !== undefined) this.#fire(timer)
    return timer !== undefined
  }

  /** Moves to the present, from where on all timers follow the real time. */
  arrive(): void {
    this.moveTo(systemEffects.now())
    this.#offsetMs = 0
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer)
    this.#skipTo(timer.dueMs)
    timer.run()
  }

  #skipTo(epochMs: number): void {
    this.#offsetMs = Math.min(0, this.#offsetMs + Math.max(0, epochMs - this.now()))
  }

  #next(): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) if (next === undefined || timer.dueMs < next.dueMs) next = timer
    return next
  }
}
