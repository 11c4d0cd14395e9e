/** A process that sent nothing for this long has been killed, or does nothing: longer than any pause of a working one. */
const SILENT_MS = 5_000
const MAX_PROCESSES = 10_000

/**
 * The processes that send messages. Each sends one at least every second while it is open, and its last one when it closes.
 * So one that falls silent may have been killed between a commit and the message about it.
 */
export class OtherProcesses {
  /** In the order in which they were heard last. */
  readonly #heardAt = new Map<string, number>()
  #isOneMissing = false

  heard(process: string, nowMs: number): void {
    this.#heardAt.delete(process)
    this.#heardAt.set(process, nowMs)
    if (this.#heardAt.size > MAX_PROCESSES) this.#forgetFirst()
  }

  ended(process: string): void {
    this.#heardAt.delete(process)
  }

  /** Whether a process has fallen silent since the last call. */
  takeSilent(nowMs: number): boolean {
    for (const heardAt of this.#heardAt.values()) {
      if (nowMs - heardAt < SILENT_MS) break
      this.#forgetFirst()
    }
    const isOneMissing = this.#isOneMissing
    this.#isOneMissing = false
    return isOneMissing
  }

  #forgetFirst(): void {
    const [first] = this.#heardAt.keys()
    if (first !== undefined) this.#heardAt.delete(first)
    this.#isOneMissing = true
  }
}
