import { PurserError } from '../../errors.ts'
import { hasError, hasFinishReason } from '../../openai/sniff-chunk.ts'
import { DONE, SseParser } from '../../openai/sse.ts'
import type { TextSource } from '../text-stream.ts'
import { parse } from './errors.ts'
import type { ByteReader } from './http-call.ts'

export interface ChunkSourceOptions {
  readonly provider: string
  readonly body: ByteReader
  readonly maxEventBytes: number
  /** The error that an event is, if it is one. */
  readonly faultIn: (text: string) => PurserError | undefined
}

/**
 * The texts of a streamed answer. It is whole when it ended with `[DONE]`, or without it after a finish reason; an
 * answer that ends otherwise was cut, and says so. Chunks are passed on unparsed, except one that may be an error.
 */
export function createChunkSource({ provider, body, maxEventBytes, faultIn }: ChunkSourceOptions): TextSource {
  const parser = new SseParser({ maxEventBytes })
  let finished = false
  let done = false
  let fault: PurserError | undefined

  /** The events before one that ends or fails the answer. */
  function sift(events: string[]): string[] {
    for (let place = 0; place < events.length; place++) {
      const text = events[place] as string
      if (text === DONE) {
        done = true
        body.discard()
      } else fault = faultOf(text)
      if (done || fault !== undefined) return events.slice(0, place)
      if (!finished && hasFinishReason(text)) finished = true
    }
    return events
  }

  function faultOf(text: string): PurserError | undefined {
    if (hasError(text)) return faultIn(text)
    return text.startsWith('{') ? undefined : failed('sent something that is not a chunk')
  }

  /** Many servers leave out the last empty line; an event that was cut in the middle is not one. */
  function endOfBytes(): string[] {
    const rest = parser.end()
    const texts = rest === DONE || (rest !== undefined && parse(rest) !== undefined) ? sift([rest]) : []
    if (!done && fault === undefined && !finished) fault = failed('cut its answer')
    done = true
    return texts
  }

  function failed(what: string): PurserError {
    return new PurserError('upstream_failed', `The provider '${provider}' ${what}.`)
  }

  return {
    async next() {
      if (fault !== undefined) throw fault
      if (done) return undefined
      const bytes = await body.read()
      return bytes === undefined ? endOfBytes() : sift(parser.push(bytes))
    },
    stop: (reason) => body.cancel(reason),
  }
}
