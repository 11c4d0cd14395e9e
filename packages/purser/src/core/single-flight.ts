/**
 * Calls in progress by key, so that callers with the same key share one call. The registry only maps keys to calls: who
 * waits for a call and when it is cancelled is decided by the code that uses it.
 *
 * Its size is bounded by the number of callers that wait.
 */
export class SingleFlight<Call> {
  readonly #current = new Map<string, Call>()

  /** The call that a caller with this key joins. */
  get(key: string): Call | undefined {
    return this.#current.get(key)
  }

  /** Later callers of `key` join `call`, even if an earlier one is still running. */
  set(key: string, call: Call): void {
    this.#current.set(key, call)
  }

  /** False once the call was removed or replaced by another one: its result is outdated. */
  isCurrent(key: string, call: Call): boolean {
    return this.#current.get(key) === call
  }

  /** Later callers of `key` do not join `call` any more. Its present callers are not affected. */
  remove(key: string, call: Call): void {
    if (this.#current.get(key) === call) this.#current.delete(key)
  }

  removeWhere(matches: (call: Call) => boolean): void {
    for (const [key, call] of this.#current) if (matches(call)) this.#current.delete(key)
  }
}
