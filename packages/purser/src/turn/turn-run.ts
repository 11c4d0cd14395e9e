import type { CacheableRequest } from '../answers/cache-key.ts'
import type { PeekedAnswer, Replay } from '../answers/turn-answers.ts'
import type { PrefixChange, ResolvedContext, ResolveOptions } from '../context/api.ts'
import { type AbortSignalLike, CallSignal } from '../core/call-signal.ts'
import type { TokenUsage } from '../ledger/api.ts'
import type { Admission, Admitted, Refused } from '../ledger/decide/admission.ts'
import type { Amount } from '../ledger/limits/amount.ts'
import { DAILY } from '../ledger/limits/rule.ts'
import type { TurnEndRequest, TurnFacts, TurnRecord } from '../ledger/turns/turn-record.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { Attempt, ChatAnswer, ChatCall, ChatModel } from '../openai/chat-model.ts'
import { cachedTokensOf, cacheWriteTokensOf, type TokenCounts, tokenCountOf } from '../openai/completion.ts'
import { lastUserText } from '../openai/last-user-text.ts'
import type { RatedLimit } from '../openai/rate-limit-headers.ts'
import type { Fallback } from '../options/settings-patch.ts'
import type { Lease, Override, Settings } from '../runtime/api.ts'
import type { TurnDeps, UserModules } from './deps.ts'
import { createRefusedTurn, type RefusedTurn } from './http-response.ts'
import { chooseLimit, type TurnOptions } from './options.ts'
import { OwnModelCall } from './own-model-call.ts'
import { publishTurn } from './publish-turn.ts'
import { isModelOf, selectModel } from './select-model.ts'
import { codeOfFailure, findRefusal, reportFailure } from './turn-failure.ts'
import { AdmissionRefused, TurnPayment } from './turn-payment.ts'
import type { TurnRequest } from './turn-request.ts'
import { type TurnEnding, TurnTrace } from './turn-trace.ts'

/** Where an answer came from: the cache, an equal turn in progress, the model, or the model without a lookup. */
export type CacheOutcome = 'hit' | 'joined' | 'miss' | 'off'

export type TurnOutcome = 'completed' | 'failed' | 'cancelled'

/** What a turn has found in memory before its admission. */
export interface EarlyAnswer extends PeekedAnswer {
  readonly lease: Lease
  readonly context: ResolvedContext
  readonly cacheable: CacheableRequest
  /** If an answer is cached. */
  readonly prefix: PrefixChange | undefined
}

/** How the answer of a turn has ended. */
export interface EndedAnswer {
  readonly cache: CacheOutcome
  /** Of the turn's own model call; undefined when it made none, or nothing is known of it. */
  readonly usage: TokenCounts | undefined
  readonly toolCalls?: number
  readonly tools?: TurnRecord['tools']
  /** Why it failed. */
  readonly error?: unknown
}

/**
 * One turn from its request to its end. It owns what has to be ended exactly once, however the turn ends: the abort
 * signal, the admission that pays for it, and the lease. The lease outlives the turn while the model call that runs on
 * it is still read by others.
 */
export class TurnRun<Request extends TurnRequest = ChatRequest> {
  readonly deps: TurnDeps
  readonly modules: UserModules
  readonly request: Request
  readonly options: TurnOptions
  readonly cacheMode: 'on' | 'refresh' | 'off'
  readonly trace: TurnTrace
  readonly #payment: TurnPayment
  readonly #abort = new CallSignal()
  /** Listens to the caller's signal. */
  #onAbort: (() => void) | undefined
  /** The settings of this turn only, with the model that was selected. */
  #override: Override | undefined
  #lease: Lease | undefined
  /** What was found before the admission, as long as it is of the same user and model. */
  #early: EarlyAnswer | undefined
  /** What the turn runs on: as selected, then as acquired. */
  #settings: Settings | undefined
  /** Of the user when the lease began. */
  #incarnation: number | undefined
  /** The turn itself and its model call, while others read it. */
  #leaseUsers = 1
  #modelCall: OwnModelCall | undefined
  /** What the turn adds to the prompt. */
  #context: ResolvedContext | undefined
  #prefix: PrefixChange | null = null
  /** Repeats under the turn's idempotency key wait until this is called. */
  #endStart: ((isShared: boolean) => void) | undefined
  #hasEnded = false

  constructor(deps: TurnDeps, modules: UserModules, request: Request, options: TurnOptions) {
    this.deps = deps
    this.modules = modules
    this.request = request
    this.options = options
    this.cacheMode = deps.answersEnabled ? (options.cache ?? 'on') : 'off'
    this.trace = new TurnTrace(deps.effects, deps.nextTurnId())
    this.#payment = new TurnPayment(modules, request, options)
  }

