import { isUtf8 } from 'node:buffer'
import { parseLargeJson } from '../../core/parse-json-in-steps.ts'
import { type ServerSentEvent, SseEventTooLargeError, SseParser } from '../../core/sse.ts'
import { isObject } from '../../core/validate.ts'
import { PurserError } from '../../errors.ts'
import { type ChunkBatch, ChunkEvents, DATA, END_OF_EVENT } from '../../openai/chunk-events.ts'
import { ChunkShape } from '../../openai/chunk-shape.ts'
import { finishReasonOf } from '../../openai/completion.ts'
import { tokensOfDelta } from '../../openai/estimate-tokens.ts'
import { findError } from '../../openai/find-error.ts'
import { ChunkNormalizer } from '../../openai/normalize-chunk.ts'
import { DONE } from '../../openai/sse.ts'
import type { ChunkSource } from '../chunk-stream.ts'
import { parseJson } from './errors.ts'
import type { ByteReader } from './http-call.ts'

export interface SseChunkSourceDeps {
  readonly provider: string
  readonly body: ByteReader
  readonly maxEventBytes: number
  /** For tool calls to which the upstream gives no id. */
  readonly createId: () => string
  /** The error for what an event says in its `error`. */
  readonly createError: (error: unknown) => PurserError
}

/** Signs of life without a text of their own, such as empty events. */
const EMPTY_COMMENT = ':'

type Pieces = (string | ChunkEvents)[]

/**
 * Reads the chunks of a streamed answer, in the form that OpenAI documents. Chunks of the shape of an earlier one are found
 * in the bytes and pass as they are; any other is parsed, and is written again only if it had to be changed. The answer is complete
 * when it ended with `[DONE]`, or after a finish reason without it, and had a choice; otherwise, and after an error in
 * an event, `next` throws. Comments and events without content become a comment.
 */
export function createSseChunkSource(deps: SseChunkSourceDeps): ChunkSource {
  const { body, maxEventBytes } = deps
  const parser = new SseParser({ maxEventBytes })
  const reader = new EventReader(deps)
  /** Whether the current bytes had events. */
  let hasEvents = false
  /** Events that are read in steps, and those behind them. */
  let waiting: ServerSentEvent[] = []

  function parseBytes(bytes: Buffer): ServerSentEvent[] {
    try {
      return parser.push(bytes)
    } catch (cause) {
      if (!(cause instanceof SseEventTooLargeError)) throw cause
      throw new PurserError('upstream_failed', `The provider sent an event of more than ${maxEventBytes} bytes.`)
    }
  }

  function parse(bytes: Buffer, pieces: Pieces): void {
    if (bytes.length === 0 || reader.hasEnded) return
    const events = parseBytes(bytes)
    hasEvents ||= events.length > 0
    const firstWaiting = waiting.length > 0 ? 0 : events.findIndex(isLarge)
    pieces.push(...reader.read(firstWaiting === -1 ? events : events.slice(0, firstWaiting)))
    if (firstWaiting !== -1) waiting.push(...events.slice(firstWaiting))
  }

  async function readWaiting(pieces: Pieces): Promise<ChunkBatch> {
    const events = waiting
    waiting = []
    for (const event of events) {
      if (!reader.hasEnded) pieces.push(...reader.read([event], await parseInSteps(event)))
    }
    return complete(pieces)
  }

  /** Parses up to the end of an event that the network has cut, and returns the rest. */
  function completeEvent(bytes: Buffer, pieces: Pieces): Buffer {
    const end = bytes.indexOf(END_OF_EVENT)
    const cut = end === -1 ? bytes.length : end + END_OF_EVENT.length
    parse(bytes.subarray(0, cut), pieces)
    return bytes.subarray(cut)
  }

  function canPass(): boolean {
    return parser.isBetweenEvents && waiting.length === 0 && !reader.hasEnded
  }

  function read(bytes: Buffer): ChunkBatch | Promise<ChunkBatch> {
    const pieces: Pieces = []
    hasEvents = false
    let rest = parser.isBetweenEvents ? bytes : completeEvent(bytes, pieces)
    if (canPass()) rest = reader.pass(rest, pieces)
    parse(rest, pieces)
    return waiting.length > 0 ? readWaiting(pieces) : complete(pieces)
  }

  function complete(pieces: Pieces): ChunkBatch {
    if (reader.isDone) body.discard()
    const comment = parser.takeComment() ?? (hasEvents ? EMPTY_COMMENT : undefined)
    if (pieces.length > 0 || reader.hasEnded || comment === undefined) return pieces
    return [comment]
  }

  return {
    async next() {
      if (reader.failure !== undefined) throw reader.failure
      if (reader.isDone) return undefined
      const bytes = await body.read()
      if (bytes !== undefined) return read(bytes)
      const rest = parser.end()
      return reader.end(rest, rest !== undefined && isLarge(rest) ? await parseInSteps(rest) : undefined)
    },
    offer(take) {
      body.offer?.((bytes) => {
        const events = canPass() ? reader.findEvents(bytes) : undefined
        return events !== undefined && reader.isPlain && events.bytes.length === bytes.length && take(events)
      })
    },
    cancel: (reason) => body.cancel(reason),
  }
}

/** What an event has as JSON; undefined for anything else. */
interface ParsedEvent {
  readonly value: unknown
}

/** A longer event is parsed in steps. */
const LARGE_CHARACTERS = 65_536

function isLarge({ data }: ServerSentEvent): boolean {
  return data.length > LARGE_CHARACTERS
}

