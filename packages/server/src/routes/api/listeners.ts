import type { Effects } from 'purser'

const MAX_LISTENERS = 100
const MAX_PER_CALLER = 25
/** A younger stream is not closed for a new one. */
const MIN_AGE_MS = 15_000

interface Listener {
  readonly caller: string
  /** Monotonic ms. */
  readonly openedAt: number
  readonly close: () => void
}

/**
 * The slots of the live event streams. A client that never reads looks like one that waits, as long as the buffers of
 * the network take what is sent. So at a limit the oldest stream is closed for the new one: of the same caller, or of
 * the caller that has the most. A client whose stream was closed resumes it by its last event id.
 */
export class Listeners {
  readonly #effects: Effects
  /** In the order of their age, the oldest first. */
  readonly #open = new Set<Listener>()

  constructor(effects: Effects) {
    this.#effects = effects
  }

  /** Takes a slot; returns the function that gives it back. Undefined: all slots are taken by young streams. */
  acquire(caller: string, close: () => void): (() => void) | undefined {
    const now = this.#effects.monotonic()
    const busiest = this.#callerAtLimit(caller)
    if (busiest !== undefined && !this.#closeOldest(busiest, now)) return undefined
    const listener: Listener = { caller, openedAt: now, close }
    this.#open.add(listener)
    return () => this.#open.delete(listener)
  }

  /** The caller that has to give up a slot before `caller` gets one; undefined while there are free ones. */
  #callerAtLimit(caller: string): string | undefined {
    const counts = new Map<string, number>()
    for (const listener of this.#open) counts.set(listener.caller, (counts.get(listener.caller) ?? 0) + 1)
    if ((counts.get(caller) ?? 0) >= MAX_PER_CALLER) return caller
    if (this.#open.size < MAX_LISTENERS) return undefined
    return [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0]
  }

  #closeOldest(caller: string, now: number): boolean {
    for (const listener of this.#open) {
      if (listener.caller !== caller) continue
      if (now - listener.openedAt < MIN_AGE_MS) return false
      this.#open.delete(listener)
      listener.close()
      return true
    }
    return false
  }
}
