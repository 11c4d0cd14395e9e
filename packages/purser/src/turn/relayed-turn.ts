import type { ServerResponse } from 'node:http'
import type { Context } from '../context/api.ts'
import { type JsonObject, readJsonObject } from '../core/json-object.ts'
import { type ServerSentEvent, SseEventTooLargeError, SseParser } from '../core/sse.ts'
import { PurserError } from '../errors.ts'
import type { Admitted } from '../ledger/decide/admission.ts'
import type { Usage } from '../openai/chat.ts'
import { cachedTokensOf, cacheWriteTokensOf, type TokenCounts, tokenCountOf } from '../openai/completion.ts'
import type { EndpointAnswer } from '../openai/endpoint.ts'
import { toErrorResponse } from '../openai/error-response.ts'
import { textBytesOfMembers, tokensOfDelta } from '../openai/estimate-tokens.ts'
import { findEndpointError } from '../openai/find-endpoint-error.ts'
import { hasUsage } from '../openai/sniff-chunk.ts'
import { ToolCalls } from '../openai/tool-calls.ts'
import type { Settings } from '../runtime/api.ts'
import type { EndpointCall } from './endpoint-call.ts'
import { answerHeaders, drained, type HeaderFields, requestIdOf } from './http-response.ts'
import { chooseLimit } from './options.ts'
import { ReaderWatch } from './reader-watch.ts'
import type { TurnRequest } from './turn-request.ts'
import type { TurnOutcome, TurnRun } from './turn-run.ts'

/** One event of a relayed stream; an image in it may be large. */
const EVENT_MAX_BYTES = 33_554_432

interface RelayedAnswer {
  readonly call: EndpointCall
  readonly settings: Settings
  readonly context: Context | undefined
  readonly answer: EndpointAnswer
  /** An estimate, for an answer that was cut before its usage. */
  readonly inputTokens: number
}

/**
 * A turn whose answer passes from the upstream to the client in the format of its endpoint. It must be read with `pipe`
 * or cancelled.
 */
export class RelayedTurn implements AsyncDisposable {
  readonly admission: Admitted
  readonly headers: Readonly<Record<string, string>>
  readonly #run: TurnRun<TurnRequest>
  readonly #call: EndpointCall
  readonly #answer: EndpointAnswer
  readonly #inputTokens: number
  readonly #isEvents: boolean
  #usage: Usage | undefined
  #deliveredTokens = 0
  readonly #toolCalls: ToolCalls
  #isComplete = false
  #isFinished = false
  /** What the provider reported behind the beginning of its answer. */
  #failure: unknown

  constructor(run: TurnRun<TurnRequest>, { call, settings, context, answer, inputTokens }: RelayedAnswer) {
    const { contentType } = answer
    this.#run = run
    this.#call = call
    this.#answer = answer
    this.#inputTokens = inputTokens
    this.#toolCalls = new ToolCalls(call.toolCalls?.tools)
    this.#isEvents = /^text\/event-stream\b/i.test(contentType)
    this.admission = run.admission
    run.trace.beginAnswer(true)
    const facts = { settings, context, cache: 'off', admission: run.admission, overheadMs: run.trace.overheadMs }
    this.headers = {
      ...(contentType === '' ? {} : { 'content-type': contentType }),
      'cache-control': 'private, no-store',
      ...(this.#isEvents ? { 'x-accel-buffering': 'no' } : {}),
      ...answerHeaders(facts, {
        isReplay: false,
        rates: run.rates,
        now: run.deps.effects.now(),
        attempts: run.attempts,
      }),
    }
  }

  /**
   * Writes the answer to a Node response at the reader's pace, until the reader leaves. Rejects when the answer breaks
   * before a header was sent; a stream that breaks later ends with an error frame, any other answer is cut.
   *
   * @param more headers beside those of the answer
   */
  async pipe(response: ServerResponse, more: HeaderFields = {}): Promise<void> {
    const headers = { ...more, ...this.headers }
    if (this.#isEvents) await this.#pipeEvents(response, headers)
    else if (/\bjson\b/i.test(this.#answer.contentType)) await this.#pipeJson(response, headers)
    else await this.#pipeBytes(response, headers)
  }

  async cancel(): Promise<void> {
    this.#end('cancelled')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel()
  }

  async #pipeJson(response: ServerResponse, headers: HeaderFields): Promise<void> {
    const body = await this.#readJson().catch((error: unknown) => {
      this.#run.giveBack(error)
      throw error
    })
    response.writeHead(200, { ...headers, 'content-length': String(Buffer.byteLength(body)) }).end(body)
    this.#end('completed')
  }

  /** The whole answer as the client gets it. */
  async #readJson(): Promise<string> {
    const pieces: Buffer[] = []
    for await (const bytes of this.#answer.bytes) pieces.push(bytes)
    const text = await this.#readText(Buffer.concat(pieces).toString())
    return this.#finish(text)
  }

  async #pipeBytes(response: ServerResponse, headers: HeaderFields): Promise<void> {
    response.writeHead(200, headers)
    await this.#write(response, this.#answer.bytes, () => response.destroy())
  }

