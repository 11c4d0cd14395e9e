import type { Deadline, DeadlineQueue } from '../core/deadline-queue.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { Reason } from './api.ts'
import type { SectionResult } from './assemble.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { Load, LoadWaiter } from './load.ts'
import type { ParsedResolveOptions } from './resolve-options.ts'
import { loadKeysFor, type SectionRuntime } from './section-runtime.ts'

export interface ResolveCallDeps {
  readonly user: Subject
  readonly options: ParsedResolveOptions
  /** Monotonic ms. */
  readonly startedAt: number
  readonly deadlines: DeadlineQueue
  readonly effects: Effects
}

/**
 * One call of `resolve` that waits for several loads. It ends when all of them have ended or sufficient older data was
 * found for the rest, at its deadline, or when the caller aborts, whichever is first. Then it has left all loads and
 * the deadline queue, and nothing refers to it any more.
 */
export class ResolveCall implements LoadWaiter<CacheEntry> {
  readonly #user: Subject
  readonly #options: ParsedResolveOptions
  readonly #deadlines: DeadlineQueue
  readonly #effects: Effects
  readonly #results = new Map<SectionRuntime, SectionResult>()
  readonly #pending = new Map<Load<CacheEntry>, SectionRuntime>()
  readonly #startedAt: number
  /** That of the call, and those of sections with a smaller budget. */
  readonly #timers: Deadline[] = []
  #resolveWait: ((deadlineExceeded: boolean) => void) | undefined
  #queuedMs = 0
  #hasEnded = false

  constructor({ user, options, startedAt, deadlines, effects }: ResolveCallDeps) {
    this.#startedAt = startedAt
    this.#user = user
    this.#options = options
    this.#deadlines = deadlines
    this.#effects = effects
  }

  /** How long the call waited for a load that waited for a slot, ms. */
  get queuedMs(): number {
    return this.#queuedMs
  }

  setResult(result: SectionResult): void {
    this.#results.set(result.section, result)
  }

  getResult(section: SectionRuntime): SectionResult {
    return this.#results.get(section) ?? { section, entry: undefined, isFresh: false }
  }

  /** Waits for new data of a section; the present result is the fallback. */
  load(section: SectionRuntime): void {
    const { mode, query, budgetMs, maxAgeMs } = this.#options
    const user = this.#user
    const forceReload = maxAgeMs !== undefined
    this.setResult({ ...this.getResult(section), isFresh: false })
    const keys = loadKeysFor(section, user.id, { mode, query })
    const load = section.loads.join({ ...keys, user, mode, query, forceReload, budgetMs }, this)
    if (typeof load === 'string') this.#setReason(section, load)
    else if (load.state !== 'ended') this.#pending.set(load, section)
  }

  /** Resolves at the end of the call to whether the deadline was exceeded. */
  wait(deadline: number): Promise<boolean> {
    const now = this.#effects.monotonic()
    const impatient = [...this.#pending.values()].filter((section) => this.#deadlineOf(section) < deadline)
    for (const section of impatient) if (this.#deadlineOf(section) <= now) this.#giveUp(section)
    if (this.#pending.size === 0) return Promise.resolve(impatient.length > 0)
    if (now >= deadline) {
      this.#leaveAll(undefined)
      return Promise.resolve(true)
    }
    return new Promise((resolve) => {
      const { signal } = this.#options
      const abort = (): void => this.#end(false)
      this.#resolveWait = (deadlineExceeded) => {
        signal?.removeEventListener('abort', abort)
        resolve(deadlineExceeded)
      }
      signal?.addEventListener('abort', abort, { once: true })
      this.#timers.push(this.#deadlines.add(deadline, () => this.#end(true)))
      for (const section of impatient) {
        const giveUp = (): void => {
          this.#giveUp(section)
          if (this.#pending.size === 0) this.#end(true)
        }
        this.#timers.push(this.#deadlines.add(this.#deadlineOf(section), giveUp))
      }
    })
  }

  onEnd(load: Load<CacheEntry>, entry: CacheEntry | undefined): void {
    const section = this.#pending.get(load)
    if (section === undefined) return
    this.#pending.delete(load)
    this.#measureQueue(load)
    if (entry === undefined) this.#setReason(section, load.failure)
    else {
      if (this.#isOwnMode(section, load) && (load.forceReload || this.#isRecent(entry)))
        this.setResult({ section, entry, isFresh: true })
      else this.load(section)
    }
    this.#endIfComplete()
  }

  onStaleData(load: Load<CacheEntry>, entry: CacheEntry): void {
    const section = this.#pending.get(load)
    if (section === undefined || this.#options.maxAgeMs !== undefined || !this.#isOwnMode(section, load)) return
    this.setResult({ section, entry, isFresh: false, reason: 'refreshing' })
    this.#pending.delete(load)
    this.#measureQueue(load)
    section.loads.leave(load, this)
    this.#endIfComplete()
  }

  /** That a source is mode-dependent is known only after its first load has started, with callers of both modes. */
  #isOwnMode(section: SectionRuntime, load: Load<CacheEntry>): boolean {
    return !section.isModeDependent || load.mode === this.#options.mode
  }

  /** A load without `forceReload` may return data from the store that is too old for this call. */
  #isRecent({ loadedAt }: CacheEntry): boolean {
    const { maxAgeMs } = this.#options
    return maxAgeMs === undefined || this.#effects.now() - loadedAt <= maxAgeMs
  }

  #endIfComplete(): void {
    if (this.#pending.size === 0) this.#end(false)
  }

  #end(deadlineExceeded: boolean): void {
    if (this.#hasEnded || this.#resolveWait === undefined) return
    this.#hasEnded = true
    for (const timer of this.#timers) this.#deadlines.remove(timer)
    this.#leaveAll(deadlineExceeded ? undefined : 'aborted')
    this.#resolveWait(deadlineExceeded)
  }

  #deadlineOf(section: SectionRuntime): number {
    return this.#startedAt + section.budgetMs
  }

  #giveUp(section: SectionRuntime): void {
    for (const [load, pending] of this.#pending) {
      if (pending !== section) continue
      this.#pending.delete(load)
      this.#leave(load, section, undefined)
    }
  }

  /** `reason`: default, that the time is over. */
  #leaveAll(reason: Reason | undefined): void {
    for (const [load, section] of this.#pending) this.#leave(load, section, reason)
    this.#pending.clear()
  }

  #leave(load: Load<CacheEntry>, section: SectionRuntime, reason: Reason | undefined): void {
    this.#measureQueue(load)
    this.#setReason(section, reason ?? (load.state === 'queued' ? 'queued' : 'timeout'))
    section.loads.leave(load, this)
  }

  #setReason(section: SectionRuntime, reason: Reason): void {
    this.setResult({ ...this.getResult(section), reason })
  }

  #measureQueue(load: Load<CacheEntry>): void {
    const startedAt = load.state === 'queued' ? this.#effects.monotonic() : load.startedAt
    this.#queuedMs = Math.max(this.#queuedMs, startedAt - this.#startedAt)
  }
}