async function parseInSteps({ data }: ServerSentEvent): Promise<ParsedEvent> {
  try {
    return { value: await parseLargeJson(data) }
  } catch {
    return { value: undefined }
  }
}

/** Reads the events of one answer. */
class EventReader {
  readonly #deps: SseChunkSourceDeps
  readonly #shape = new ChunkShape()
  readonly #normalizer: ChunkNormalizer
  #isFinished = false
  /** No more events are read. */
  isDone = false
  /** Why the answer failed. */
  failure: PurserError | undefined

  constructor(deps: SseChunkSourceDeps) {
    this.#deps = deps
    this.#normalizer = new ChunkNormalizer(deps)
  }

  get hasEnded(): boolean {
    return this.isDone || this.failure !== undefined
  }

  /** Whether chunks of the known shape pass as they are. */
  get isPlain(): boolean {
    return this.#shape.isPlain
  }

  /** Adds the chunks of the known shape with which bytes begin, and returns the rest of the bytes. */
  pass(bytes: Buffer, pieces: Pieces): Buffer {
    const events = this.findEvents(bytes)
    if (events === undefined) return bytes
    if (this.isPlain) pieces.push(events)
    else pieces.push(...events.texts)
    return bytes.subarray(events.bytes.length)
  }

  /** The chunks of the known shape with which bytes begin, as far as they are whole events, each with one line of data. */
  findEvents(bytes: Buffer): ChunkEvents | undefined {
    const shape = this.#shape
    const text = bytes.toString('latin1')
    const starts: number[] = []
    let end = 0
    let tokens = 0
    while (text.startsWith(DATA, end)) {
      const chunkEnd = shape.findEnd(text, end + DATA.length)
      const isWhole = chunkEnd !== -1 && text.startsWith(END_OF_EVENT, chunkEnd)
      if (!isWhole || chunkEnd - end > this.#deps.maxEventBytes) break
      starts.push(end)
      tokens += tokensOfDelta(shape.answerLength)
      end = chunkEnd + END_OF_EVENT.length
    }
    const passed = end === bytes.length ? bytes : bytes.subarray(0, end)
    if (end === 0 || !isUtf8(passed)) return undefined
    return new ChunkEvents({ bytes: passed, starts, head: shape.head, tokens })
  }

  /** The chunks up to the event that ends or fails the answer. `parsed`: of a single event. */
  read(events: readonly ServerSentEvent[], parsed?: ParsedEvent): string[] {
    const chunks: string[] = []
    for (const { event, data } of events) {
      if (this.#shape.findEnd(data, 0) === data.length) chunks.push(data)
      // White space includes a byte order mark, which some servers write before each event.
      else this.#parse(event, data.trim(), { chunks, parsed })
      if (this.hasEnded) break
    }
    return chunks
  }

  /** Many servers omit the last empty line. A last event that is not complete JSON was cut in the middle. */
  end(rest: ServerSentEvent | undefined, parsed?: ParsedEvent): string[] {
    const data = rest?.data.trim()
    const isWhole = data !== undefined && (data === DONE || jsonOf(data, parsed) !== undefined)
    const chunks = isWhole ? this.read([rest as ServerSentEvent], parsed) : []
    if (this.hasEnded) return chunks
    if (this.#isFinished) this.#finish()
    else this.failure = this.#failed('cut its answer')
    return chunks
  }

  #finish(): void {
    this.isDone = true
    if (!this.#normalizer.hasChoice) this.failure = this.#failed('sent an answer without content')
  }

  #parse(
    event: string,
    text: string,
    { chunks, parsed }: { readonly chunks: string[]; readonly parsed: ParsedEvent | undefined },
  ): void {
    if (text === '') return
    if (text === DONE) {
      this.#finish()
      return
    }
    const value = jsonOf(text, parsed)
    if (value === undefined) this.#failWithText(event, text)
    else if (Array.isArray(value)) {
      for (const item of value)
        if (this.failure === undefined) this.#readValue(item, { event, text: undefined, chunks })
    } else this.#readValue(value, { event, text, chunks })
  }

  /** Text that is no JSON is an error, unless the event has a name of its own, such as `ping`. */
  #failWithText(event: string, text: string): void {
    if (event === 'error') this.failure = this.#deps.createError(text)
    else if (event === 'message') this.failure = this.#failed('sent an event that is not a chunk')
  }

  /** Values that are no chunks, such as null and the progress reports of other protocols, are skipped. */
  #readValue(
    value: unknown,
    { event, text, chunks }: { readonly event: string; readonly text: string | undefined; readonly chunks: string[] },
  ): void {
    if (!isObject(value)) return
    const error = findError(value) ?? (event === 'error' && value.choices === undefined ? value : undefined)
    if (error !== undefined) {
      this.failure = this.#deps.createError(error)
      return
    }
    const normalized = this.#normalizer.normalize(value)
    if (normalized === undefined) return
    const { chunk, isChanged } = normalized
    this.#isFinished ||= finishReasonOf(chunk) !== null
    // One line: clients exist that read one line of data only.
    if (text === undefined || isChanged || text.includes('\n')) {
      this.#shape.forget()
      chunks.push(JSON.stringify(chunk))
    } else {
      this.#shape.learn(text)
      chunks.push(text)
    }
  }

  #failed(reason: string): PurserError {
    return new PurserError('upstream_failed', `The provider '${this.#deps.provider}' ${reason}.`)
  }
}

function jsonOf(text: string, parsed: ParsedEvent | undefined): unknown {
  return parsed === undefined ? parseJson(text) : parsed.value
}
