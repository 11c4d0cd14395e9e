import type { LanguageModelV4CallOptions, LanguageModelV4Middleware } from '@ai-sdk/provider'
import { type AdmissionPolicy, createAdmissionPolicy, createRefusalError } from './admission-policy.ts'
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
 * with a user message; steps after a tool belong to the message before them and are not admitted again. The context is
 * appended to the last leading system message. The tokens of an admitted call are settled when its answer ends. A call
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

  async function prepare(params: LanguageModelV4CallOptions): Promise<[Meter, LanguageModelV4CallOptions]> {
    const meter = await admit(user, { policy, options, params })
    try {
      return [meter, await injectContext(user, params, options)]
    } catch (error) {
      await meter.refund()
      throw error
    }
  }

  return {
    specificationVersion: 'v4',
    async wrapGenerate({ model, params }) {
      const [meter, call] = await prepare(params)
      return meterGenerate(meter, params.abortSignal, () => model.doGenerate(call))
    },
    async wrapStream({ model, params }) {
      const [meter, call] = await prepare(params)
      return meterStream(meter, call, () => model.doStream(call))
    },
  }
}

interface AdmitOptions {
  readonly policy: AdmissionPolicy
  readonly options: PurserMiddlewareOptions
  readonly params: LanguageModelV4CallOptions
}

/** For calls without an admission of their own. */
const NO_METER: Meter = { settle: async () => undefined, refund: async () => undefined }

async function admit(user: AiSdkUser, { policy, options, params }: AdmitOptions): Promise<Meter> {
  const signal = params.abortSignal
  signal?.throwIfAborted()
  if (!policy.requiresAdmission(params.prompt)) return NO_METER
  const { cost, idempotencyKey } = options
  const key = policy.isFirst() ? idempotencyKey : undefined
  const admission = await user.ledger.admit({ cost, idempotencyKey: key, signal })
  if (!admission.allowed) throw createRefusalError(admission)
  policy.recordAdmission()
  return createMeter(user, policy, admission.ticket)
}

/** A ticket that cannot be closed must not replace the answer, or the error, that the caller is about to get. */
function createMeter({ ledger }: AiSdkUser, policy: AdmissionPolicy, ticket: string): Meter {
  let isClosed = false
  const closeOnce = async (close: () => Promise<unknown>): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await close().catch(() => undefined)
  }
  return {
    settle: (tokens) => closeOnce(() => ledger.settle(ticket, tokens ?? {})),
    refund: () =>
      closeOnce(() => {
        policy.recordRefund()
        return ledger.refund(ticket)
      }),
  }
}
