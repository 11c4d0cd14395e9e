import type { ChunkTimeouts } from './http/timeouts.ts'

/** Where the texts of an answer come from. */
export interface TextSource {
  /** The next texts, none or more; undefined after the last one of a whole answer. Throws when it failed or was cut. */
  next(): Promise<readonly string[] | undefined>
  /** Stops what is under way. */
  stop(reason: unknown): void
}

export interface TextStreamOptions {
  readonly source: TextSource
  readonly patience: ChunkTimeouts
  /** An error as the caller shall see it: an abort's own reason, or what the network said. */
  readonly explain: (cause: unknown) => unknown
}

/** The texts of an answer, one by one, for one reader. */
export interface TextStream extends AsyncIterableIterator<string> {
  /** Resolves when the first text is there; rejects when the answer failed before it. */
  begin(): Promise<void>
}

/** Reads a source no faster than it is read itself. Texts that came before a failure are told before it is thrown. */
export function createTextStream({ source, patience, explain }: TextStreamOptions): TextStream {
  let ready: readonly string[] = []
  let at = 0
  let state: 'open' | 'done' | 'failed' = 'open'
  let failure: unknown

  async function fill(): Promise<void> {
    patience.wait()
    try {
      while (at >= ready.length) {
        const texts = await source.next()
        if (texts === undefined) {
          state = 'done'
          return patience.end()
        }
        ready = texts
        at = 0
      }
      patience.served()
    } catch (cause) {
      state = 'failed'
      failure = explain(cause)
      patience.end()
      source.stop(failure)
    }
  }

  const stream: TextStream = {
    async begin() {
      await fill()
      if (state === 'failed') throw failure
    },
    async next() {
      if (at >= ready.length && state === 'open') await fill()
      if (at < ready.length) return { value: ready[at++] as string, done: false }
      if (state === 'failed') throw failure
      return { value: undefined, done: true }
    },
    async return() {
      ready = []
      if (state === 'open') {
        state = 'done'
        patience.end()
        source.stop(new Error('The reader has left.'))
      }
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}
