import type { ServerResponse } from 'node:http'
import type { TurnAnswer } from '../answers/turn-answers.ts'
import type { Context } from '../context/api.ts'
import { parseExactJson } from '../core/exact-json.ts'
import { readJsonObject } from '../core/json-object.ts'
import { stringifyJson } from '../core/json-pieces.ts'
import { parseLargeJson } from '../core/parse-json-in-steps.ts'
import { isObject } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { Admitted } from '../ledger/decide/admission.ts'
import type { ChatChunk, ChatCompletion, ChatRequest, Usage } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import { batchesOf, type ChunkBatches } from '../openai/chunk-batches.ts'
import { type ChunkBatch, ChunkEvents, textsOf } from '../openai/chunk-events.ts'
import { type TokenCounts, toChunks, tokenCountOf, usageOf } from '../openai/completion.ts'
import { estimateRequestTokens, textBytesOfChunk, tokensOfBytes, tokensOfDelta } from '../openai/estimate-tokens.ts'
import { ChunkMerger } from '../openai/merge-chunks.ts'
import { createHeadRewriter, createModelRewriter } from '../openai/rewrite-model.ts'
import { hasUsage } from '../openai/sniff-chunk.ts'
import { isComment } from '../openai/sse.ts'
import { TOOL_CALLS, ToolCalls, toolCallsIn, toolCallsOf } from '../openai/tool-calls.ts'
import type { Settings } from '../runtime/api.ts'
import { answerHeaders, pipeAnswer, type ReadableAnswer, toResponse } from './http-response.ts'
import { chooseLimit } from './options.ts'
import { ReaderWatch } from './reader-watch.ts'
import type { TurnRequest } from './turn-request.ts'
import type { CacheOutcome, TurnOutcome, TurnRun } from './turn-run.ts'

/**
 * A turn that was admitted and has an answer. The answer is read once: as `chunks`, `completion()`, `toResponse()` or
 * `pipe()`. A reader that stops early stops the model.
 */
export interface AnsweredTurn extends AsyncDisposable {
  readonly allowed: true
  readonly id: string
  readonly admission: Admitted
  readonly settings: Settings
  readonly context: Context
  readonly cache: CacheOutcome
  /** Time spent in Purser before the first byte of the answer, ms, without the wait for the model. */
  readonly overheadMs: number
  /**
   * The answer as OpenAI chunks.
   *
   * @throws {PurserError} `turn_consumed`; `upstream_failed` or `upstream_timeout` when the upstream cut its answer
   */
  readonly chunks: AsyncIterable<ChatChunk>
  /**
   * The answer as one OpenAI completion.
   *
   * @throws {PurserError} as `chunks`
   */
  completion(): Promise<ChatCompletion>
  /** The answer as a web `Response`: server-sent events if the request asked to stream, otherwise JSON. */
  toResponse(): Response
  /**
   * Writes the same to a Node response. Resolves when everything is written or the client has left.
   *
   * @param headers headers of the application, which those of the answer replace
   */
  pipe(response: ServerResponse, headers?: Readonly<Record<string, string>>): Promise<void>
  /** Stops the upstream and releases everything. Does nothing when the turn has ended. */
  cancel(): Promise<void>
}

/** A longer completion or chunk is read in steps. */
const LARGE_CHARACTERS = 65_536

function isLarge(piece: string | ChunkEvents): boolean {
  return typeof piece === 'string' && piece.length > LARGE_CHARACTERS
}

const CONSUMED = 'The answer of this turn was already read.'
const CANCELLED = 'The turn was cancelled, or its answer was not read in time.'

/** An answer that has begun, and what it was made from. */
export interface BegunAnswer {
  readonly request: ChatRequest
  readonly settings: Settings
  readonly context: Context
  readonly answer: TurnAnswer
}