  async #pipeEvents(response: ServerResponse, headers: HeaderFields): Promise<void> {
    response.writeHead(200, headers)
    await this.#write(response, this.#frames(), (error) => {
      const { error: body } = toErrorResponse(error, { requestId: requestIdOf(response, headers) }).body
      response.end(this.#call.formatError(body))
    })
  }

  async #write(
    response: ServerResponse,
    pieces: AsyncIterable<string | Buffer>,
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    const onClose = (): void => {
      if (!response.writableFinished) this.#end('cancelled')
    }
    response.on('close', onClose)
    const watch = this.#watchReader(response)
    try {
      for await (const piece of pieces) {
        if (response.destroyed) break
        if (response.write(piece)) continue
        watch.waitForReader()
        await drained(response)
        watch.stopWaiting()
      }
      if (response.destroyed) return
      response.end()
      this.#end(this.#failure === undefined ? 'completed' : 'failed', this.#failure)
    } catch (error) {
      if (!response.destroyed) onFailure(error)
      this.#end('failed', error)
    } finally {
      watch.end()
      response.off('close', onClose)
      this.#end('cancelled')
    }
  }

  /** A reader that takes nothing for too long is left. */
  #watchReader(response: ServerResponse): ReaderWatch {
    const { deps, options } = this.#run
    const watch = new ReaderWatch({
      effects: deps.effects,
      deadlines: deps.readerDeadlines,
      timeoutMs: chooseLimit(options.readerTimeoutMs, deps.limits.readerTimeoutMs),
      onTimeout: () => {
        this.#end('cancelled')
        response.destroy()
      },
    })
    watch.stopWaiting()
    return watch
  }

  /** The events as the client gets them; bytes that complete none, such as comments, become a comment. */
  async *#frames(): AsyncGenerator<string> {
    const parser = new SseParser({ maxEventBytes: EVENT_MAX_BYTES })
    for await (const bytes of this.#answer.bytes) {
      const events = parseEvents(parser, bytes)
      if (events.length > 0) yield* this.#format(events)
      else if (parser.takeComment() !== undefined) yield ':\n\n'
    }
    const rest = parser.end()
    if (rest !== undefined) yield formatEvent(rest, await this.#readEvent(rest))
    if (this.#call.isLast !== undefined && !this.#isComplete && this.#failure === undefined) {
      throw new PurserError('upstream_failed', 'The provider cut its answer.')
    }
  }

  /** All events at once; what precedes the last event of an answer does not wait for that to be finished. */
  async *#format(events: readonly ServerSentEvent[]): AsyncGenerator<string> {
    let frames = ''
    for (const event of events) {
      const read = this.#readEvent(event)
      const data = typeof read === 'string' ? read : await read
      if (this.#isToFinish) {
        if (frames !== '') yield frames
        frames = formatEvent(event, await this.#finish(data))
      } else frames += formatEvent(event, data)
    }
    yield frames
  }

  /** The data of an event as the client gets it; a promise for a large one. */
  #readEvent(event: ServerSentEvent): string | Promise<string> {
    const { isLast, textMembers } = this.#call
    if (isLast?.(event) === true) this.#isComplete = true
    this.#deliveredTokens += tokensOfDelta(textBytesOfMembers(event.data, textMembers))
    const error = findEndpointError(event.data, event.event)
    if (error === undefined) return this.#readText(event.data)
    this.#failure ??= this.#answer.createError(error)
    return this.#readText(this.#answer.redact(event.data))
  }

  /** The answer, or the data of an event, as the client gets it. Most events have nothing to be read. */
  #readText(text: string): string | Promise<string> {
    const { toolCalls, inside } = this.#call
    const isRewritten = this.#call.isRewritten(text)
    const hasCalls = toolCalls !== undefined && text.includes(toolCalls.mark)
    const withUsage = hasUsage(text)
    if (!isRewritten && !hasCalls && !withUsage) return text
    const json = openJson(text, inside)
    const read = (opened: JsonObject | undefined): string | Promise<string> => {
      if (opened === undefined) return text
      if (withUsage) this.#readUsage(opened)
      const counted = hasCalls ? this.#countToolCalls(opened) : undefined
      const rewritten = isRewritten ? this.#call.rewrite(opened) : text
      return counted === undefined ? rewritten : counted.then(() => rewritten)
    }
    return json instanceof Promise ? json.then(read) : read(json)
  }

  /** Whether the last event of the answer has just been read. */
  get #isToFinish(): boolean {
    return this.#isComplete && !this.#isFinished && this.#failure === undefined && this.#call.finish !== undefined
  }

  async #finish(json: string): Promise<string> {
    this.#isFinished = true
    const { finish } = this.#call
    const { incarnation } = this.#run
    return finish === undefined || incarnation === undefined ? json : finish(json, { incarnation })
  }

  #readUsage(json: JsonObject): void {
    const usage = json.get('usage', { isInside: json.has('usage', { isInside: true }) })
    this.#usage = mergeUsage(this.#usage, this.#call.readUsage(usage))
  }

  /** A promise if the calls are large. */
  #countToolCalls(json: JsonObject): Promise<void> | undefined {
    const { toolCalls } = this.#call
    if (toolCalls === undefined) return undefined
    const add = (values: Readonly<Record<string, unknown>>): void => this.#toolCalls.add(toolCalls.list(values))
    const values = json.pick(toolCalls.members)
    if (values instanceof Promise) return values.then(add)
    add(values)
    return undefined
  }

  #end(outcome: TurnOutcome, error?: unknown): void {
    const { total } = this.#toolCalls
    const usage = this.#countTokens(outcome)
    this.#run.end(outcome, { cache: 'off', usage, toolCalls: total, tools: this.#toolCalls.list(), error })
  }

  #countTokens(outcome: TurnOutcome): TokenCounts {
    const usage = this.#usage
    if (outcome === 'completed') return usage ?? NO_TOKENS
    return {
      prompt_tokens: tokenCountOf(usage?.prompt_tokens) || this.#inputTokens,
      completion_tokens: Math.max(tokenCountOf(usage?.completion_tokens) ?? 0, this.#deliveredTokens),
      prompt_tokens_details: usage?.prompt_tokens_details,
    }
  }
}

