import type { LanguageModelV4, LanguageModelV4CallOptions, LanguageModelV4Middleware } from '@ai-sdk/provider'
import { PurserError } from '../errors.ts'
import { type AdmissionPolicy, createAdmissionPolicy } from './admission-policy.ts'
import { type AdmittedCall, admitCall } from './admit-call.ts'
import type { AiSdkOptions, AiSdkUser } from './ai-sdk-user.ts'
import { injectContext } from './inject-context.ts'
import { type Meter, meterGenerate, meterStream } from './metering.ts'

/** Options of `purserMiddleware`. The model is the application's own, so there are none for settings and answers. */
export type PurserMiddlewareOptions = Pick<AiSdkOptions, 'mode' | 'timeZone' | 'cost' | 'idempotencyKey'>

/**
 * Adds admission, the user's context and token counts to a model of the application, as a middleware for
 * `wrapLanguageModel`.
 *
 * Create one middleware for each incoming request. Its first call is admitted, and each later call whose prompt ends
 * with a user message; steps after a tool belong to the message before them: they are no turns, but their tokens and
 * their cost are limited and counted. The context is appended to the last leading system message. The tokens of an admitted call are settled when its answer ends. A call
 * that fails before the model answers anything is refunded; a call that fails later, or whose stream is cancelled,
 * stays counted, with an estimate of the tokens of its prompt and of the text that was delivered.
 *
 * @param user The handle of `purser.user(id)`.
 * @param options Rendering of the context, cost and idempotency key; see `AiSdkOptions`.
 * @returns The middleware. Over the limit, a call rejects with the `PurserError` `cap_reached` before it reaches the
 *   model, for a blocked user with `user_blocked`; `details` has `reason`, `resetAt` and `retryAfterMs`. The AI SDK
 *   retries neither.
 *
 * @example
 * ```ts
 * import { openai } from '@ai-sdk/openai'
 * import { generateText, wrapLanguageModel } from 'ai'
 * import { openPurser } from 'purser'
 * import { purserMiddleware } from 'purser/ai-sdk'
 *
 * await using purser = await openPurser({ store: 'sqlite:purser.db', ledger: { dailyCap: 50 } })
 * const middleware = purserMiddleware(purser.user('ada'))
 * const model = wrapLanguageModel({ model: openai('gpt-5'), middleware })
 * const { text } = await generateText({ model, prompt: 'Hello' })
 * ```
 */
export function purserMiddleware(user: AiSdkUser, options: PurserMiddlewareOptions = {}): LanguageModelV4Middleware {
  const policy = createAdmissionPolicy()

  async function prepare(
    model: LanguageModelV4,
    params: LanguageModelV4CallOptions,
  ): Promise<[Meter, LanguageModelV4CallOptions]> {
    const meter = await admit(user, { policy, options, model, params })
    try {
      const { call, context } = await injectContext(user, params, options)
      meter.setContext(context)
      return [meter, call]
    } catch (error) {
      await meter.refund(error)
      throw error
    }
  }

  return {
    specificationVersion: 'v4',
    async wrapGenerate({ model, params }) {
      const [meter, call] = await prepare(model, params)
      return meterGenerate(meter, call, () => model.doGenerate(call))
    },
    async wrapStream({ model, params }) {
      const [meter, call] = await prepare(model, params)
      return meterStream(meter, call, () => model.doStream(call))
    },
  }
}

interface AdmitOptions {
  readonly policy: AdmissionPolicy
  readonly options: PurserMiddlewareOptions
  readonly model: Pick<LanguageModelV4, 'provider' | 'modelId'>
  readonly params: LanguageModelV4CallOptions
}

async function admit(user: AiSdkUser, { policy, options, model, params }: AdmitOptions): Promise<Meter> {
  params.abortSignal?.throwIfAborted()
  const name = nameOf(model)
  if (!policy.requiresAdmission(params.prompt)) {
    return requireOwnModel(await admitCall(user, { cost: 0, model: name, call: params }), name)
  }
  const { cost, idempotencyKey: key } = options
  const idempotencyKey = policy.isFirst() ? key : undefined
  const onRefund = (): void => policy.recordRefund()
  const admitted = await admitCall(user, { cost, idempotencyKey, model: name, call: params, onRefund })
  policy.recordAdmission()
  return requireOwnModel(admitted, name)
}

/** `openai/gpt-6`: the AI SDK's providers name their API as well, as in `openai.responses`. */
function nameOf({ provider, modelId }: Pick<LanguageModelV4, 'provider' | 'modelId'>): string {
  return `${provider.split('.')[0]}/${modelId}`
}

/** The model is the application's own: a limit that asks for another one refuses the call. */
async function requireOwnModel({ meter, otherModel }: AdmittedCall, name: string): Promise<Meter> {
  if (otherModel === undefined) return meter
  const error = new PurserError('cap_reached', `A limit sends calls of '${name}' to '${otherModel}'.`, {
    hint: 'Call that model, or use purserModel, which changes the model by itself.',
    details: { reason: 'limit', model: otherModel, resetAt: null, retryAfterMs: null },
  })
  await meter.refund(error)
  throw error
}