  /** Aborted by the caller's signal, and when the turn ends before its answer was read to the end. */
  get signal(): AbortSignalLike {
    return this.#abort
  }

  get admission(): Admitted {
    const { admitted } = this.#payment
    if (admitted === undefined) throw new TypeError('The turn was not admitted.')
    return admitted.admission
  }

  /** The tightest limits after the admission, if the user has others than the cap. */
  get rates(): readonly RatedLimit[] | undefined {
    return this.#payment.admitted?.rates
  }

  /** Of the model that the turn runs on; null until that is selected, and without one. */
  get provider(): string | null {
    return this.#settings?.provider ?? null
  }

  /** Of the user when the lease began. */
  get incarnation(): number | undefined {
    return this.#incarnation
  }

  /** What the answer cache has to know to replay the first answer under the turn's idempotency key. */
  get replay(): Omit<Replay, 'idempotencyKey'> {
    const { isRepeat } = this.#payment
    const onMissing = (): Promise<void> => this.#payment.admitAgain(this.#settings, this.signal)
    return { isRepeat, onShared: () => this.endStart(true), onMissing }
  }

  /** The calls of upstreams so far. */
  get attempts(): readonly Attempt[] {
    return this.trace.attempts
  }

  /** Whether the caller has aborted. What fails from then on is not a failure. */
  get hasCallerLeft(): boolean {
    return this.options.signal?.aborted === true
  }

  /** A turn under an idempotency key waits for an earlier one that has just begun. Called before anything is read. */
  async start(idempotencyKey: string): Promise<void> {
    this.#endStart = await this.deps.startingTurns.add(this.modules.user, idempotencyKey, this.options.signal)
  }

  /** Repeats of the turn go on. `isShared`: they find its answer. Only the first call counts. */
  endStart(isShared: boolean): void {
    this.#endStart?.(isShared)
  }

  /**
   * Finds the settings that the turn is to run on: at once where they are in memory and the request names their model.
   * Throws `model_not_found` before anything is counted.
   */
  selectModel(): Promise<void> | undefined {
    const { session, override, signal } = this.options
    signal?.throwIfAborted()
    const isBase = session === undefined && override === undefined
    const settings = isBase ? this.modules.runtime.peekSettings() : undefined
    if (settings === undefined || !isModelOf(settings, this.request.model)) return this.#readSettings()
    this.#settings = settings
    return undefined
  }

