import type { AbortSignalLike } from '../core/call-signal.ts'
import { stringifyJson } from '../core/json-pieces.ts'
import type { SingleFlight } from '../core/single-flight.ts'
import type { Subject } from '../core/subject.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import { isComment } from '../openai/sse.ts'
import type { AnswerCache } from './cache.ts'
import { type CacheableRequest, type CacheKey, cacheableValue, type KeyRequest, type KeyResolver } from './cache-key.ts'
import { type Cacheability, checkCompletion, createCacheabilityCheck } from './cacheability.ts'
import { CoalescedCall, type Waiter } from './coalesced-call.ts'
import { ReplayBuffer } from './replay-buffer.ts'
import type { StatsCounter } from './stats.ts'

export interface TurnAnswerRequest {
  readonly request: ChatRequest
  /** What the answer is cached under; undefined: it is not cached. */
  readonly cacheable: CacheableRequest | undefined
  /** Its key, if `peek` has resolved it. */
  readonly key?: PeekedAnswer['key'] | undefined
  /** `refresh` calls the model in any case, and its answer replaces the cached one. */
  readonly mode: 'on' | 'refresh'
  /** Stores the answer for repeats of this turn, also where answers are not cached otherwise. */
  readonly replay: Replay | undefined
  /** The incarnation in which the turn was admitted: after an erasure nothing is found, shared or stored. */
  readonly incarnation?: number | undefined
  readonly signal?: AbortSignalLike | undefined
  /** Called at most once, if no answer is cached or in progress. */
  callModel(signal: AbortSignalLike): Promise<ChatAnswer>
  /**
   * Called once after `callModel`, when that call has ended; this caller may have left before. `texts` has what the model
   * wrote, from its beginning as far as that is still buffered: one text for a completion, one per chunk for a stream.
   */
  onModelCallEnd?(texts: readonly string[]): void
}

export interface Replay {
  readonly idempotencyKey: string
  /** The same turn was admitted before, under the same key. */
  readonly isRepeat: boolean
  /** Called when repeats find the answer, or the call that makes it. */
  onShared(): void
  /** Called for a repeat whose first answer is gone. Rejects if the turn may not be answered again. */
  onMissing(): Promise<void>
}

/** Of a turn that is not admitted yet. */
export interface PeekRequest {
  readonly cacheable: CacheableRequest
  /** Of its user, as far as is known. */
  readonly incarnation: number
}

export interface PeekedAnswer {
  readonly key: CacheKey | Promise<CacheKey>
  /** Undefined: it is not in memory, or something has to be read to find it. */
  readonly cached: CachedTurnAnswer | undefined
}

export interface TurnAnswer {
  /** `off`: the answer came from the model and was not looked up. */
  readonly source: 'hit' | 'joined' | 'miss' | 'off'
  /** In the form it was made in. A reader that stops early calls `return()` or aborts its signal. */
  readonly answer: ChatAnswer
  /** The answer of an earlier turn under the same idempotency key. */
  readonly isReplay: boolean
}

/** A turn's answer as it is stored: the texts exactly as the upstream wrote them. */
export interface CachedTurnAnswer {
  readonly kind: 'completion' | 'stream'
  /** One text for a completion, one per chunk for a stream. */
  readonly texts: readonly string[]
  /** Tokens it took to make, which every further reader saves. */
  readonly tokens: number
}

type Result =
  | { readonly stored: CachedTurnAnswer; readonly isReplay: boolean }
  | { readonly text: string }
  | { readonly buffer: ReplayBuffer }

export type TurnCall = CoalescedCall<Result>

interface Keys {
  readonly replay: CacheKey | undefined
  readonly cache: CacheKey | undefined
}

export interface TurnAnswersDeps {
  readonly keys: KeyResolver
  readonly cache: AnswerCache
  readonly calls: SingleFlight<TurnCall>
  readonly stats: StatsCounter
  /** The most of one answer that is buffered for readers that share it. */
  readonly maxAnswerBytes: number
}

/** Answers for turns: stored ones, those of equal turns in progress, or new ones of the model. */
export class TurnAnswers {
  readonly #deps: TurnAnswersDeps

  constructor(deps: TurnAnswersDeps) {
    this.#deps = deps
  }

  /** Looks in memory only, without a promise. Counts nothing: the turn may be refused. */
  peek(user: Subject, { cacheable, incarnation }: PeekRequest): PeekedAnswer {
    const key = this.#deps.keys.resolve(user, cacheRequest(cacheable, incarnation))
    if (key instanceof Promise) {
      // The turn may be refused, and not look at it.
      key.catch(() => undefined)
      return { key, cached: undefined }
    }
    const stored = this.#deps.cache.getLocal(key)
    return { key, cached: stored && parseCached(stored) }
  }

  /** Serves what `peek` has found. */
  serve(cached: CachedTurnAnswer, signal: AbortSignalLike | undefined): TurnAnswer {
    this.#deps.stats.count('hit')
    this.#deps.stats.addSavedTokens(cached.tokens)
    return { source: 'hit', answer: replayStored(cached, signal), isReplay: false }
  }

