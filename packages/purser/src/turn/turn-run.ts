import type { Replay } from '../answers/turn-answers.ts'
import type { PrefixChange, ResolvedContext } from '../context/api.ts'
import { withSignal } from '../core/abort.ts'
import { type AbortSignalLike, CallSignal } from '../core/call-signal.ts'
import { isObject } from '../core/validate.ts'
import { PurserError } from '../errors.ts'
import type { AdmittedTurn, TokenUsage } from '../ledger/api.ts'
import type { Admission, Admitted, Refused } from '../ledger/decide/admission.ts'
import type { Amount } from '../ledger/limits/amount.ts'
import type { LimitState } from '../ledger/limits/limit-state.ts'
import { DAILY } from '../ledger/limits/rule.ts'
import type { TurnFacts, TurnRecord } from '../ledger/turns/turn-record.ts'
import type { ChatMessage, ChatRequest } from '../openai/chat.ts'
import type { Attempt, ChatAnswer, ChatCall, ChatModel } from '../openai/chat-model.ts'
import { cachedTokensOf, cacheWriteTokensOf, type TokenCounts, tokenCountOf } from '../openai/completion.ts'
import { lastUserText } from '../openai/last-user-text.ts'
import type { Fallback } from '../options/settings-patch.ts'
import type { Lease, Override, Settings } from '../runtime/api.ts'
import type { TurnDeps, UserModules } from './deps.ts'
import { createRefusedTurn, type RefusedTurn } from './http-response.ts'
import { chooseLimit, type TurnOptions } from './options.ts'
import { OwnModelCall } from './own-model-call.ts'
import { publishTurn } from './publish-turn.ts'
import { isModelOf, selectModel } from './select-model.ts'
import { type TurnEnding, TurnTrace } from './turn-trace.ts'

/** Where an answer came from: the cache, an equal turn in progress, the model, or the model without a lookup. */
export type CacheOutcome = 'hit' | 'joined' | 'miss' | 'off'

/** What a turn needs of its request, which may be in the format of any endpoint. */
export interface TurnRequest {
  readonly model?: string | null | undefined
  /** Absent in other formats than chat completions. */
  readonly messages?: readonly ChatMessage[] | undefined
  /** The whole request in another format. */
  readonly body?: unknown
}

export type TurnOutcome = 'completed' | 'failed' | 'cancelled'

