import type { ResolvedContext } from '../context/api.ts'
import type { Admitted } from '../ledger/decide/admission.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import type { Lease } from '../runtime/api.ts'
import { AdmissionRefused, type Answered, idempotentAnswer } from './answer-once.ts'
import type { LinkedAbort } from './leash.ts'
import type { TurnDeps, TurnOptions, UserModules } from './options.ts'
import type { Stopwatch } from './stopwatch.ts'
import type { TurnResources } from './turn-resources.ts'
import { answerParts, upstreamRequest } from './upstream-request.ts'

/** A turn that has what it needs to be answered. */
export interface Asking {
  readonly house: TurnDeps
  readonly parts: UserModules
  readonly request: ChatRequest
  readonly options: TurnOptions
  readonly leash: LinkedAbort
  readonly passage: TurnResources
  readonly watch: Stopwatch
  readonly lease: Lease
  readonly context: ResolvedContext
  readonly cacheMode: 'on' | 'refresh' | 'off'
  /** The same turn was admitted before, under the same key. */
  readonly isRepeat: boolean
}

/** From what was kept, from an equal request under way, or by the model. Throws `NotAdmitted`, and what the model does. */
export async function answerTurn(asking: Asking): Promise<Answered & { readonly paid: Admitted | undefined }> {
  const { house, parts, request, options, leash, passage, watch, lease, context, cacheMode, isRepeat } = asking
  const { settings, incarnation } = lease
  const provider = house.providers[lease.chat.provider]
  const turn = { settings, provider, pseudonym: house.pseudonym(parts.user) }
  const upstream = upstreamRequest(request, { ...turn, contextText: context.text })
  const limits = {
    firstChunkTimeoutMs: options.firstChunkTimeoutMs ?? house.limits.firstChunkTimeoutMs,
    idleTimeoutMs: options.idleTimeoutMs ?? house.limits.idleTimeoutMs,
  }
  let paid: Admitted | undefined

  const askModel = (signal: AbortSignal): Promise<ChatAnswer> =>
    watch.outside(() => lease.chat.chat(upstream, { ...limits, signal }))

  async function ask(signal: AbortSignal): Promise<Omit<Answered, 'replayed'>> {
    if (cacheMode === 'off') return { source: 'off', answer: await askModel(signal) }
    const order = { mode: cacheMode, incarnation, signal, ended: passage.call() }
    return parts.answers.open({ ...answerParts(request, { ...turn, context }), ...order }, askModel)
  }

  async function pay(): Promise<void> {
    const admitted = await parts.ledger.admitTurn({ cost: options.cost, signal: leash.signal })
    if (!admitted.allowed) throw new AdmissionRefused(admitted)
    paid = admitted.admission
    await passage.pay(admitted)
  }

  const { idempotencyKey: key } = options
  if (key === undefined) return { ...(await ask(leash.signal)), replayed: false, paid }
  const { answers } = parts
  const order = { answers, request, key, isRepeat, incarnation, signal: leash.signal, ended: passage.call(), pay }
  return { ...(await idempotentAnswer(order, ask)), paid }
}
