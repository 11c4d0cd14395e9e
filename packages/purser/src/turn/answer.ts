import type { ResolvedContext } from '../context/api.ts'
import type { AbortSignalLike } from '../core/call-signal.ts'
import type { ChatRequest } from '../openai/chat.ts'
import type { ChatAnswer } from '../openai/chat-model.ts'
import { ENDPOINTS } from '../openai/endpoint.ts'
import type { Lease } from '../runtime/api.ts'
import type { BegunAnswer } from './answered-turn.ts'
import type { TurnRequest } from './turn-request.ts'
import type { TurnRun } from './turn-run.ts'
import { cacheableRequest, upstreamRequest } from './upstream-request.ts'

/** The request as the model of a lease gets it. */
export function requestFor(
  run: TurnRun<TurnRequest>,
  { request, lease, context }: { request: ChatRequest; lease: Lease; context: ResolvedContext },
): ChatRequest {
  const { settings, chat } = lease
  return upstreamRequest(request, {
    settings,
    provider: run.deps.providers[chat.provider],
    pseudonym: run.deps.pseudonym(run.modules.user),
    contextText: context.text,
    isTranslated: ENDPOINTS.some((endpoint) => endpoint === run.options.endpoint),
  })
}

/** The answer of a turn that has its runtime and its context. Rejects like the model, or if a repeat is not admitted. */
export async function answerTurn(run: TurnRun, lease: Lease, context: ResolvedContext): Promise<BegunAnswer> {
  const { request, options, cacheMode, early } = run
  const { incarnation, settings } = lease
  const { answers } = run.modules
  if (early?.cached !== undefined && run.isSettled)
    return { request, settings, context, answer: answers.serve(early.cached, run.signal) }
  const callModel = (signal: AbortSignalLike): Promise<ChatAnswer> =>
    run.callModel(lease.chat, requestFor(run, { request, lease, context }), signal)
  const { idempotencyKey } = options
  if (cacheMode === 'off' && idempotencyKey === undefined) {
    const answer = await callModel(run.signal)
    return { request, settings, context, answer: { source: 'off', answer, isReplay: false } }
  }
  const known = lease === early?.lease ? early : undefined
  const answer = await answers.getOrCall({
    request,
    cacheable: known?.cacheable ?? (cacheMode === 'off' ? undefined : cacheableRequest(request, lease, context)),
    key: known?.key,
    mode: cacheMode === 'refresh' ? 'refresh' : 'on',
    replay: idempotencyKey === undefined ? undefined : { idempotencyKey, ...run.replay },
    incarnation,
    signal: run.signal,
    callModel(signal) {
      run.beginModelCall(signal)
      return callModel(signal)
    },
    onModelCallEnd: (texts) => run.endModelCall(texts),
  })
  return { request, settings, context, answer }
}