/** Reads the answer of a turn once, in one of its forms, and ends the turn with it. */
export class TurnReader implements AnsweredTurn, ReadableAnswer {
  readonly allowed = true
  readonly admission: Admitted
  readonly settings: Settings
  readonly context: Context
  readonly cache: CacheOutcome
  readonly overheadMs: number
  readonly streams: boolean
  readonly headers: Readonly<Record<string, string>>
  readonly #run: TurnRun<TurnRequest>
  readonly #request: ChatRequest
  readonly #answer: ChatAnswer
  readonly #rewriteModel: (text: string) => string
  readonly #rewriteHead: (head: string) => string | undefined
  readonly #watch: ReaderWatch
  /** In the table of turns that wait for their reader. */
  readonly #unreadKey: number
  #onReaderTimeout: (() => void) | undefined
  /** Why the answer can no longer be read. */
  #consumed: string | undefined
  #hasEnded = false
  #batches: ChunkBatches | undefined
  #hasDelivered = false
  #usage: Usage | undefined
  /** Estimated tokens of what the reader got. */
  #deliveredTokens = 0
  readonly #toolCalls: ToolCalls

  constructor(run: TurnRun<TurnRequest>, turn: BegunAnswer) {
    const { effects, limits, readerDeadlines: deadlines } = run.deps
    const { model, stream } = turn.request
    this.#run = run
    this.#request = turn.request
    this.#answer = turn.answer.answer
    const isEchoed = model !== undefined && model !== null
    this.#rewriteModel = isEchoed ? createModelRewriter(model) : unchanged
    this.#rewriteHead = isEchoed && this.#answer.kind === 'stream' ? createHeadRewriter(model) : unchanged
    this.#toolCalls = new ToolCalls(turn.request.tools)
    this.admission = run.admission
    this.settings = turn.settings
    this.context = turn.context
    this.cache = turn.answer.source
    run.trace.beginAnswer(this.cache === 'miss' || this.cache === 'off')
    this.overheadMs = run.trace.overheadMs
    this.streams = stream === true
    this.headers = answerHeaders(this, {
      isReplay: turn.answer.isReplay,
      rates: run.rates,
      now: effects.now(),
      attempts: run.attempts,
    })
    this.#unreadKey = run.deps.unreadTurns.add(this)
    const timeoutMs = chooseLimit(run.options.readerTimeoutMs, limits.readerTimeoutMs)
    this.#watch = new ReaderWatch({ effects, deadlines, timeoutMs, onTimeout: () => this.#leaveReader() })
  }

  get id(): string {
    return this.#run.trace.id
  }

  /** Of the user when the turn got its lease. */
  get incarnation(): number | undefined {
    return this.#run.incarnation
  }

