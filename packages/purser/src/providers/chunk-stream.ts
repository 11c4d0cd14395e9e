import type { ChunkBatches, TakeEvents } from '../openai/chunk-batches.ts'
import { type ChunkBatch, textsOf } from '../openai/chunk-events.ts'
import { isComment } from '../openai/sse.ts'
import type { ChunkTimeouts } from './chunk-timeouts.ts'

/** Where the chunks of an answer come from. */
export interface ChunkSource {
  /** The next chunks, none or more, or a single comment; undefined after the end of a complete answer. Rejects when it failed or was cut. */
  next(): Promise<ChunkBatch | undefined>
  /** As in `ChunkBatches`, while `next` is pending. */
  offer?(take: TakeEvents): void
  /** Stops the upstream call. */
  cancel(reason: unknown): void
}

export interface ChunkStreamDeps {
  readonly source: ChunkSource
  readonly timeouts: Pick<ChunkTimeouts, keyof ChunkTimeouts>
  /** An error of the source as the caller sees it: the reason of an abort, or a `PurserError`. */
  readonly mapError: (cause: unknown) => unknown
}

/** The chunks of an answer, one by one, for one reader. */
export interface ChunkStream extends AsyncIterableIterator<string>, Pick<ChunkBatches, 'nextBatch' | 'offer'> {
  /** Resolves when the first chunk has arrived; rejects when the answer failed before it. */
  start(): Promise<void>
}

/**
 * Reads a source no faster than its own reader. Chunks that arrived before a failure are returned before it is thrown.
 * A comment counts as a chunk for the time between two chunks, but is not the first one.
 */
export function createChunkStream({ source, timeouts, mapError }: ChunkStreamDeps): ChunkStream {
  let buffer: ChunkBatch = []
  let position = 0
  let state: 'open' | 'done' | 'failed' = 'open'
  let failure: unknown
  let hasStarted = false

  async function fill(): Promise<void> {
    timeouts.startWaiting()
    try {
      while (position >= buffer.length) {
        const chunks = await source.next()
        if (chunks === undefined) {
          state = 'done'
          return timeouts.clear()
        }
        const [first = ''] = chunks
        if (!hasStarted && typeof first === 'string' && isComment(first)) continue
        buffer = chunks
        position = 0
      }
      hasStarted = true
      timeouts.stopWaiting()
    } catch (cause) {
      state = 'failed'
      failure = mapError(cause)
      timeouts.clear()
      source.cancel(failure)
    }
  }

  /** For a reader that takes one chunk after the other. */
  function takeText(): string {
    buffer = textsOf(buffer.slice(position))
    position = 1
    return buffer[0] as string
  }

  const stream: ChunkStream = {
    async start() {
      await fill()
      if (state === 'failed') throw failure
    },
    async next() {
      if (position >= buffer.length && state === 'open') await fill()
      if (position < buffer.length) return { value: takeText(), done: false }
      if (state === 'failed') throw failure
      return { value: undefined, done: true }
    },
    async nextBatch() {
      if (position >= buffer.length && state === 'open') await fill()
      if (position < buffer.length) {
        const batch = position === 0 ? buffer : buffer.slice(position)
        position = buffer.length
        return batch
      }
      if (state === 'failed') throw failure
      return undefined
    },
    offer(take) {
      source.offer?.((events) => {
        if (!take(events)) return false
        timeouts.stopWaiting()
        timeouts.startWaiting()
        return true
      })
    },
    async return() {
      buffer = []
      if (state === 'open') {
        state = 'done'
        timeouts.clear()
        source.cancel(new Error('The answer is no longer read.'))
      }
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}
