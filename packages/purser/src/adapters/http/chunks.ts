import { PurserError } from '../../errors.ts'
import { tellsError, tellsFinish } from '../../model/scan.ts'
import { createSseParser, DONE } from '../../wire/sse.ts'
import type { ByteReader } from './exchange.ts'
import { parse } from './failure.ts'
import type { Patience } from './patience.ts'

export interface ChunkSource {
  readonly provider: string
  readonly body: ByteReader
  readonly patience: Patience
  readonly maxEventBytes: number
  /** The error that an event is, if it is one. */
  readonly faultIn: (text: string) => PurserError | undefined
  /** An error as the caller shall see it: an abort's own reason, or what the network said. */
  readonly explain: (cause: unknown) => unknown
}

/** Chunks of an answer that has begun: `begin` resolves when the first one is there. */
export interface ChunkStream extends AsyncIterableIterator<string> {
  begin(): Promise<void>
}

/**
 * The texts of a streamed answer. It is clean when it ended with `[DONE]`, or without it after a finish reason; an
 * answer that ends otherwise was cut, and says so. Chunks are passed on unparsed, except one that may be an error.
 */
export function chunksFrom(source: ChunkSource): ChunkStream {
  const { body, patience, provider } = source
  const parser = createSseParser({ maxEventBytes: source.maxEventBytes })
  let ready: string[] = []
  let at = 0
  let finished = false
  let state: 'open' | 'done' | 'failed' = 'open'
  let failure: unknown

  /** Events before one that ends or fails the answer are still told. */
  function take(events: string[]): void {
    ready = events
    at = 0
    for (let place = 0; place < events.length; place++) {
      const text = events[place] as string
      const error = text === DONE ? undefined : faultIn(text)
      if (text === DONE || error !== undefined) events.length = place
      if (error !== undefined) throw error
      if (text === DONE) end()
      else if (!finished && tellsFinish(text)) finished = true
    }
  }

  function faultIn(text: string): PurserError | undefined {
    if (tellsError(text)) return source.faultIn(text)
    if (text.startsWith('{')) return undefined
    return new PurserError('upstream_failed', `The provider '${provider}' sent something that is not a chunk.`)
  }

  function end(): void {
    state = 'done'
    patience.end()
    body.discard()
  }

  function endOfBytes(): void {
    const rest = parser.end()
    if (rest === DONE) take([rest])
    else if (rest !== undefined && parse(rest) !== undefined) take([rest])
    if (state === 'open') {
      if (!finished) throw new PurserError('upstream_failed', `The provider '${provider}' cut its answer.`)
      end()
    }
  }

  async function fill(): Promise<void> {
    patience.wait()
    try {
      while (state === 'open' && at >= ready.length) {
        const bytes = await body.read()
        if (bytes === undefined) endOfBytes()
        else take(parser.push(bytes))
      }
      patience.served()
    } catch (cause) {
      fail(source.explain(cause))
    }
  }

  /** What came before the failure is still told; the failure follows it. */
  function fail(reason: unknown): void {
    state = 'failed'
    failure = reason
    patience.end()
    body.cancel(reason)
  }

  function present(): IteratorResult<string> | undefined {
    if (at < ready.length) return { value: ready[at++] as string, done: false }
    if (state === 'done') return { value: undefined, done: true }
    return undefined
  }

  const stream: ChunkStream = {
    async begin() {
      await fill()
      if (state === 'failed' && ready.length === 0) throw failure
    },
    async next() {
      let result = present()
      if (result === undefined && state === 'open') {
        await fill()
        result = present()
      }
      if (result === undefined) throw failure
      return result
    },
    async return() {
      ready = []
      if (state === 'open') {
        state = 'done'
        patience.end()
        body.cancel(new Error('The reader has left.'))
      }
      return { value: undefined, done: true }
    },
    [Symbol.asyncIterator]: () => stream,
  }
  return stream
}