  get chunks(): AsyncIterable<ChatChunk> {
    return { [Symbol.asyncIterator]: () => this.#chunks() }
  }

  async completion(): Promise<ChatCompletion> {
    this.#consume()
    const completion = (await parseLargeJson(await this.wholeText(), JSON.parse)) as ChatCompletion
    this.complete()
    return completion
  }

  toResponse(): Response {
    this.#consume()
    return toResponse(this)
  }

  pipe(response: ServerResponse, headers?: Readonly<Record<string, string>>): Promise<void> {
    try {
      this.#consume()
      return pipeAnswer(this, response, headers) ?? WRITTEN
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** The chunks as JSON texts, and the comments between them: for a reader that writes them in another format. */
  read(): AsyncGenerator<string> {
    this.#consume()
    return this.texts()
  }

  async cancel(): Promise<void> {
    this.#consumed ??= CANCELLED
    this.end()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel()
  }

  complete(): void {
    this.#end('completed')
  }

  /** Ends the turn if reading has not. */
  end(): void {
    this.#end('cancelled')
  }

  giveBack(error: unknown): void {
    if (this.#finish()) this.#run.giveBack(error)
  }

  onReaderTimeout(run: () => void): void {
    this.#onReaderTimeout = run
  }

  /** The same texts as `nextBatch`, one by one. A reader that stops ends the turn. */
  async *texts(): AsyncGenerator<string> {
    try {
      for (let batch = await this.nextBatch(); batch !== undefined; batch = await this.nextBatch()) {
        for (const text of textsOf(batch)) {
          this.#watch.waitForReader()
          yield text
          this.#watch.stopWaiting()
        }
      }
    } finally {
      this.end()
    }
  }

  /**
   * The texts of the chunks as this client may see them, and comments between them: those that have arrived since the last
   * call. The turn ends with the last one, however that arrives.
   */
  async nextBatch(): Promise<ChunkBatch | undefined> {
    const batch = await this.#nextShown(this.#request.stream_options?.include_usage === true)
    if (batch === undefined) this.complete()
    return batch
  }

  offer(take: (bytes: Buffer) => boolean): void {
    this.#batches ??= batchesOf(chunksOf(this.#answer))
    this.#batches.offer?.((events) => {
      const shown = events.rewriteHead(this.#rewriteHead)
      if (shown === undefined || !take(shown.bytes)) return false
      this.#deliveredTokens += events.tokens
      this.#hasDelivered = true
      return true
    })
  }

  /** The completion: the upstream's own text, or made from its chunks. */
  wholeText(): string | Promise<string> {
    const answer = this.#answer
    if (answer.kind === 'stream') return this.#mergeChunks()
    if (isLarge(answer.text)) return this.#readLarge(answer.text)
    if (answer.text.includes(TOOL_CALLS)) this.#toolCalls.add(toolCallsIn(answer.text))
    return this.#rewriteModel(answer.text)
  }

  /** A large completion or chunk as the client gets it, read in steps. */
  async #readLarge(text: string): Promise<string> {
    const json = await readJsonObject(text, undefined)
    if (json === undefined) return text
    const usage = json.get('usage')
    if (isObject(usage)) this.#usage = usageOf({ usage }) ?? this.#usage
    if (text.includes(TOOL_CALLS)) this.#toolCalls.add(toolCallsOf(await json.pick(['choices'])))
    const { model } = this.#request
    return model === undefined || model === null || !json.has('model') ? text : json.with({ model })
  }

  async #mergeChunks(): Promise<string> {
    try {
      const merger = new ChunkMerger()
      // A completion always has its usage, whatever a stream would have shown.
      for (let batch = await this.#nextShown(true); batch !== undefined; batch = await this.#nextShown(true)) {
        for (const text of textsOf(batch)) if (!isComment(text)) merger.push(parseExactJson(text) as ChatChunk)
      }
      return await stringifyJson(merger.completion())
    } catch (error) {
      this.giveBack(error)
      throw error
    }
  }

  /** At least one chunk or comment; undefined after the last. The turn ends when this throws. */
  async #nextShown(withUsage: boolean): Promise<ChunkBatch | undefined> {
    this.#batches ??= batchesOf(chunksOf(this.#answer))
    try {
      for (;;) {
        this.#watch.stopWaiting()
        const batch = await this.#batches.nextBatch()
        if (batch === undefined) return undefined
        const isInSteps = batch.some(isLarge)
        const shown = isInSteps ? await this.#showInSteps(batch, withUsage) : this.#show(batch, withUsage)
        if (shown.length === 0) continue
        this.#watch.waitForReader()
        return shown
      }
    } catch (error) {
      if (!this.#hasDelivered && !this.#run.hasCallerLeft) this.giveBack(error)
      this.#end('failed', error)
      throw error
    }
  }

  /** What the client may see of these chunks, which are counted. */
  #show(batch: ChunkBatch, withUsage: boolean): ChunkBatch {
    const shown: (string | ChunkEvents)[] = []
    for (const piece of batch) {
      const events = piece instanceof ChunkEvents ? piece.rewriteHead(this.#rewriteHead) : undefined
      if (events === undefined) {
        for (const text of textsOf([piece])) this.#showText(text, withUsage, shown)
        continue
      }
      this.#deliveredTokens += events.tokens
      this.#hasDelivered = true
      shown.push(events)
    }
    return shown
  }

  #showText(text: string, withUsage: boolean, shown: (string | ChunkEvents)[]): void {
    if (isComment(text)) {
      shown.push(text)
      return
    }
    if (hasUsage(text) && !this.#readUsage(text) && !withUsage) return
    this.#deliveredTokens += tokensOfDelta(textBytesOfChunk(text))
    if (text.includes(TOOL_CALLS)) this.#toolCalls.add(toolCallsIn(text))
    this.#hasDelivered = true
    shown.push(this.#rewriteModel(text))
  }

  /** The same, without holding up other turns. */
  async #showInSteps(batch: ChunkBatch, withUsage: boolean): Promise<ChunkBatch> {
    const shown: (string | ChunkEvents)[] = []
    for (const piece of batch) {
      if (typeof piece === 'string' && isLarge(piece)) {
        this.#deliveredTokens += tokensOfBytes(piece.length)
        this.#hasDelivered = true
        shown.push(await this.#readLarge(piece))
      } else shown.push(...this.#show([piece], withUsage))
    }
    return shown
  }

  /** Returns whether the chunk has anything beside its usage. */
  #readUsage(text: string): boolean {
    const chunk = JSON.parse(text) as ChatChunk
    this.#usage = usageOf(chunk) ?? this.#usage
    // Chunks that an earlier version stored may have no choices at all.
    return (chunk.choices ?? []).length > 0
  }

  async *#chunks(): AsyncGenerator<ChatChunk> {
    this.#consume()
    for await (const text of this.texts()) if (!isComment(text)) yield JSON.parse(text) as ChatChunk
  }

  /** Cancels the turn of a reader that took nothing for too long. */
  #leaveReader(): void {
    void this.cancel()
    this.#onReaderTimeout?.()
  }

