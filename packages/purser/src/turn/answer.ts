import type { TurnAnswer } from '../answers/turn-answers.ts'
import type { ResolvedContext } from '../context/api.ts'
import type { Lease } from '../runtime/api.ts'
import type { TurnRun } from './turn-run.ts'
import { cacheableRequest, upstreamRequest } from './upstream-request.ts'

/** The answer of a turn that has its runtime and its context. Rejects like the model, or if a repeat is not admitted. */
export async function answerTurn(run: TurnRun, lease: Lease, context: ResolvedContext): Promise<TurnAnswer> {
  const { request, options, cacheMode } = run
  const { settings, incarnation, chat } = lease
  const upstream = upstreamRequest(request, {
    settings,
    provider: run.deps.providers[chat.provider],
    pseudonym: run.deps.pseudonym(run.modules.user),
    contextText: context.text,
  })
  const { idempotencyKey } = options
  if (cacheMode === 'off' && idempotencyKey === undefined) {
    return { source: 'off', answer: await run.callModel(chat, upstream, run.signal), isReplay: false }
  }
  return run.modules.answers.getOrCall({
    request,
    cacheable: cacheMode === 'off' ? undefined : cacheableRequest(request, lease, context),
    mode: cacheMode === 'refresh' ? 'refresh' : 'on',
    replay: idempotencyKey === undefined ? undefined : { idempotencyKey, ...run.replay },
    incarnation,
    signal: run.signal,
    callModel(signal) {
      run.retainLease()
      return run.callModel(chat, upstream, signal)
    },
    onModelCallEnd: () => run.releaseLease(),
  })
}