  async #readSettings(): Promise<void> {
    const { modules, deps, request, options } = this
    const { session } = options
    const { override, settings } = await selectModel(modules.runtime, deps.providers, request.model, options)
    this.#override = override
    this.#settings = settings ?? (await modules.runtime.settings({ session, override }))
  }

  /**
   * From here on, the caller's signal aborts the turn. A turn whose answer was found `early` is settled with its admission.
   */
  admit(early?: EarlyAnswer): Promise<Admission> {
    this.#early = early
    const { signal } = this.options
    signal?.throwIfAborted()
    if (signal !== undefined) {
      this.#onAbort = () => {
        this.#abort.abort(signal.reason)
        this.#payment.leave(signal.reason)
      }
      signal.addEventListener('abort', this.#onAbort)
    }
    if (early === undefined) return this.#payment.admit(this.#settings)
    const end = early.cached && ((): TurnEndRequest => this.#endOfCached(early))
    return this.#payment.admit(this.#settings, { context: early.context, end })
  }

  /** Whether no session and no override applies. */
  get usesBaseSettings(): boolean {
    return this.options.session === undefined && this.#override === undefined
  }

  /** What was found before the admission, as long as it is of the same user and model. */
  get early(): EarlyAnswer | undefined {
    return this.#early
  }

  /** Whether the turn was settled with its admission, for the answer that was found early. */
  get isSettled(): boolean {
    return this.#payment.isSettled
  }

  acquireRuntime(): Lease | Promise<Lease> {
    const override = this.#admittedOverride
    if (override !== undefined || this.#early?.lease.incarnation !== this.#payment.admitted?.incarnation)
      this.#dropEarly()
    if (this.#early !== undefined) return this.#use(this.#early.lease)
    const isBase = this.options.session === undefined && override === undefined
    const warm = isBase ? this.modules.runtime.acquireWarm() : undefined
    return warm === undefined ? this.#acquire(override).then((lease) => this.#use(lease)) : this.#use(warm)
  }

  /** A limit may have sent the turn to another model. */
  get #admittedOverride(): Override | undefined {
    const { model, downgradedBy } = this.admission
    if (downgradedBy === null || model === null) return this.#override
    const slash = model.indexOf('/')
    return { ...this.#override, provider: model.slice(0, slash), model: model.slice(slash + 1) }
  }

  /** Replaces the lease by one on another model, and moves the admission to it. Undefined: a limit refuses the model. */
  async fallBack(fallback: Fallback): Promise<Lease | undefined> {
    const lease = await this.#acquire({ ...this.options.override, ...fallback })
    let isMoved = false
    try {
      isMoved = await this.#payment.moveTo(lease.settings)
    } finally {
      if (!isMoved) lease.release()
    }
    if (!isMoved) return undefined
    this.#lease?.release()
    return this.#use(lease)
  }

  #acquire(override: Override | undefined): Promise<Lease> {
    const { session } = this.options
    return this.modules.runtime.acquire({ session, override, signal: this.signal })
  }

  #use(lease: Lease): Lease {
    this.#settings = lease.settings
    this.#incarnation = lease.incarnation
    if (this.#hasEnded) lease.release()
    else this.#lease = lease
    return lease
  }

  contextOptions(): ResolveOptions {
    const { mode, timeZone, session } = this.options
    // Only where a source asks for it: finding it costs a look at every message.
    const query = this.modules.context.needsQuery ? lastUserText(this.request.messages ?? []) : undefined
    return { mode, timeZone, session, query, signal: this.signal, keep: this.cacheMode !== 'off' }
  }

  /** After `acquireRuntime`. */
  resolveContext(): ResolvedContext | Promise<ResolvedContext> {
    if (this.#early !== undefined) return this.#usePrompt(this.#early.context, this.#early.prefix)
    const options = this.contextOptions()
    const { context } = this.modules
    const warm = context.getWarm(options)
    return warm === undefined
      ? context.resolve(options).then((resolved) => this.#usePrompt(resolved))
      : this.#usePrompt(warm)
  }

  #usePrompt(context: ResolvedContext, prefix?: PrefixChange): ResolvedContext {
    this.#prefix = prefix ?? this.modules.context.comparePrefix(this.options.session, context.prefixHash)
    this.#context = context
    return context
  }

  callModel(chat: ChatModel, request: ChatRequest, signal: AbortSignalLike): Promise<ChatAnswer> {
    return this.callUpstream((call) => chat.chat(request, call), signal)
  }

  /** Calls the upstream with the timeouts of the turn. The wait is not counted as overhead. */
  async callUpstream<Answer>(run: (call: ChatCall) => Promise<Answer>, signal: AbortSignalLike): Promise<Answer> {
    const { options, deps, trace } = this
    const firstChunkTimeoutMs = chooseLimit(options.firstChunkTimeoutMs, deps.limits.firstChunkTimeoutMs)
    const idleTimeoutMs = chooseLimit(options.idleTimeoutMs, deps.limits.idleTimeoutMs)
    const startedAt = deps.effects.monotonic()
    try {
      return await run({ firstChunkTimeoutMs, idleTimeoutMs, signal, onAttempt: trace.onAttempt })
    } finally {
      trace.addWait(deps.effects.monotonic() - startedAt)
    }
  }

  /** A model call that may outlive the turn, because others read it as well. It keeps the lease. */
  beginModelCall(signal: AbortSignalLike): void {
    this.#leaseUsers++
    this.#modelCall = new OwnModelCall(signal)
  }

  /** `texts`: what the model wrote. */
  endModelCall(texts: readonly string[]): void {
    this.#modelCall?.end(texts)
    this.#releaseLease()
  }

  #releaseLease(): void {
    this.#leaseUsers--
    if (this.#leaseUsers > 0) return
    this.#lease?.release()
    this.#lease = undefined
  }

  /** Ends the turn, the first time: aborts what is still running and settles the ticket with the tokens used. */
  end(ending: TurnOutcome, { cache, usage, toolCalls = 0, tools = NO_TOOLS, error }: EndedAnswer): void {
    if (!this.#finish(ending === 'completed')) return
    const outcome = ending === 'failed' && this.hasCallerLeft ? 'cancelled' : ending
    const isFailure = outcome === 'failed'
    if (isFailure) this.#reportFailure(error)
    const code = isFailure ? codeOfFailure(error) : null
    const facts = this.#facts({ outcome, cache, code, limit: null, tools })
    const settle = (used: TokenCounts): void => this.#settle(usageOf(used, toolCalls), facts)
    if (outcome !== 'completed' && this.#modelCall?.goesOn) this.#settleAfterCall(this.#modelCall, settle)
    else if (usage === undefined) this.#settle(NOTHING_USED, facts)
    else settle(usage)
  }

  /** The tokens of a model call that goes on for others are known, and settled, when that ends. */
  #settleAfterCall(call: OwnModelCall, settle: (used: TokenCounts) => void): void {
    const { messages = [] } = this.request
    call.whenUsed({ messages: [...messages] }, settle)
  }

  #settle(usage: TokenUsage, facts: TurnFacts): void {
    this.#publish(facts, usage, this.#payment.settle(usage, facts))
  }

  /** Ends a turn that failed before its answer began, and rethrows. A refused repeat becomes a refused turn. */
  fail(error: unknown): RefusedTurn {
    if (error instanceof AdmissionRefused) {
      this.#finish(false)
      return this.refuse(error.admission)
    }
    this.giveBack(error)
    throw error
  }

  /** Ends a turn of which nothing was delivered. It is counted only if its caller has left. */
  giveBack(error: unknown): void {
    if (this.hasCallerLeft) {
      this.#cancelUnread()
      return
    }
    if (!this.#finish(false)) return
    this.#reportFailure(error)
    const code = codeOfFailure(error)
    const facts = this.#facts({ outcome: 'failed', cache: 'off', code, limit: null, tools: NO_TOOLS })
    this.#payment.refund(facts)
    this.#publish(facts)
  }

  #cancelUnread(): void {
    if (!this.#finish(false)) return
    const facts = this.#facts({ outcome: 'cancelled', cache: 'off', code: null, limit: null, tools: NO_TOOLS })
    if (this.#modelCall?.goesOn) this.#settleAfterCall(this.#modelCall, (used) => this.#settle(usageOf(used, 0), facts))
    // The caller may have left before it was known whether the turn is counted.
    else this.#payment.whenKnown(() => this.#settle(NOTHING_USED, facts))
  }

  refuse(admission: Refused): RefusedTurn {
    this.#dropEarly()
    const code = admission.reason === 'blocked' ? 'user_blocked' : 'cap_reached'
    const limit = admission.reason === 'daily_cap' ? DAILY : (admission.limit?.name ?? null)
    const facts = this.#facts({ outcome: 'refused', cache: 'off', code, limit, tools: NO_TOOLS })
    this.modules.ledger.recordTurn(facts)
    this.#publish(facts)
    return createRefusedTurn(admission, this.deps.effects.now())
  }

  #finish(isComplete: boolean): boolean {
    if (this.#hasEnded) return false
    this.#hasEnded = true
    if (!isComplete) this.#abort.abort()
    // A long-lived signal must not collect the listeners of its turns.
    if (this.#onAbort !== undefined) this.options.signal?.removeEventListener('abort', this.#onAbort)
    this.#releaseLease()
    this.#dropEarly()
    return true
  }

  #dropEarly(): void {
    this.#early?.lease.release()
    this.#early = undefined
  }

  #reportFailure(error: unknown): void {
    const { provider = null, model = null } = this.#settings ?? {}
    const user = this.deps.pseudonym(this.modules.user)
    const refusal = findRefusal(error, { user, provider, model })
    const incarnation = this.#incarnation
    if (refusal !== undefined && incarnation !== undefined)
      this.modules.ledger.recordRefusal({ ...refusal, incarnation })
    const durationMs = Math.round(this.trace.totalMs)
    const isAdmitted = this.#payment.admitted !== undefined
    reportFailure(this.options, { error, user, provider, model, durationMs, isAdmitted })
  }

  /** How a turn whose answer is cached ends when it is admitted: nothing is left to wait for. */
  #endOfCached({ context, prefix, lease }: EarlyAnswer): TurnEndRequest {
    const ending: TurnEnding = { outcome: 'completed', cache: 'hit', code: null, limit: null, tools: NO_TOOLS }
    const facts = this.#facts(ending, context, prefix)
    return { facts: { ...facts, firstChunkMs: facts.totalMs }, incarnation: lease.incarnation }
  }

  #facts(ending: TurnEnding, context = this.#context, prefix = this.#prefix): TurnFacts {
    const { options, request } = this
    const { provider = null, model = null } = this.#settings ?? {}
    const turn = {
      endpoint: options.endpoint ?? 'turn',
      session: options.session ?? null,
      provider,
      model,
      requestedModel: request.model ?? null,
      estimate: this.#payment.estimate,
      requestId: options.requestId ?? null,
      weight: options.cost ?? 1,
      context,
      prefix,
    }
    return this.trace.facts(turn, ending)
  }

  #publish(facts: TurnFacts, usage?: TokenUsage, cost: Amount | null = 0): void {
    const { namespace } = this.deps
    publishTurn({ namespace, facts, usage, cost, attempts: this.trace.attempts, prefix: this.#prefix })
  }
}

const NO_TOOLS: TurnRecord['tools'] = []

/** No model was asked. */
const NOTHING_USED: TokenUsage = { cost: 0 }

function usageOf(used: TokenCounts, toolCalls: number): TokenUsage {
  return {
    inputTokens: tokenCountOf(used.prompt_tokens),
    outputTokens: tokenCountOf(used.completion_tokens),
    cachedTokens: cachedTokensOf(used),
    cacheWriteTokens: cacheWriteTokensOf(used),
    toolCalls,
  }
}
