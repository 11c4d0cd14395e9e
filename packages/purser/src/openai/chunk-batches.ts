import type { ChunkBatch } from './chunk-events.ts'

/** The chunks of a stream for a reader that takes as many as there are. */
export interface ChunkBatches {
  /** What has arrived, at least one chunk or comment; undefined after the last. Rejects like the stream, after what arrived before. */
  nextBatch(): Promise<ChunkBatch | undefined>
  /** Stops the stream, if it has not ended. A pending `nextBatch` may reject. */
  stop(): void
}

/** The batches of a stream: those of a source that has them, as a function of its own, otherwise its texts one by one. */
export function batchesOf(texts: AsyncIterable<string> & Partial<Pick<ChunkBatches, 'nextBatch'>>): ChunkBatches {
  const iterator = texts[Symbol.asyncIterator]()
  const nextOne = async (): Promise<ChunkBatch | undefined> => {
    const { value, done } = await iterator.next()
    return done === true ? undefined : [value]
  }
  return {
    nextBatch: texts.nextBatch ?? nextOne,
    stop: () => void iterator.return?.().catch(() => undefined),
  }
}
