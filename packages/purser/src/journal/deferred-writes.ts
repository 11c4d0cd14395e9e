import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import { PurserError } from '../errors.ts'
import type { Write } from './api.ts'
import type { UserData } from './event.ts'
import type { QueuedWrite } from './queued-write.ts'
import type { UserWriter } from './user-writer.ts'

export interface DeferredWritesDeps<Data extends UserData> {
  readonly effects: Effects
  /** How long a write waits at most for another commit of its user. */
  readonly maxDelayMs: number
  /** Deferred writes of all users that are committed at once when there are as many. */
  readonly maxDeferred: number
  /** Writes that wait for the store to be available again; beyond that the oldest is dropped. */
  readonly maxRetained: number
  findWriter(user: Subject): UserWriter<Data>
}

/**
 * Write-behind: writes that no caller waits for. They join the next commit of their user, and are committed after
 * `maxDelayMs` at the latest. When the store fails they are tried again; a write whose decision throws is dropped.
 */
export class DeferredWrites<Data extends UserData> {
  readonly #deps: DeferredWritesDeps<Data>
  /** Users that had deferred writes since the last flush. */
  #writers = new Set<UserWriter<Data>>()
  #count = 0
  #failed: { readonly user: Subject; readonly queued: QueuedWrite<Data> }[] = []
  #cancelTimer: (() => void) | undefined
  #isClosed = false

  constructor(deps: DeferredWritesDeps<Data>) {
    this.#deps = deps
  }

  add(user: Subject, write: Write<Data, unknown, unknown>): void {
    const queued: QueuedWrite<Data> = {
      write,
      digest: undefined,
      isAborted: false,
      resolve: () => undefined,
      reject: (error) => this.#onFailure(user, queued, error),
    }
    this.#defer(user, queued)
  }

  /** Commits all of them. */
  readonly flush = (): void => {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#count = 0
    const failed = this.#failed
    this.#failed = []
    for (const { user, queued } of failed) this.#defer(user, queued)
    const writers = this.#writers
    this.#writers = new Set()
    for (const writer of writers) writer.flush()
  }

  /** Commits all of them, and drops what fails from now on. */
  close(): void {
    this.#isClosed = true
    this.flush()
  }

  #defer(user: Subject, queued: QueuedWrite<Data>): void {
    const writer = this.#deps.findWriter(user)
    writer.defer(queued)
    this.#writers.add(writer)
    if (++this.#count >= this.#deps.maxDeferred) this.flush()
    else this.#startTimer()
  }

  #onFailure(user: Subject, queued: QueuedWrite<Data>, error: unknown): void {
    if (this.#isClosed || !PurserError.is(error, 'store_unavailable')) return
    if (this.#failed.length >= this.#deps.maxRetained) this.#failed.shift()
    this.#failed.push({ user, queued })
    this.#startTimer()
  }

  #startTimer(): void {
    this.#cancelTimer ??= this.#deps.effects.setTimer(this.flush, this.#deps.maxDelayMs)
  }
}
