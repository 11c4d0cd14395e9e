import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { Write } from './api.ts'
import type { UserData } from './event.ts'
import type { UserWriter } from './user-writer.ts'

export interface DeferredWritesDeps<Data extends UserData> {
  readonly effects: Effects
  /** How long a write waits at most for another commit of its user. */
  readonly maxDelayMs: number
  /** Writes of all users; when there are as many, they are committed at once. */
  readonly maxWrites: number
  findWriter(user: Subject): UserWriter<Data>
}

/**
 * Write-behind: writes that no caller waits for. They join the next commit of their user, and are committed after
 * `maxDelayMs` at the latest. A write that fails is dropped and not tried again: whether the store has written it may be
 * unknown, and nothing may be settled or given back twice.
 */
export class DeferredWrites<Data extends UserData> {
  readonly #deps: DeferredWritesDeps<Data>
  /** Users with deferred writes since the last flush. */
  #writers = new Set<UserWriter<Data>>()
  #count = 0
  #cancelTimer: (() => void) | undefined

  constructor(deps: DeferredWritesDeps<Data>) {
    this.#deps = deps
  }

  add(user: Subject, write: Write<Data, unknown, unknown>): void {
    const writer = this.#deps.findWriter(user)
    writer.defer({ write, digest: undefined, isAborted: false, resolve: ignore, reject: ignore })
    this.#writers.add(writer)
    if (++this.#count >= this.#deps.maxWrites) this.flush()
    else this.#cancelTimer ??= this.#deps.effects.setTimer(this.flush, this.#deps.maxDelayMs)
  }

  /** Commits all of them. */
  readonly flush = (): void => {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#count = 0
    const writers = this.#writers
    this.#writers = new Set()
    for (const writer of writers) writer.flush()
  }
}

function ignore(): void {}