  #consume(): void {
    if (this.#consumed !== undefined) {
      throw new PurserError('turn_consumed', this.#consumed, {
        hint: 'An answer can be read once: as chunks, completion(), toResponse() or pipe().',
      })
    }
    this.#consumed = CONSUMED
    this.#run.deps.unreadTurns.delete(this.#unreadKey)
    this.#watch.stopWaiting()
  }

  /** True for the first call. No reader is waited for any more. */
  #finish(): boolean {
    if (this.#hasEnded) return false
    this.#hasEnded = true
    this.#watch.end()
    this.#run.deps.unreadTurns.delete(this.#unreadKey)
    return true
  }

  #end(outcome: TurnOutcome, error?: unknown): void {
    if (!this.#finish()) return
    if (outcome !== 'completed') this.#batches?.stop()
    // The turn that called the model pays for its tokens.
    const isOwnCall = this.cache === 'miss' || this.cache === 'off'
    const usage = isOwnCall ? (this.#countTokens(outcome) ?? NO_TOKENS) : undefined
    const { total } = this.#toolCalls
    this.#run.end(outcome, { cache: this.cache, usage, toolCalls: total, tools: this.#toolCalls.list(), error })
  }

  /** The usage that the upstream has reported; of a stream that was left or cut, at least what was delivered. */
  #countTokens(outcome: TurnOutcome): TokenCounts | undefined {
    const answer = this.#answer
    if (answer.kind === 'completion') this.#usage ??= answer.usage ?? usageIn(answer.text)
    const usage = this.#usage
    if (outcome === 'completed' || answer.kind === 'completion') return usage
    return {
      prompt_tokens: tokenCountOf(usage?.prompt_tokens) ?? estimateRequestTokens(this.#request),
      completion_tokens: Math.max(tokenCountOf(usage?.completion_tokens) ?? 0, this.#deliveredTokens),
      prompt_tokens_details: usage?.prompt_tokens_details,
    }
  }
}

const WRITTEN: Promise<void> = Promise.resolve()

function unchanged(text: string): string {
  return text
}

function usageIn(text: string): Usage | undefined {
  return hasUsage(text) ? usageOf(JSON.parse(text) as ChatCompletion) : undefined
}

/** The model was asked, and reported nothing. */
const NO_TOKENS: TokenCounts = { prompt_tokens: 0, completion_tokens: 0 }

/** A completion is read as chunks too, for callers that iterate an answer they did not ask to be streamed. */
function chunksOf(answer: ChatAnswer): AsyncIterable<string> {
  return answer.kind === 'stream' ? answer.chunks : toTexts(answer.text)
}

async function* toTexts(completion: string): AsyncIterable<string> {
  for (const chunk of toChunks(parseExactJson(completion) as ChatCompletion)) yield JSON.stringify(chunk)
}
