import { CasDocument, type CasDocumentDeps } from './cas-document.ts'
import { hashToken } from './token.ts'

const MAX_FAILURES = 10
const WINDOW_MS = 60_000
/** The answer to a failure beyond the limit waits this long. */
const DELAY_MS = 1_000
/** Answers that wait at the same time; further ones do not wait. */
const MAX_DELAYED = 100
/** The oldest address is dropped beyond this number. */
const MAX_ADDRESSES = 1_000

/** The failures of one address in its window. */
interface Failures {
  /** Hash of the address. */
  readonly hash: string
  readonly count: number
  /** End of the window, epoch ms. */
  readonly until: number
}

/**
 * Rate limit for sign-in attempts, on all instances together. It applies to failures only: a right key is let in however
 * many wrong ones came from the same address, because behind a proxy all clients have one address. After 10 failures
 * within a minute, further failures of an address are refused for the rest of the minute, and their answers are delayed.
 */
export class Limiter {
  readonly #effects: CasDocumentDeps['effects']
  readonly #document: CasDocument<readonly Failures[]>
  /** Of this instance, while the store fails. */
  #local: readonly Failures[] = []
  #delayed = 0

  constructor(deps: CasDocumentDeps) {
    this.#effects = deps.effects
    this.#document = new CasDocument<readonly Failures[]>(deps, 'server-sign-in-failures', [])
  }

  /** Counts a failure. Resolves to how long `address` has to wait before its next failure is not refused; 0 within the limit. */
  async recordFailure(address: string): Promise<number> {
    const now = this.#effects.now()
    const hash = hashToken(address)
    const count = (failures: readonly Failures[]): readonly Failures[] => countFailure(failures, hash, now)
    const failures = await this.#document.change(count).catch(() => {
      this.#local = count(this.#local)
      return this.#local
    })
    const own = failures.at(-1)
    if (own === undefined || own.count <= MAX_FAILURES) return 0
    await this.#delay()
    return own.until - now
  }

  #delay(): Promise<void> {
    if (this.#delayed >= MAX_DELAYED) return Promise.resolve()
    this.#delayed++
    return new Promise((resolve) => {
      this.#effects.setTimer(() => {
        this.#delayed--
        resolve()
      }, DELAY_MS)
    })
  }
}

/** The failures with one more of an address, which is the last then. */
function countFailure(failures: readonly Failures[], hash: string, now: number): readonly Failures[] {
  const current = failures.filter(({ until }) => now < until && until - now <= WINDOW_MS)
  const { count, until } = current.find((entry) => entry.hash === hash) ?? { count: 0, until: now + WINDOW_MS }
  const others = current.filter((entry) => entry.hash !== hash)
  return [...others, { hash, count: count + 1, until }].slice(-MAX_ADDRESSES)
}
