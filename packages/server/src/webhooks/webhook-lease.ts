import type { Effects, MetaStore } from 'purser'

/** Without a renewal for this time, another instance takes the lease. */
const LEASE_MS = 20_000
/** The holder considers it lost earlier, so that both never believe to have it. */
const MARGIN_MS = 5_000

export interface WebhookLeaseDeps {
  readonly meta: MetaStore
  readonly effects: Effects
  readonly name: string
}

/**
 * One instance at a time has the lease and delivers. It is a text in the store that its holder changes again and again; a
 * text that does not change for the time of the lease belongs to an instance that has ended. Each instance measures that
 * by its own monotonic clock, so clocks that differ do no harm.
 */
export class WebhookLease {
  readonly #deps: WebhookLeaseDeps
  readonly #holder: string
  #renewals = 0
  /** The last text of another holder, and when it was first seen. Monotonic ms. */
  #seen: { readonly text: string; readonly at: number } | undefined
  /** The text that this instance has written. */
  #own: string | undefined
  #renewedAt = Number.NEGATIVE_INFINITY

  constructor(deps: WebhookLeaseDeps) {
    this.#deps = deps
    this.#holder = deps.effects.randomId()
  }

  /** Whether this instance has the lease and has renewed it lately. */
  get isHeld(): boolean {
    return this.#own !== undefined && this.#deps.effects.monotonic() - this.#renewedAt < LEASE_MS - MARGIN_MS
  }

  /** Takes the lease if it is unused, or renews it. Resolves to whether this instance has it. */
  async hold(): Promise<boolean> {
    const { meta, effects, name } = this.#deps
    const startedAt = effects.monotonic()
    const stored = await meta.get(name)
    if (this.#isUsedByOther(stored)) {
      this.#own = undefined
      return false
    }
    const text = JSON.stringify({ holder: this.#holder, renewals: ++this.#renewals })
    if (!(await meta.compareAndSet(name, stored, text))) {
      this.#own = undefined
      return false
    }
    this.#own = text
    this.#seen = undefined
    this.#renewedAt = startedAt
    return true
  }

  /** Lets another instance take the lease at once. */
  async release(): Promise<void> {
    const own = this.#own
    this.#own = undefined
    if (own !== undefined) await this.#deps.meta.compareAndSet(this.#deps.name, own, '')
  }

  #isUsedByOther(stored: string | undefined): boolean {
    if (stored === undefined || stored === '' || stored === this.#own) return false
    const now = this.#deps.effects.monotonic()
    if (this.#seen?.text !== stored) this.#seen = { text: stored, at: now }
    return now - this.#seen.at < LEASE_MS
  }
}
