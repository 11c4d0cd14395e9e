import { PurserError } from '../errors.ts'
import type { Member } from './flight.ts'

type End = { readonly error?: unknown }

/**
 * The chunks of one answer while it comes in, for everybody who reads it.
 *
 * Readers go at their own pace. The one who is furthest sets the pace of the upstream, so nothing is read ahead of
 * everybody. The log holds the whole answer up to `maxBytes`; a longer one loses its beginning, and a reader who has
 * not read that yet is cut with `reader_slow` instead of stalling the others.
 */
export class ReplayBuffer {
  readonly #maxBytes: number
  readonly #cursors = new Set<Cursor>()
  #chunks: string[] = []
  /** How many chunks have been dropped before `#chunks`. */
  #dropped = 0
  #bytes = 0
  #end: End | undefined
  #changed: PromiseWithResolvers<void> | undefined
  #wanted: PromiseWithResolvers<void> | undefined
  #waiting = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** All chunks so far; undefined when the answer was longer than the log. */
  get whole(): readonly string[] | undefined {
    return this.#dropped === 0 ? this.#chunks : undefined
  }

  /** Resolves when some reader has read all there is and waits for more, or when the flight is deserted. */
  async wanted(): Promise<void> {
    if (this.#waiting > 0) return
    this.#wanted ??= Promise.withResolvers()
    await this.#wanted.promise
  }

  append(chunk: string): void {
    this.#chunks.push(chunk)
    this.#bytes += sizeOf(chunk)
    while (this.#bytes > this.#maxBytes && this.#chunks.length > 1) this.#dropFirst()
    this.wake()
  }

  /** No more chunks: the answer is complete, or `error` cut it. */
  end(end: End = {}): void {
    this.#end = end
    this.wake()
  }

  /** Lets every reader who waits look again. */
  wake(): void {
    this.#waiting = 0
    this.#changed?.resolve()
    this.#changed = undefined
  }

  /** Lets whoever waits in `wanted` go on. */
  hurry(): void {
    this.#wanted?.resolve()
    this.#wanted = undefined
  }

  /** A reader from the beginning, for a member of the flight; who leaves when it has read all, fails or returns. */
  read(member: Member<unknown>): AsyncIterableIterator<string> {
    const cursor: Cursor = { position: 0, member }
    this.#cursors.add(cursor)
    member.onAbort = () => this.wake()
    const finish = (): void => {
      this.#cursors.delete(cursor)
      member.leave()
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
      const { member } = cursor
      if (cursor.position < this.#dropped) throw tooSlow(this.#maxBytes)
      if (member.left) {
        if (member.reason !== undefined) throw member.reason
        return undefined
      }
      const chunk = this.#chunks[cursor.position - this.#dropped]
      if (chunk !== undefined) {
        cursor.position++
        return chunk
      }
      if (this.#end !== undefined) {
        if ('error' in this.#end) throw this.#end.error
        return undefined
      }
      await this.#change()
    }
  }

  async #change(): Promise<void> {
    this.#changed ??= Promise.withResolvers()
    this.#waiting++
    this.hurry()
    await this.#changed.promise
  }

  /** Makes room at the beginning. Whoever has not read it yet is cut, and no longer counts as a reader. */
  #dropFirst(): void {
    this.#bytes -= sizeOf(this.#chunks.shift() ?? '')
    this.#dropped++
    for (const cursor of this.#cursors) {
      if (cursor.position >= this.#dropped) continue
      this.#cursors.delete(cursor)
      cursor.member.leave()
    }
  }
}

interface Cursor {
  position: number
  readonly member: Member<unknown>
}

/** Texts take one or two bytes a character. */
function sizeOf(chunk: string): number {
  return 2 * chunk.length
}

function tooSlow(maxBytes: number): PurserError {
  return new PurserError('reader_slow', 'This reader fell too far behind the others who share the answer.', {
    hint: `At most ${maxBytes} bytes of an answer are held for a reader who is behind. Ask again.`,
  })
}
