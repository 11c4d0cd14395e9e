import type { ResolvedContext } from '../context/api.ts'
import type { ChatRequest } from '../openai/chat.ts'
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
  const { request, options, cacheMode } = run
  const { incarnation, chat, settings } = lease
  const upstream = requestFor(run, { request, lease, context })
  const { idempotencyKey } = options
  if (cacheMode === 'off' && idempotencyKey === undefined) {
    const answer = await run.callModel(chat, upstream, run.signal)
    return { request, settings, context, answer: { source: 'off', answer, isReplay: false } }
  }
  const answer = await run.modules.answers.getOrCall({
    request,
    cacheable: cacheMode === 'off' ? undefined : cacheableRequest(request, lease, context),
    mode: cacheMode === 'refresh' ? 'refresh' : 'on',
    replay: idempotencyKey === undefined ? undefined : { idempotencyKey, ...run.replay },
    incarnation,
    signal: run.signal,
    callModel(signal) {
      run.beginModelCall(signal)
      return run.callModel(chat, upstream, signal)
    },
    onModelCallEnd: (texts) => run.endModelCall(texts),
  })
  return { request, settings, context, answer }
}
