import type { Effects } from '../core/effects.ts'
import { LinkedQueue } from '../core/linked-queue.ts'
import type { Subject } from '../core/subject.ts'
import type { Write } from './api.ts'
import type { UserData } from './event.ts'
import { QueuedWrite } from './queued-write.ts'
import type { UserWriter } from './user-writer.ts'

export interface DeferredWritesDeps<Data extends UserData> {
  readonly effects: Effects
  /** How long a write waits at most for another commit of its user. */
  readonly maxDelayMs: number
  /** Writes of all users; beyond, those that wait longest are committed. */
  readonly maxWrites: number
  findWriter(user: Subject): UserWriter<Data>
}

/** Users that are due within this time are committed together. */
const GROUP_MS = 5

/**
 * Write-behind: writes that no caller waits for. They join the next commit of their user, and are committed after
 * `maxDelayMs` at the latest: a few users at a time, so that no caller waits behind all of them. A write that fails is
 * dropped and not tried again: whether the store has written it may be unknown, and nothing may be settled or given back
 * twice.
 */
export class DeferredWrites<Data extends UserData> {
  readonly #deps: DeferredWritesDeps<Data>
  /** Those with deferred writes; the one that is due first comes first. */
  readonly #writers = new LinkedQueue<UserWriter<Data>>()
  /** Of all users, also those that have joined another commit. */
  #writes = 0
  #cancelTimer: (() => void) | undefined

  constructor(deps: DeferredWritesDeps<Data>) {
    this.#deps = deps
  }

  add(user: Subject, write: Write<Data, unknown, unknown>): void {
    const { effects, maxDelayMs, maxWrites, findWriter } = this.#deps
    const writer = findWriter(user)
    writer.defer(new QueuedWrite(write))
    if (!writer.isQueued) {
      writer.deferredUntil = effects.monotonic() + maxDelayMs
      writer.deferredWrites = 0
      this.#writers.add(writer)
    }
    writer.deferredWrites++
    this.#writes++
    while (this.#writes >= maxWrites) this.#flushFirst()
    if (this.#writes > 0) this.#cancelTimer ??= effects.setTimer(this.#flushDue, maxDelayMs)
  }

  /** Commits all of them. */
  flush(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    while (this.#writes > 0) this.#flushFirst()
  }

  readonly #flushDue = (): void => {
    const { effects } = this.#deps
    const now = effects.monotonic()
    this.#cancelTimer = undefined
    for (let writer = this.#writers.first; writer !== undefined; writer = this.#writers.first) {
      if (writer.deferredUntil > now + GROUP_MS) {
        this.#cancelTimer = effects.setTimer(this.#flushDue, writer.deferredUntil - now)
        return
      }
      this.#flushFirst()
    }
  }

  #flushFirst(): void {
    const writer = this.#writers.first as UserWriter<Data>
    this.#writers.remove(writer)
    this.#writes -= writer.deferredWrites
    writer.flush()
  }
}