  /** Resolves when the answer begins; rejects as `callModel` does, or with `signal.reason`. */
  async getOrCall(user: Subject, request: TurnAnswerRequest): Promise<TurnAnswer> {
    const { signal, replay } = request
    const { stats, cache } = this.#deps
    signal?.throwIfAborted()
    const keys = await this.#resolveKeys(user, request)
    if (signal?.aborted) {
      stats.count('miss')
      throw signal.reason
    }
    // What repeats wait for is registered below, before they go on.
    replay?.onShared()
    const key = (keys.replay ?? keys.cache) as CacheKey
    const mayShare = replay === undefined ? request.mode === 'on' : replay.isRepeat

    const stored = mayShare ? cache.getLocal(key) : undefined
    if (stored !== undefined) return { ...this.serve(parseCached(stored), signal), isReplay: replay !== undefined }

    const running = mayShare ? this.#running(key) : undefined
    const call = running ?? this.#createCall(key)
    const waiter = call.join(signal)
    if (running === undefined) void this.#run(call, keys, request)
    return this.#awaitAnswer(waiter, request, running !== undefined)
  }

  /** The answer of a call for one of its callers. `joinedRunning`: the call had been made for an earlier caller. */
  async #awaitAnswer(waiter: Waiter<Result>, request: TurnAnswerRequest, joinedRunning: boolean): Promise<TurnAnswer> {
    const { signal, replay, cacheable } = request
    const source = (): 'joined' | 'miss' => (waiter.isLeader ? 'miss' : 'joined')
    let outcome: 'hit' | 'joined' | 'miss' = source()
    try {
      const result = await waiter.result
      // Read again: a leader whose call was absorbed by an equal one has joined that.
      outcome = 'stored' in result ? 'hit' : source()
      const isReplay = replay !== undefined && (joinedRunning || ('stored' in result && result.isReplay))
      const answer = answerFor(result, waiter, signal)
      return { source: outcome === 'miss' && cacheable === undefined ? 'off' : outcome, answer, isReplay }
    } catch (error) {
      waiter.leave()
      throw error
    } finally {
      this.#deps.stats.count(outcome)
    }
  }

  async #resolveKeys(user: Subject, turn: TurnAnswerRequest): Promise<Keys> {
    const { request, cacheable, replay, incarnation } = turn
    const { keys } = this.#deps
    const cache = cacheable && (await (turn.key ?? keys.resolve(user, cacheRequest(cacheable, incarnation))))
    if (replay === undefined) return { replay, cache }
    const target = { idempotencyKey: replay.idempotencyKey }
    const replayed = await keys.resolve(user, cacheRequest({ request, target, context: null }, incarnation))
    return { replay: { ...replayed, isReplay: true }, cache }
  }

  /** A call of an earlier generation is not joined: it was made before answers were forgotten. */
  #running(key: CacheKey): TurnCall | undefined {
    const call = this.#deps.calls.get(key.key)
    return call?.keys.some((own) => own.key === key.key && own.generation === key.generation) ? call : undefined
  }

  #createCall(key: CacheKey): TurnCall {
    const call: TurnCall = new CoalescedCall((abandoned) => this.#remove(abandoned))
    this.#own(call, key)
    return call
  }

  #own(call: TurnCall, key: CacheKey): void {
    call.keys.push(key)
    this.#deps.calls.set(key.key, call)
  }

  #remove(call: TurnCall): void {
    for (const { key } of call.keys) this.#deps.calls.remove(key, call)
  }

  /** Finds or makes the answer for all callers of `call`. Errors are passed to them; this never rejects. */
  async #run(call: TurnCall, keys: Keys, request: TurnAnswerRequest): Promise<void> {
    let hasCalled = false
    let texts: readonly string[] = []
    try {
      if (await this.#share(call, keys, request)) return
      if (call.signal.aborted) return
      hasCalled = true
      const answer = await request.callModel(call.signal)
      const choices = typeof request.request.n === 'number' ? request.request.n : 1
      if (answer.kind === 'completion') {
        texts = [answer.text]
        await this.#completion(call, answer.text, choices)
      } else {
        const buffer = new ReplayBuffer(this.#deps.maxAnswerBytes)
        texts = buffer.chunks
        await this.#relay(call, answer.chunks, { buffer, choices })
      }
    } catch (error) {
      call.reject(error)
    } finally {
      call.end()
      this.#remove(call)
      if (hasCalled) request.onModelCallEnd?.(texts)
    }
  }

  /** Uses a stored answer, or the call of an equal turn. False: the model has to be called. */
  async #share(call: TurnCall, keys: Keys, { mode, replay }: TurnAnswerRequest): Promise<boolean> {
    const { cache } = this.#deps
    if (keys.replay !== undefined && replay?.isRepeat) {
      if (this.#useStored(call, await cache.get(keys.replay), true)) return true
      await replay.onMissing()
    }
    const key = keys.cache
    if (key === undefined) return false
    if (mode === 'refresh') {
      if (keys.replay !== undefined) this.#own(call, key)
      return false
    }
    const stored = cache.getLocal(key) ?? (await cache.get(key))
    if (this.#useStored(call, stored, false)) {
      if (keys.replay !== undefined && stored !== undefined) await this.#store(call, keys.replay, stored.value)
      return true
    }
    return keys.replay !== undefined && this.#joinEqual(call, key, keys.replay)
  }

  /** Moves the callers of a call with a replay key to the call of an equal turn. False: there is none to join. */
  #joinEqual(call: TurnCall, key: CacheKey, replayKey: CacheKey): boolean {
    const running = this.#running(key)
    if (running === undefined) {
      this.#own(call, key)
      return false
    }
    running.absorb(call)
    this.#deps.calls.set(replayKey.key, running)
    return true
  }

  #useStored(call: TurnCall, stored: { readonly value: string } | undefined, isReplay: boolean): boolean {
    if (stored === undefined) return false
    const answer = parseCached(stored)
    this.#deps.stats.addSavedTokens(answer.tokens * call.callerCount)
    call.end()
    call.resolve({ stored: answer, isReplay })
    return true
  }

  /** Cached before it is passed on: a caller that has the answer and repeats its request gets a hit. */
  async #completion(call: TurnCall, text: string, choices: number): Promise<void> {
    await this.#conclude(call, await checkCompletion(text, choices), { kind: 'completion', texts: [text] })
    call.end()
    call.resolve({ text })
  }

  async #relay(
    call: TurnCall,
    chunks: AsyncIterable<string>,
    { buffer, choices }: { readonly buffer: ReplayBuffer; readonly choices: number },
  ): Promise<void> {
    const check = createCacheabilityCheck(choices)
    const upstream = chunks[Symbol.asyncIterator]()
    const stop = (): void => {
      buffer.unblock()
      // Stops the upstream; no reader is left to wait for its answer.
      upstream.return?.().catch(() => {})
    }
    if (call.signal.aborted) return stop()
    call.signal.addEventListener('abort', stop)
    call.resolve({ buffer })
    try {
      for (;;) {
        await buffer.demand()
        if (call.signal.aborted) break
        const next = await upstream.next()
        if (next.done) {
          const { complete } = buffer
          await this.#conclude(call, check.result(), complete && { kind: 'stream', texts: complete })
          break
        }
        if (isComment(next.value)) {
          buffer.pass(next.value)
          continue
        }
        check.push(next.value)
        buffer.append(next.value)
        // A new caller could no longer read the beginning.
        if (buffer.complete === undefined) this.#remove(call)
      }
      buffer.end()
    } catch (error) {
      buffer.end({ error })
    }
  }

  /** The answer has ended: stores it if it may be served again, and counts the tokens that joined callers saved. */
  async #conclude(
    call: TurnCall,
    { cacheable, tokens }: Cacheability,
    answer: Omit<CachedTurnAnswer, 'tokens'> | undefined,
  ): Promise<void> {
    this.#deps.stats.addSavedTokens(tokens * (call.callerCount - 1))
    if (!cacheable || answer === undefined) return
    const value = await stringifyJson({ ...answer, tokens })
    await Promise.all(call.keys.map((key) => this.#store(call, key, value)))
  }

  /**
   * Not after an erasure, a `forget` or a `clear`, and not over the answer of a newer call. Resolves when the answer is in
   * memory; one that is promised to repeats of the turn, when it is in the store.
   */
  async #store(call: TurnCall, key: CacheKey, value: string): Promise<void> {
    const { keys, cache, calls } = this.#deps
    if (!(await keys.isCurrentIncarnation(key))) return
    if (!calls.isCurrent(key.key, call)) return
    if (key.isReplay) await cache.setDurably(key, value)
    else cache.set(key, value)
  }
}

