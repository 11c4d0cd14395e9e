/** The texts of a stream for a reader that takes as many as there are. */
export interface ChunkBatches {
  /** The texts that have arrived, at least one; undefined after the last. Rejects like the stream, after what arrived before. */
  nextBatch(): Promise<readonly string[] | undefined>
  /** Stops the stream, if it has not ended. A pending `nextBatch` may reject. */
  stop(): void
}

/** The batches of a stream: those of a source that has them, as a function of its own, otherwise its texts one by one. */
export function batchesOf(texts: AsyncIterable<string> & Partial<Pick<ChunkBatches, 'nextBatch'>>): ChunkBatches {
  const iterator = texts[Symbol.asyncIterator]()
  const nextOne = async (): Promise<readonly string[] | undefined> => {
    const { value, done } = await iterator.next()
    return done === true ? undefined : [value]
  }
  return {
    nextBatch: texts.nextBatch ?? nextOne,
    stop: () => void iterator.return?.().catch(() => undefined),
  }
}
