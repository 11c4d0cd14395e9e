import { PurserError } from '../errors.ts'
import type { ChunkBatches } from '../openai/chunk-batches.ts'
import type { Waiter } from './coalesced-call.ts'

/** Chunks that one reader takes at once, beside the first. */
const MAX_BATCH_CHUNKS = 63

type End = { readonly error?: unknown }

/**
 * The chunks of one answer while it arrives, for all callers that share it.
 *
 * Each reader has its own pace. The fastest one sets the pace of the upstream: nothing is read ahead of all readers.
 * The buffer holds the whole answer up to `maxBytes`; a longer answer loses its beginning, and a reader that has not
 * read that yet is cut with `reader_slow` instead of stalling the others.
 */
export class ReplayBuffer {
  readonly #maxBytes: number
  readonly #cursors = new Set<Cursor>()
  readonly #chunks: string[] = []
  /** How many chunks have been dropped before `#chunks`. */
  #dropped = 0
  #bytes = 0
  #end: End | undefined
  #changed: PromiseWithResolvers<void> | undefined
  #demand: PromiseWithResolvers<void> | undefined
  #waitingReaders = 0
  #comment = ''
  #commentCount = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** All chunks so far; undefined once the answer is longer than the buffer. */
  get complete(): readonly string[] | undefined {
    return this.#dropped === 0 ? this.#chunks : undefined
  }

  /** The chunks that are buffered: all so far, or the last ones of an answer that is longer than the buffer. */
  get chunks(): readonly string[] {
    return this.#chunks
  }

  /** Resolves when a reader has read all chunks and waits for more, or after `unblock`. */
  async demand(): Promise<void> {
    if (this.#waitingReaders > 0) return
    this.#demand ??= Promise.withResolvers()
    await this.#demand.promise
  }

  append(chunk: string): void {
    this.#chunks.push(chunk)
    this.#bytes += sizeOf(chunk)
    while (this.#bytes > this.#maxBytes && this.#chunks.length > 1) this.#dropFirst()
    this.wake()
  }

  /** Passes a comment to the readers that wait for a chunk. It is no part of the answer. */
  pass(comment: string): void {
    this.#comment = comment
    this.#commentCount++
    this.wake()
  }

  /** No more chunks: the answer is complete, or `error` cut it. */
  end(end: End = {}): void {
    this.#end = end
    this.wake()
  }

  /** Makes all waiting readers look again. */
  wake(): void {
    this.#waitingReaders = 0
    this.#changed?.resolve()
    this.#changed = undefined
  }

  /** Resolves a pending `demand`. */
  unblock(): void {
    this.#demand?.resolve()
    this.#demand = undefined
  }

  /** A reader from the first chunk. Its waiter leaves when it has read everything, failed or returned. */
  read(waiter: Waiter<unknown>): AsyncIterableIterator<string> & Pick<ChunkBatches, 'nextBatch'> {
    const cursor: Cursor = { position: 0, commentCount: this.#commentCount, waiter }
    this.#cursors.add(cursor)
    waiter.onAbort = () => this.wake()
    const finish = (): void => {
      this.#cursors.delete(cursor)
      waiter.leave()
      this.wake()
    }
    return {
      next: async () => {
        try {
          const chunk = await this.#next(cursor)
          if (chunk !== undefined) return { value: chunk, done: false }
        } catch (error) {
          finish()
          throw error
        }
        finish()
        return { value: undefined, done: true }
      },
      nextBatch: async () => {
        try {
          const first = await this.#next(cursor)
          if (first !== undefined) return [first, ...this.#rest(cursor)]
        } catch (error) {
          finish()
          throw error
        }
        finish()
        return undefined
      },
      return: async () => {
        finish()
        return { value: undefined, done: true }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  async #next(cursor: Cursor): Promise<string | undefined> {
    for (;;) {
      const { waiter } = cursor
      if (cursor.position < this.#dropped) throw readerTooSlow(this.#maxBytes)
      if (waiter.hasLeft) {
        if (waiter.leaveReason !== undefined) throw waiter.leaveReason
        return undefined
      }
      const text = this.#textFor(cursor)
      if (text !== undefined) return text
      if (this.#end !== undefined) {
        if ('error' in this.#end) throw this.#end.error
        return undefined
      }
      await this.#change()
    }
  }

  /** Further chunks that are there already. */
  #rest(cursor: Cursor): readonly string[] {
    const start = cursor.position - this.#dropped
    const rest = this.#chunks.slice(start, start + MAX_BATCH_CHUNKS)
    cursor.position += rest.length
    return rest
  }

  /** The next chunk, or a comment that came after the last one. */
  #textFor(cursor: Cursor): string | undefined {
    const chunk = this.#chunks[cursor.position - this.#dropped]
    if (chunk !== undefined) cursor.position++
    const hasNewComment = cursor.commentCount !== this.#commentCount
    cursor.commentCount = this.#commentCount
    return chunk ?? (hasNewComment && this.#end === undefined ? this.#comment : undefined)
  }

  async #change(): Promise<void> {
    this.#changed ??= Promise.withResolvers()
    this.#waitingReaders++
    this.unblock()
    await this.#changed.promise
  }

  /** Drops the first chunk. Readers that have not read it are cut and no longer count as readers. */
  #dropFirst(): void {
    this.#bytes -= sizeOf(this.#chunks.shift() ?? '')
    this.#dropped++
    for (const cursor of this.#cursors) {
      if (cursor.position >= this.#dropped) continue
      this.#cursors.delete(cursor)
      cursor.waiter.leave()
    }
  }
}

interface Cursor {
  position: number
  /** Comments so far, read or passed over. */
  commentCount: number
  readonly waiter: Waiter<unknown>
}

/** A character takes one or two bytes. */
function sizeOf(chunk: string): number {
  return 2 * chunk.length
}

function readerTooSlow(maxBytes: number): PurserError {
  return new PurserError('reader_slow', 'The reader fell too far behind the others that share the answer.', {
    hint: `At most ${maxBytes} bytes of an answer are buffered for slow readers. Repeat the request.`,
  })
}