function cacheRequest(cacheable: CacheableRequest, incarnation: number | undefined): KeyRequest {
  return { kind: 'turn', scope: 'user', value: cacheableValue(cacheable), incarnation }
}

function parseCached({ value }: { readonly value: string }): CachedTurnAnswer {
  return JSON.parse(value) as CachedTurnAnswer
}

/** The answer for one caller: its own reader of the shared buffer, or the whole text. */
function answerFor(result: Result, waiter: Waiter<Result>, signal: AbortSignalLike | undefined): ChatAnswer {
  if ('buffer' in result) return { kind: 'stream', chunks: result.buffer.read(waiter) }
  waiter.leave()
  return 'stored' in result ? replayStored(result.stored, signal) : { kind: 'completion', text: result.text }
}

/** A stored answer as if the model gave it. A reader may leave or abort at any chunk. */
function replayStored({ kind, texts }: CachedTurnAnswer, signal: AbortSignalLike | undefined): ChatAnswer {
  if (kind === 'completion') return { kind, text: texts[0] ?? '' }
  return { kind, chunks: iterate(texts, signal) }
}

async function* iterate(texts: readonly string[], signal: AbortSignalLike | undefined): AsyncGenerator<string> {
  for (const text of texts) {
    signal?.throwIfAborted()
    // Earlier versions stored chunks of several lines. In JSON a line break is white space between two tokens.
    yield text.includes('\n') ? text.replaceAll('\n', ' ') : text
  }
}
