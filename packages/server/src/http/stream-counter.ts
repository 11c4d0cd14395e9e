/** Counts the open streams of each caller. A caller without an open stream takes no memory. */
export class StreamCounter {
  readonly #maxPerCaller: number
  readonly #counts = new Map<string, number>()

  constructor(maxPerCaller: number) {
    this.#maxPerCaller = maxPerCaller
  }

  /** Counts one more stream; returns the function that gives its slot back, once. Undefined: the limit is reached. */
  acquire(caller: string): (() => void) | undefined {
    const count = this.#counts.get(caller) ?? 0
    if (count >= this.#maxPerCaller) return undefined
    this.#counts.set(caller, count + 1)
    let isOpen = true
    return () => {
      if (isOpen) this.#release(caller)
      isOpen = false
    }
  }

  #release(caller: string): void {
    const rest = (this.#counts.get(caller) ?? 1) - 1
    if (rest === 0) this.#counts.delete(caller)
    else this.#counts.set(caller, rest)
  }
}
