import type { Effects, TurnFailure } from 'purser'
import { type LoggedRequest, logFault, skipFault } from './log-fault.ts'

/** Lines of one user in a minute for turns that failed before they were counted, as many as they get records. */
const MAX_LINES_A_MINUTE = 20
const MINUTE_MS = 60_000
/** Users whose lines are counted; the one who failed longest ago is forgotten. */
const MAX_USERS = 10_000

/** Logs failed turns. A client that repeats a request that nothing limits does not fill the log. */
export class FailureLog {
  readonly #effects: Pick<Effects, 'monotonic'>
  readonly #lines = new Map<string, { readonly minute: number; readonly count: number }>()

  constructor(effects: Pick<Effects, 'monotonic'>) {
    this.#effects = effects
  }

  write(request: LoggedRequest, { error, isAdmitted, ...facts }: TurnFailure): void {
    const count = isAdmitted ? 0 : this.#countLine(facts.user)
    if (count > MAX_LINES_A_MINUTE) skipFault(request)
    else logFault(request, error, { ...facts, ...(count === MAX_LINES_A_MINUTE ? { isLastOfMinute: true } : {}) })
  }

  /** How many lines the user has in this minute, with this one. */
  #countLine(user: string): number {
    const minute = Math.floor(this.#effects.monotonic() / MINUTE_MS)
    const found = this.#lines.get(user)
    const count = found?.minute === minute ? found.count + 1 : 1
    // Behind all others, so that the first one is the one to forget.
    this.#lines.delete(user)
    this.#lines.set(user, { minute, count })
    const [oldest] = this.#lines.keys()
    if (this.#lines.size > MAX_USERS && oldest !== undefined) this.#lines.delete(oldest)
    return count
  }
}
