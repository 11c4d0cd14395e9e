/**
 * Calls in progress by key, so that callers of one key share a call instead of making their own. What a call is, who
 * waits for it and when it is cancelled is up to the user of this registry.
 *
 * Their number is bounded by the number of callers that wait in them.
 */
export class SingleFlight<Call> {
  readonly #current = new Map<string, Call>()

  /** The call that a caller of this key joins. */
  get(key: string): Call | undefined {
    return this.#current.get(key)
  }

  /** Later callers of `key` join `call`, also when an earlier one is still running. */
  set(key: string, call: Call): void {
    this.#current.set(key, call)
  }

  /** False once the call was removed or another one took over its key: its result is outdated. */
  isCurrent(key: string, call: Call): boolean {
    return this.#current.get(key) === call
  }

  /** Later callers of `key` no longer join `call`. Those that wait for it stay. */
  remove(key: string, call: Call): void {
    if (this.#current.get(key) === call) this.#current.delete(key)
  }

  removeWhere(matches: (call: Call) => boolean): void {
    for (const [key, call] of this.#current) if (matches(call)) this.#current.delete(key)
  }
}