/** What a turn adds to the prompt. */
interface TurnPrompt {
  readonly context: ResolvedContext
  readonly prefix: PrefixChange
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
  readonly #abort = new CallSignal()
  readonly #onAbort = (): void => this.#abort.abort(this.options.signal?.reason)
  #admitted: AdmittedTurn | undefined
  /** The admission that is settled or refunded at the end. A repeat has none of its own unless it calls the model. */
  #payment: AdmittedTurn | undefined
  #isRepeat = false
  /** While it is not known whether the turn is counted. */
  #admitting: Promise<Refused | AdmittedTurn> | undefined
  /** The settings of this turn only, with the model that was selected. */
  #override: Override | undefined
  #lease: Lease | undefined
  /** What the turn runs on: as selected, then as acquired. */
  #settings: Settings | undefined
  /** Of the user when the lease began. */
  #incarnation: number | undefined
  /** The turn itself and its model call, while others read it. */
  #leaseUsers = 1
  #modelCall: OwnModelCall | undefined
  #prompt: TurnPrompt | undefined
  /** As of its admission. */
  #estimate: TurnRecord['estimate'] | undefined
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
  }

  /** Aborted by the caller's signal, and when the turn ends before its answer was read to the end. */
  get signal(): AbortSignalLike {
    return this.#abort
  }

  get admission(): Admitted {
    return (this.#admitted as AdmittedTurn).admission
  }

  /** The limits after the admission, if the user has others than the cap. */
  get limits(): readonly LimitState[] | undefined {
    return this.#admitted?.limits
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
    return { isRepeat: this.#isRepeat, onShared: () => this.endStart(true), onMissing: () => this.#admitAgain() }
  }

  /** The calls of upstreams so far. */
  get attempts(): readonly Attempt[] {
    return this.trace.attempts
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

  async admit(): Promise<Admission> {
    const { cost, ticket, idempotencyKey, signal, session, override, mode } = this.options
    signal?.throwIfAborted()
    this.#admitting = this.modules.ledger.admitTurn({
      cost,
      ticket,
      model: nameOfModel(this.#settings),
      estimate: this.#estimateOn(this.#settings),
      idempotencyKey,
      signal,
      request: [this.request, session, override, mode],
      onReplay: () => {
        this.#isRepeat = true
      },
    })
    const admitted = await withSignal(this.#admitting, signal)
    this.#admitting = undefined
    if (!admitted.allowed) return admitted
    this.#setAdmission(admitted)
    if (!this.#isRepeat) this.#payment = admitted
    if (signal?.aborted) this.#onAbort()
    else signal?.addEventListener('abort', this.#onAbort)
    return admitted.admission
  }

  acquireRuntime(): Lease | Promise<Lease> {
    const isBase = this.options.session === undefined && this.#override === undefined
    const warm = isBase ? this.modules.runtime.acquireWarm() : undefined
    return warm === undefined ? this.#acquire(this.#override).then((lease) => this.#use(lease)) : this.#use(warm)
  }

  /** Replaces the lease by one on another model, and moves the admission to it. Undefined: a limit refuses the model. */
  async fallBack(fallback: Fallback): Promise<Lease | undefined> {
    const lease = await this.#acquire({ ...this.options.override, ...fallback })
    let isMoved = false
    try {
      isMoved = await this.#moveAdmission(lease.settings)
    } finally {
      if (!isMoved) lease.release()
    }
    if (!isMoved) return undefined
    this.#lease?.release()
    return this.#use(lease)
  }

  async #moveAdmission(settings: Settings): Promise<boolean> {
    const model = nameOfModel(settings)
    if (model === undefined || this.#payment === undefined) return true
    return this.#payment.moveTo(model, { estimate: this.#estimateOn(settings) })
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

  resolveContext(): ResolvedContext | Promise<ResolvedContext> {
    const { mode, timeZone, session } = this.options
    const { context } = this.modules
    // Only where a source asks for it: finding it costs a look at every message.
    const query = context.needsQuery ? lastUserText(this.request.messages ?? []) : undefined
    const options = { mode, timeZone, session, query, signal: this.signal, keep: this.cacheMode !== 'off' }
    const warm = context.getWarm(options)
    return warm === undefined
      ? context.resolve(options).then((resolved) => this.#usePrompt(resolved))
      : this.#usePrompt(warm)
  }

  #usePrompt(context: ResolvedContext): ResolvedContext {
    const prefix = this.modules.context.comparePrefix(this.options.session, context.prefixHash)
    this.#prompt = { context, prefix }
    return context
  }

  callModel(chat: ChatModel, request: ChatRequest, signal: AbortSignalLike): Promise<ChatAnswer> {
    return this.callUpstream((call) => chat.chat(request, call), signal)
  }

  /** Calls the upstream with the timeouts of the turn. The wait is not counted as overhead. */
  callUpstream<Answer>(run: (call: ChatCall) => Promise<Answer>, signal: AbortSignalLike): Promise<Answer> {
    const { options, deps } = this
    const firstChunkTimeoutMs = chooseLimit(options.firstChunkTimeoutMs, deps.limits.firstChunkTimeoutMs)
    const idleTimeoutMs = chooseLimit(options.idleTimeoutMs, deps.limits.idleTimeoutMs)
    const onAttempt = (attempt: Attempt): void => void this.trace.attempts.push(attempt)
    return this.trace.waitFor(() => run({ firstChunkTimeoutMs, idleTimeoutMs, signal, onAttempt }))
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

  /** Whether the caller has aborted. What fails from then on is not a failure. */
  get hasCallerLeft(): boolean {
    return this.options.signal?.aborted === true
  }

  /**
   * Ends the turn, the first time: aborts what is still running and settles the ticket with the tokens used. `error`:
   * why it failed.
   */
  end(
    ending: TurnOutcome,
    {
      cache,
      usage,
      toolCalls = 0,
      tools = NO_TOOLS,
      error,
    }: {
      readonly cache: CacheOutcome
      /** Of the turn's own model call; undefined when it made none, or nothing is known of it. */
      readonly usage: TokenCounts | undefined
      readonly toolCalls?: number
      readonly tools?: TurnRecord['tools']
      readonly error?: unknown
    },
  ): void {
    if (!this.#finish(ending === 'completed')) return
    const outcome = ending === 'failed' && this.hasCallerLeft ? 'cancelled' : ending
    if (outcome === 'failed') this.#reportFailure(error)
    const facts = this.#facts({ outcome, cache, code: codeOf(outcome, error), limit: null, tools })
    this.#settleUsed(usage, { toolCalls, facts })
  }

  /** The tokens of a model call that goes on for others are known, and settled, when that ends. */
  #settleUsed(
    usage: TokenCounts | undefined,
    { toolCalls = 0, facts }: { readonly toolCalls?: number; readonly facts: TurnFacts },
  ): void {
    const { messages = [] } = this.request
    const settle = (used: TokenCounts): void => this.#settle({ ...tokensOf(used), toolCalls }, facts)
    if (facts.outcome !== 'completed' && this.#modelCall?.goesOn)
      this.#modelCall.whenUsed({ messages: [...messages] }, settle)
    else if (usage === undefined) this.#settle(NOTHING_USED, facts)
    else settle(usage)
  }

  /** A turn under an idempotency key that got the first answer is recorded, but counts nothing. */
  #settle(usage: TokenUsage, facts: TurnFacts): void {
    const cost = this.#payment?.settle(usage, facts)
    if (cost === undefined) this.modules.ledger.recordTurn(facts)
    this.#report(facts, usage, cost)
  }

  #refund(facts: TurnFacts): void {
    if (this.#payment === undefined) this.modules.ledger.recordTurn(facts)
    else this.#payment.refund(facts)
    this.#report(facts)
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
    if (!this.#finish(false)) return
    const isCancelled = this.hasCallerLeft
    if (!isCancelled) this.#reportFailure(error)
    const outcome = isCancelled ? 'cancelled' : 'failed'
    const facts = this.#facts({ outcome, cache: 'off', code: codeOf(outcome, error), limit: null, tools: NO_TOOLS })
    if (isCancelled && this.#admitting !== undefined) void this.#settleLate(this.#admitting, facts)
    else if (isCancelled) this.#settleUsed(undefined, { facts })
    else this.#refund(facts)
  }

  /** The caller has left before it was known whether the turn is counted. */
  async #settleLate(admitting: Promise<Refused | AdmittedTurn>, facts: TurnFacts): Promise<void> {
    const admitted = await admitting.catch(() => undefined)
    if (admitted?.allowed && !this.#isRepeat) this.#payment = admitted
    this.#settle(NOTHING_USED, facts)
  }

  refuse(admission: Refused): RefusedTurn {
    const code = admission.reason === 'blocked' ? 'user_blocked' : 'cap_reached'
    const limit = admission.reason === 'daily_cap' ? DAILY : (admission.limit?.name ?? null)
    const facts = this.#facts({ outcome: 'refused', cache: 'off', code, limit, tools: NO_TOOLS })
    this.modules.ledger.recordTurn(facts)
    this.#report(facts)
    return createRefusedTurn(admission, this.deps.effects.now())
  }

  /** Pays for a repeat that has to call the model, because the first answer is gone. */
  async #admitAgain(): Promise<void> {
    const admitted = await this.modules.ledger.admitTurn({
      cost: this.options.cost,
      model: nameOfModel(this.#settings),
      estimate: this.#estimateOn(this.#settings),
      signal: this.signal,
    })
    if (!admitted.allowed) throw new AdmissionRefused(admitted)
    this.#admitted = admitted
    if (this.#hasEnded) admitted.refund()
    else this.#payment = admitted
  }

  /** What it will probably use with these settings. */
  #estimateOn(settings: Settings | undefined): TurnRecord['estimate'] {
    const { maxOutputTokens } = (settings?.parameters ?? {}) as { readonly maxOutputTokens?: unknown }
    const { tokens = 0 } = this.modules.context.peek() ?? {}
    const { body } = this.request
    // In another format, everything is input.
    const request = isObject(body) ? { ...body, messages: body, tools: undefined } : this.request
    this.#estimate = this.modules.ledger.estimate(request, { contextTokens: tokens, maxOutputTokens })
    return this.#estimate
  }

  /** A limit may have sent the turn to another model. */
  #setAdmission(admitted: AdmittedTurn): void {
    this.#admitted = admitted
    const { model, downgradedBy } = admitted.admission
    if (downgradedBy === null || model === null) return
    const slash = model.indexOf('/')
    this.#override = { ...this.#override, provider: model.slice(0, slash), model: model.slice(slash + 1) }
  }

  #finish(isComplete: boolean): boolean {
    if (this.#hasEnded) return false
    this.#hasEnded = true
    if (!isComplete) this.#abort.abort()
    // A long-lived signal must not collect the listeners of its turns.
    this.options.signal?.removeEventListener('abort', this.#onAbort)
    this.#releaseLease()
    return true
  }

  #reportFailure(error: unknown): void {
    const { provider = null, model = null } = this.#settings ?? {}
    const user = this.deps.pseudonym(this.modules.user)
    this.#recordRefusal(error, user)
    try {
      const durationMs = Math.round(this.trace.totalMs)
      this.options.onFailure?.({ error, user, provider, model, durationMs, isAdmitted: this.#admitted !== undefined })
    } catch (cause) {
      // An uncaught exception, as with a subscriber of diagnostics: it must not replace the error of the turn.
      process.nextTick(() => {
        throw cause
      })
    }
  }

  /** A refusal of the person, not of the request: it names the pseudonym, or has the code of OpenAI for that. */
  #recordRefusal(error: unknown, pseudonym: string): void {
    const { provider, model } = this.#settings ?? {}
    if (!PurserError.is(error, 'upstream_rejected') || provider === undefined || provider === null) return
    const code = codeOfProvider(error)
    if (!error.message.includes(pseudonym) && code !== 'identifier_blocked') return
    const incarnation = this.#incarnation
    if (incarnation !== undefined)
      this.modules.ledger.recordRefusal({ provider, model: model ?? null, code, incarnation })
  }

  #facts(ending: TurnEnding): TurnFacts {
    const { options, request } = this
    const { provider = null, model = null } = this.#settings ?? {}
    const turn = {
      endpoint: options.endpoint ?? 'turn',
      session: options.session ?? null,
      provider,
      model,
      requestedModel: request.model ?? null,
      estimate: this.#estimate ?? NO_ESTIMATE,
      requestId: options.requestId ?? null,
      weight: options.cost ?? 1,
      context: this.#prompt?.context,
      prefix: this.#prompt?.prefix ?? null,
    }
    return this.trace.facts(turn, ending)
  }

  #report(facts: TurnFacts, usage?: TokenUsage, cost: Amount | null = 0): void {
    const { namespace } = this.deps
    const prefix = this.#prompt?.prefix ?? null
    publishTurn({ namespace, facts, usage, cost, attempts: this.trace.attempts, prefix })
  }
}

const NO_ESTIMATE: TurnRecord['estimate'] = { inputTokens: 0, outputTokens: 0 }
const NO_TOOLS: TurnRecord['tools'] = []

/** The code of a failure, as a caller over HTTP gets it. */
function codeOf(outcome: TurnOutcome, error: unknown): string | null {
  if (outcome !== 'failed') return null
  return PurserError.is(error) ? error.code : 'internal_error'
}

const PROVIDER_CODE = /^[\w.:-]{1,64}$/

/** The provider's own code, unless it is a text. */
function codeOfProvider({ details }: PurserError): string | null {
  return typeof details?.code === 'string' && PROVIDER_CODE.test(details.code) ? details.code : null
}

function nameOfModel(
  { provider, model }: Pick<Settings, 'provider' | 'model'> = { provider: null, model: null },
): string | undefined {
  return provider === null || model === null ? undefined : `${provider}/${model}`
}

/** No model was asked. */
const NOTHING_USED: TokenUsage = { cost: 0 }

function tokensOf(usage: TokenCounts): TokenUsage {
  return {
    inputTokens: tokenCountOf(usage.prompt_tokens),
    outputTokens: tokenCountOf(usage.completion_tokens),
    cachedTokens: cachedTokensOf(usage),
    cacheWriteTokens: cacheWriteTokensOf(usage),
  }
}

/** A repeat had to be admitted again, and was refused. */
class AdmissionRefused extends Error {
  readonly admission: Refused

  constructor(admission: Refused) {
    super('The turn was not admitted again.')
    this.admission = admission
  }
}
