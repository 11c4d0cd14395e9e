import type { Effects } from '../core/effects.ts'
import { SlotTable } from '../core/slot-table.ts'

/** A caller that has just got its turn begins to read within this time. */
const GRACE_MS = 100

/**
 * The turns whose answer waits for a reader. They hold a model's lease, so that closing would wait for readers that may
 * never come: it cancels them instead. Turns that are being read are drained.
 */
export class UnreadTurns {
  readonly #effects: Effects
  readonly #turns = new SlotTable<{ cancel(): Promise<void> }>()
  #isClosing = false

  constructor(effects: Effects) {
    this.#effects = effects
  }

  /** Returns the key for `delete`. */
  add(turn: { cancel(): Promise<void> }): number {
    const key = this.#turns.add(turn)
    if (this.#isClosing) this.#cancelSoon()
    return key
  }

  delete(key: number): void {
    this.#turns.take(key)
  }

  /** Cancels the turns that are not read now, and those that still get their answer. */
  close(): void {
    this.#isClosing = true
    this.#cancelSoon()
  }

  #cancelSoon(): void {
    const cancelAll = (): void => {
      for (const turn of this.#turns.takeAll()) void turn.cancel()
    }
    if (this.#turns.size > 0) this.#effects.setTimer(cancelAll, GRACE_MS, { background: true })
  }
}
