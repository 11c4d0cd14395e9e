import type { ChunkBatch, ChunkEvents } from './chunk-events.ts'

/** The chunks of a stream for a reader that takes as many as there are. */
export interface ChunkBatches {
  /** What has arrived, at least one chunk or comment; undefined after the last. Rejects like the stream, after what arrived before. */
  nextBatch(): Promise<ChunkBatch | undefined>
  /**
   * From now on, chunks that arrive while `nextBatch` is pending are offered to `take` first, as soon as their bytes are there
   * and if they pass as they are. What it takes (true) is in no batch. Absent: nothing is offered.
   */
  offer?: ((take: TakeEvents) => void) | undefined
  /** Stops the stream, if it has not ended. A pending `nextBatch` may reject. */
  stop(): void
}

export type TakeEvents = (events: ChunkEvents) => boolean

/** What a stream may have beside its texts. */
export type BatchSource = Partial<Pick<ChunkBatches, 'nextBatch' | 'offer'>>

/** The batches of a stream: those of a source that has them, as a function of its own, otherwise its texts one by one. */
export function batchesOf(texts: AsyncIterable<string> & BatchSource): ChunkBatches {
  const iterator = texts[Symbol.asyncIterator]()
  const nextOne = async (): Promise<ChunkBatch | undefined> => {
    const { value, done } = await iterator.next()
    return done === true ? undefined : [value]
  }
  return {
    nextBatch: texts.nextBatch ?? nextOne,
    offer: texts.offer,
    stop: () => void iterator.return?.().catch(() => undefined),
  }
}
