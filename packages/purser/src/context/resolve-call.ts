import type { Deadline, DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { SectionResult } from './assemble.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { Load, Waiter } from './load.ts'
import type { Request } from './resolve-options.ts'
import { keyOf, type SectionRuntime } from './section-runtime.ts'

export interface ResolveCallDeps {
  readonly user: Subject
  readonly request: Request
  readonly deadlines: DeadlineQueue
  readonly effects: Effects
}

/**
 * One caller who waits for several flights at once. Over when all have landed, when older data that is good enough
 * turned up for those that have not, when the deadline has come, or when the caller leaves: whichever is first. Then
 * it has left all flights and the queue, and nothing of it is kept anywhere.
 */
export class ResolveCall implements Waiter<CacheEntry> {
  readonly #user: Subject
  readonly #request: Request
  readonly #deadlines: DeadlineQueue
  readonly #effects: Effects
  readonly #findings = new Map<SectionRuntime, SectionResult>()
  readonly #flights = new Map<Load<CacheEntry>, SectionRuntime>()
  #deadline: Deadline | undefined
  #finish: ((blown: boolean) => void) | undefined
  #finished = false

  constructor({ user, request, deadlines, effects }: ResolveCallDeps) {
    this.#user = user
    this.#request = request
    this.#deadlines = deadlines
    this.#effects = effects
  }

  note(finding: SectionResult): void {
    this.#findings.set(finding.lane, finding)
  }

  finding(lane: SectionRuntime): SectionResult {
    return this.#findings.get(lane) ?? { lane, held: undefined, fresh: false }
  }

  /** Waits for new data of a section. What was noted for it is from now on only the second best. */
  board(lane: SectionRuntime): void {
    const { mode, budgetMs, maxAgeMs } = this.#request
    const user = this.#user
    const insists = maxAgeMs !== undefined
    this.note({ ...this.finding(lane), fresh: false })
    const flight = lane.flights.board({ key: keyOf(lane, user.id, mode), user, mode, insists, budgetMs }, this)
    if (flight !== undefined && flight.place !== 'over') this.#flights.set(flight, lane)
  }

  /** Resolves to whether it was the deadline that ended the wait. */
  over(deadline: number): Promise<boolean> {
    if (this.#flights.size === 0) return Promise.resolve(false)
    if (this.#effects.monotonic() >= deadline) {
      this.#leaveAll()
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const { signal } = this.#request
      const leave = (): void => this.#end(false)
      this.#finish = (blown) => {
        signal?.removeEventListener('abort', leave)
        resolve(blown)
      }
      signal?.addEventListener('abort', leave, { once: true })
      this.#deadline = this.#deadlines.add(deadline, () => this.#end(true))
    })
  }

  landed(flight: Load<CacheEntry>, held: CacheEntry | undefined): void {
    const lane = this.#flights.get(flight)
    if (lane === undefined) return
    this.#flights.delete(flight)
    if (held !== undefined) {
      if (this.#isForUs(lane, flight) && (flight.insists || this.#isYoungEnough(held)))
        this.note({ lane, held, fresh: true })
      else this.board(lane)
    }
    this.#endWhenDone()
  }

  glimpsed(flight: Load<CacheEntry>, held: CacheEntry): void {
    const lane = this.#flights.get(flight)
    if (lane === undefined || this.#request.maxAgeMs !== undefined || !this.#isForUs(lane, flight)) return
    this.note({ lane, held, fresh: false })
    this.#flights.delete(flight)
    lane.flights.leave(flight, this)
    this.#endWhenDone()
  }

  /** Only while its first load is under way does a source turn out to give each mode its own data. */
  #isForUs(lane: SectionRuntime, flight: Load<CacheEntry>): boolean {
    return !lane.modal || flight.mode === this.#request.mode
  }

  /** A load that did not insist may have found something in the store that is too old for us. */
  #isYoungEnough({ loadedAt }: CacheEntry): boolean {
    const { maxAgeMs } = this.#request
    return maxAgeMs === undefined || this.#effects.now() - loadedAt <= maxAgeMs
  }

  #endWhenDone(): void {
    if (this.#flights.size === 0) this.#end(false)
  }

  #end(blown: boolean): void {
    if (this.#finished || this.#finish === undefined) return
    this.#finished = true
    if (this.#deadline !== undefined) this.#deadlines.remove(this.#deadline)
    this.#leaveAll()
    this.#finish(blown)
  }

  #leaveAll(): void {
    for (const [flight, lane] of this.#flights) lane.flights.leave(flight, this)
    this.#flights.clear()
  }
}
