import { type ServerSentEvent, SseEventTooLargeError, SseParser } from '../../core/sse.ts'
import { PurserError } from '../../errors.ts'
import { hasError, hasFinishReason } from '../../openai/sniff-chunk.ts'
import { DONE } from '../../openai/sse.ts'
import type { ChunkSource } from '../chunk-stream.ts'
import { parseJson } from './errors.ts'
import type { ByteReader } from './http-call.ts'

export interface SseChunkSourceDeps {
  readonly provider: string
  readonly body: ByteReader
  readonly maxEventBytes: number
  /** The error that an event carries, if it is one. */
  readonly parseError: (data: string) => PurserError | undefined
}

/**
 * Reads the chunks of a streamed answer as JSON text, unparsed except for one that may be an error. The answer is
 * complete when it ended with `[DONE]`, or after a finish reason without it; otherwise `next` throws `upstream_failed`.
 */
export function createSseChunkSource({ provider, body, maxEventBytes, parseError }: SseChunkSourceDeps): ChunkSource {
  const parser = new SseParser({ maxEventBytes })
  let isFinished = false
  let isDone = false
  let failure: PurserError | undefined

  /** The chunks before the event that ends or fails the answer. */
  function chunksOf(events: readonly ServerSentEvent[]): string[] {
    const chunks: string[] = []
    for (const { data } of events) {
      if (data === DONE) {
        isDone = true
        body.discard()
        return chunks
      }
      failure = errorIn(data)
      if (failure !== undefined) return chunks
      isFinished ||= hasFinishReason(data)
      chunks.push(data)
    }
    return chunks
  }

  function errorIn(data: string): PurserError | undefined {
    if (hasError(data)) return parseError(data)
    return data.startsWith('{') ? undefined : upstreamFailed('sent an event that is not a chunk')
  }

  function parseBytes(bytes: Buffer): ServerSentEvent[] {
    try {
      return parser.push(bytes)
    } catch (cause) {
      if (!(cause instanceof SseEventTooLargeError)) throw cause
      throw new PurserError('upstream_failed', `The provider sent an event of more than ${maxEventBytes} bytes.`)
    }
  }

  /** Many servers omit the last empty line. A last event that is not complete JSON was cut in the middle. */
  function lastChunks(): string[] {
    const rest = parser.end()
    const isWhole = rest !== undefined && (rest.data === DONE || parseJson(rest.data) !== undefined)
    const chunks = isWhole ? chunksOf([rest]) : []
    if (!isDone && failure === undefined && !isFinished) failure = upstreamFailed('cut its answer')
    isDone = true
    return chunks
  }

  function upstreamFailed(reason: string): PurserError {
    return new PurserError('upstream_failed', `The provider '${provider}' ${reason}.`)
  }

  return {
    async next() {
      if (failure !== undefined) throw failure
      if (isDone) return undefined
      const bytes = await body.read()
      return bytes === undefined ? lastChunks() : chunksOf(parseBytes(bytes))
    },
    cancel: (reason) => body.cancel(reason),
  }
}