/** Undefined for what is no JSON object; a promise for a large text. */
function openJson(text: string, inside: string | undefined): ReturnType<typeof readJsonObject> {
  const notJson = (cause: unknown): never => {
    throw new PurserError('upstream_failed', 'The provider sent an answer that is not JSON.', { cause })
  }
  try {
    const json = readJsonObject(text, inside)
    return json instanceof Promise ? json.catch(notJson) : json
  } catch (cause) {
    return notJson(cause)
  }
}

/** The model was asked, and reported nothing. */
const NO_TOKENS: TokenCounts = { prompt_tokens: 0, completion_tokens: 0 }

function parseEvents(parser: SseParser, bytes: Buffer): readonly ServerSentEvent[] {
  try {
    return parser.push(bytes)
  } catch (cause) {
    if (!(cause instanceof SseEventTooLargeError)) throw cause
    throw new PurserError('upstream_failed', `The provider sent an event of more than ${EVENT_MAX_BYTES} bytes.`)
  }
}

function formatEvent({ event }: ServerSentEvent, data: string): string {
  const name = event === 'message' ? '' : `event: ${event}\n`
  return `${name}data: ${data.replaceAll('\n', '\ndata: ')}\n\n`
}

/** Later reports complete earlier ones: counts only rise. */
function mergeUsage(current: Usage | undefined, next: Usage | undefined): Usage | undefined {
  if (current === undefined || next === undefined) return next ?? current
  const prompt_tokens = Math.max(current.prompt_tokens, next.prompt_tokens)
  const completion_tokens = Math.max(current.completion_tokens, next.completion_tokens)
  const cached_tokens = Math.max(cachedTokensOf(current) ?? 0, cachedTokensOf(next) ?? 0)
  const cache_write_tokens = Math.max(cacheWriteTokensOf(current) ?? 0, cacheWriteTokensOf(next) ?? 0)
  return {
    ...current,
    ...next,
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens, cache_write_tokens },
  }
}
