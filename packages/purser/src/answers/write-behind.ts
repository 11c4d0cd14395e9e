import type { Effects } from '../core/effects.ts'
import type { NewAnswer, PutOutcome } from '../storage/answer-store.ts'
import type { AnswerLimits } from './limits.ts'

export interface WriteBehindDeps {
  readonly effects: Effects
  readonly limits: AnswerLimits
  /** Writes rows of different keys in one step; undefined: they could not be written. Never rejects. */
  put(rows: readonly NewAnswer[]): Promise<PutOutcome | undefined>
  /** Called after each batch that was written, when its rows no longer count as waiting. */
  onWritten(rows: readonly NewAnswer[], outcome: PutOutcome): void
}

interface WaitingRow {
  readonly row: NewAnswer
  /** Counts the rows in the order in which they arrived. */
  readonly position: number
  /** Resolves the callers that wait until the row is written; false: it was not. */
  readonly resolve: ((isWritten: boolean) => void) | undefined
}

/**
 * The answers that are in memory and not in the store yet. They are written in batches, one at a time: `writeDelayMs`
 * after the first of them arrived, at once when a batch is full or a caller waits for its row, and by `flush`.
 *
 * When the store is slower than new answers arrive, more than `maxWaitingRows` or `maxWaitingBytes` are refused instead of
 * waited for: they stay in memory only. Rows that a caller waits for are always accepted, because the callers that
 * wait are limited in number.
 */
export class WriteBehind {
  readonly #deps: WriteBehindDeps
  #waiting = new Map<string, WaitingRow>()
  /** The batch that the store is writing. */
  #writing: ReadonlyMap<string, WaitingRow> = new Map()
  /** Resolves when that batch has ended. */
  #batch: Promise<void> | undefined
  #bytes = 0
  #added = 0
  #refused = 0
  /** The next batch does not wait for the timer. */
  #isDue = false
  #isStopped = false
  #cancelTimer: (() => void) | undefined

  constructor(deps: WriteBehindDeps) {
    this.#deps = deps
  }

  /** Rows that are not in the store yet. */
  get entries(): number {
    return this.#waiting.size + this.#writing.size
  }

  /** Bytes of these rows. */
  get bytes(): number {
    return this.#bytes
  }

  /** Rows that were refused because too many waited, since the start. */
  get refused(): number {
    return this.#refused
  }

  get(key: string): NewAnswer | undefined {
    return (this.#waiting.get(key) ?? this.#writing.get(key))?.row
  }

  /** Has the row written within `writeDelayMs`. False: too many rows wait, and this one is not written. */
  add(row: NewAnswer): boolean {
    const { maxWaitingRows, maxWaitingBytes } = this.#deps.limits
    if (this.#isStopped || this.entries >= maxWaitingRows || this.#bytes + row.bytes > maxWaitingBytes) {
      this.#refused++
      return false
    }
    this.#enqueue(row)
    return true
  }

  /** Has the row written at once, and resolves when it is. False: it could not be written. */
  write(row: NewAnswer): Promise<boolean> {
    if (this.#isStopped) return Promise.resolve(false)
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#enqueue(row, resolve)
    this.#send()
    return promise
  }

  /** Resolves when all rows that wait now have been written, or could not be. */
  async flush(): Promise<void> {
    const last = this.#added
    while (this.#oldestPosition() <= last) {
      this.#send()
      await this.#batch
    }
  }

  /** Accepts no more rows. Call `flush` afterwards. */
  stop(): void {
    this.#isStopped = true
  }

  #oldestPosition(): number {
    for (const rows of [this.#writing, this.#waiting]) for (const { position } of rows.values()) return position
    return Number.POSITIVE_INFINITY
  }

  #enqueue(row: NewAnswer, resolve?: (isWritten: boolean) => void): void {
    const replaced = this.#waiting.get(row.key)
    if (replaced !== undefined) {
      this.#bytes -= replaced.row.bytes
      this.#waiting.delete(row.key)
    }
    const position = ++this.#added
    this.#waiting.set(row.key, { row, position, resolve: both(replaced?.resolve, resolve) })
    this.#bytes += row.bytes
    const { limits, effects } = this.#deps
    if (this.#waiting.size >= limits.maxBatchRows) this.#send()
    else this.#cancelTimer ??= effects.setTimer(() => this.#send(), limits.writeDelayMs)
  }

  /** Writes what is waiting now; after the current batch, if there is one. */
  #send(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#batch !== undefined) this.#isDue = true
    else if (this.#waiting.size > 0) this.#batch = this.#sendBatch()
  }

  async #sendBatch(): Promise<void> {
    this.#isDue = false
    const batch = this.#takeBatch()
    this.#writing = batch
    const waiting = [...batch.values()]
    const rows = waiting.map(({ row }) => row)
    const outcome = await this.#deps.put(rows)
    this.#writing = new Map()
    this.#batch = undefined
    for (const { bytes } of rows) this.#bytes -= bytes
    if (outcome !== undefined) this.#deps.onWritten(rows, outcome)
    for (const [index, { resolve }] of waiting.entries())
      resolve?.(outcome !== undefined && !outcome.refused.includes(index))
    if (this.#isDue) this.#send()
  }

  #takeBatch(): Map<string, WaitingRow> {
    const { maxBatchRows, maxBatchBytes } = this.#deps.limits
    const batch = new Map<string, WaitingRow>()
    let bytes = 0
    for (const [key, waiting] of this.#waiting) {
      bytes += waiting.row.bytes
      if (batch.size === maxBatchRows || (bytes > maxBatchBytes && batch.size > 0)) {
        // The rest has waited as long as this batch.
        this.#isDue = true
        break
      }
      batch.set(key, waiting)
      this.#waiting.delete(key)
    }
    return batch
  }
}

type Resolve = (isWritten: boolean) => void

/** The callers of a row that was replaced while it waited get the outcome of the row that replaced it. */
function both(first: Resolve | undefined, second: Resolve | undefined): Resolve | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return (isWritten) => {
    first(isWritten)
    second(isWritten)
  }
}
