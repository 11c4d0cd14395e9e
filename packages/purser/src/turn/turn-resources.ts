import type { AdmittedTurn } from '../ledger/api.ts'
import type { Usage } from '../openai/chat.ts'
import type { Lease } from '../runtime/api.ts'

/**
 * What a turn holds while it passes through the house: the admission that pays for it and the lease it runs on.
 * Both are let go exactly once, however the turn ends. The lease stays until the upstream call is over as well:
 * others who share the answer may still be reading when the turn that asked for it has left.
 */
export class TurnResources {
  #paid: AdmittedTurn | undefined
  #lease: Lease | undefined
  #calls = 0
  #over = false

  /** A repeat has no admission of its own, as long as it asks no model. */
  constructor(paid: AdmittedTurn | undefined) {
    this.#paid = paid
  }

  /** A lease that comes when the turn is already over goes back at once. */
  hold(lease: Lease): Lease {
    if (this.#over) lease.release()
    else this.#lease = lease
    return lease
  }

  /** The upstream is about to be called on this lease; the function returned says that the call is over. */
  call(): () => void {
    this.#calls++
    return () => {
      this.#calls--
      if (this.#over && this.#calls === 0) this.#release()
    }
  }

  /** Pays after all. What comes when the turn is already over goes back at once. */
  async pay(paid: AdmittedTurn): Promise<void> {
    if (this.#over) await this.#quietly(paid.refund())
    else this.#paid = paid
  }

  /** The turn was answered, or its client left: it stays counted, with the tokens it used. */
  async settle(usage: Usage | undefined): Promise<void> {
    if (!this.#end() || this.#paid === undefined) return
    const tokens = { inputTokens: usage?.prompt_tokens, outputTokens: usage?.completion_tokens }
    await this.#quietly(this.#paid.settle(tokens))
  }

  /** The turn failed before it was answered: what was counted is given back. */
  async giveBack(): Promise<void> {
    if (this.#end() && this.#paid !== undefined) await this.#quietly(this.#paid.refund())
  }

  #end(): boolean {
    if (this.#over) return false
    this.#over = true
    if (this.#calls === 0) this.#release()
    return true
  }

  #release(): void {
    this.#lease?.release()
    this.#lease = undefined
  }

  /**
   * The answer is there, or its own error is on the way to the caller: a store that fails now, a user who was erased
   * meanwhile, or a retry that shares its first try's ticket must not take its place.
   */
  async #quietly(closing: Promise<unknown>): Promise<void> {
    await closing.catch(() => undefined)
  }
}
