import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { ChatChunk, ChatRequest } from '../openai/chat.ts'
import { createAdmissionPolicy, createRefusalError } from './admission-policy.ts'
import { admitCall } from './admit-call.ts'
import type { AiSdkOptions, AiSdkUser, AnsweredTurn, LeasedRuntime } from './ai-sdk-user.ts'
import { convertToChatRequest } from './convert-to-chat-request.ts'
import { injectContext } from './inject-context.ts'
import { createGenerateResult, createStreamResult } from './language-model.ts'
import { type Meter, meterGenerate, meterStream } from './metering.ts'

/**
 * A language model of the AI SDK that runs on the user's own settings and keys, with everything handled: admission,
 * context, cached answers and token counts.
 *
 * Create one model for each incoming request. Its first call, and each later call whose prompt ends with a user
 * message, is a turn: it is admitted and counted, and may be answered from the cache. A step after a tool carries the
 * user's settings and context as well and goes to the user's model directly: it is no turn, but its tokens and its cost
 * are limited and counted.
 * Cancelling the stream stops the upstream call; the turn stays counted.
 *
 * @param user The handle of `purser.user(id)`.
 * @param options Session, override, rendering of the context, cost, cache and idempotency key; see `AiSdkOptions`.
 * @returns The model, for `generateText`, `streamText` and agents. Over the limit, a call rejects with the
 *   `PurserError` `cap_reached`, for a blocked user with `user_blocked`; no provider is called, `details` has `reason`,
 *   `resetAt` and `retryAfterMs`, and the AI SDK does not retry. Otherwise calls reject with the codes of `user.turn`:
 *   `model_required`, `secret_missing`, `runtime_busy`, `request_invalid`, `upstream_failed`, `upstream_timeout` and
 *   others.
 *
 * @example
 * ```ts
 * import { streamText } from 'ai'
 * import { openPurser } from 'purser'
 * import { purserModel } from 'purser/ai-sdk'
 *
 * await using purser = await openPurser({
 *   store: 'sqlite:purser.db',
 *   providers: { openai: { kind: 'openai', apiKey: process.env.OPENAI_API_KEY, defaultModel: 'gpt-5' } },
 *   runtime: { defaults: { provider: 'openai' } },
 *   ledger: { dailyCap: 50 },
 * })
 * const { textStream } = streamText({ model: purserModel(purser.user('ada')), prompt: 'Hello' })
 * for await (const text of textStream) process.stdout.write(text)
 * ```
 */
export function purserModel(user: AiSdkUser, options: AiSdkOptions = {}): LanguageModelV4 {
  const policy = createAdmissionPolicy()
  const { idempotencyKey, ...turnOptions } = options

  async function takeTurn(call: LanguageModelV4CallOptions, stream: boolean): Promise<[AnsweredTurn, ChatRequest]> {
    const request = {
      ...convertToChatRequest(call),
      stream,
      ...(stream ? { stream_options: { include_usage: true } } : {}),
    }
    const key = policy.isFirst() ? { idempotencyKey } : {}
    const turn = await user.turn(request, {
      ...turnOptions,
      ...key,
      endpoint: 'ai-sdk',
      signal: call.abortSignal,
    })
    if (!turn.allowed) throw createRefusalError(turn.admission)
    policy.recordAdmission()
    return [turn, request]
  }

  /** Prepares a step of an admitted turn: a lease on the user's model, and the call for it, admitted with weight 0. */
  async function prepareStep(call: LanguageModelV4CallOptions): Promise<Step> {
    const { session, override } = options
    const signal = call.abortSignal
    let lease = await user.runtime.acquire({ session, override, signal })
    try {
      const { call: callWithContext, context } = await injectContext(user, call, options)
      const { provider, model } = lease.settings
      const { meter, otherModel } = await admitCall(user, { cost: 0, model: `${provider}/${model}`, call, session })
      meter.setContext(context)
      if (otherModel !== undefined) {
        lease.release()
        const slash = otherModel.indexOf('/')
        const other = { provider: otherModel.slice(0, slash), model: otherModel.slice(slash + 1) }
        lease = await user.runtime
          .acquire({ session, override: { ...override, ...other }, signal })
          .catch(async (error) => {
            await meter.refund(error)
            throw error
          })
      }
      return { lease, meter, call: applyUserParameters(callWithContext, lease.settings.parameters) }
    } catch (error) {
      lease.release()
      throw error
    }
  }

  return {
    specificationVersion: 'v4',
    provider: 'purser',
    modelId: 'auto',
    supportedUrls: { 'image/*': [/^https?:\/\//] },

    async doGenerate(call) {
      if (policy.requiresAdmission(call.prompt)) {
        const [turn, body] = await takeTurn(call, false)
        return createGenerateResult(await turn.completion(), body)
      }
      const { lease, meter, call: step } = await prepareStep(call)
      try {
        return await meterGenerate(meter, step, () => lease.model.doGenerate(step))
      } finally {
        lease.release()
      }
    },

    async doStream(call) {
      if (policy.requiresAdmission(call.prompt)) {
        const [turn, body] = await takeTurn(call, true)
        return createStreamResult(cancelOnReturn(turn), { body, includeRaw: call.includeRawChunks === true })
      }
      const { lease, meter, call: step } = await prepareStep(call)
      try {
        const result = await meterStream(meter, step, () => lease.model.doStream(step))
        return { ...result, stream: releaseOnEnd(result.stream, lease) }
      } catch (error) {
        lease.release()
        throw error
      }
    },
  }
}

interface Step {
  readonly lease: LeasedRuntime
  readonly meter: Meter
  readonly call: LanguageModelV4CallOptions
}

/** The user's parameters as defaults of the call. Settings hold them under AI SDK names, except `reasoningEffort`. */
function applyUserParameters(
  call: LanguageModelV4CallOptions,
  { reasoningEffort, providerOptions, ...parameters }: Readonly<Record<string, unknown>>,
): LanguageModelV4CallOptions {
  const defaults: Record<string, unknown> = {
    ...parameters,
    ...(reasoningEffort === undefined ? {} : { reasoning: reasoningEffort }),
    ...(providerOptions === undefined ? {} : { providerOptions }),
  }
  const defined = Object.fromEntries(Object.entries(call).filter(([, value]) => value !== undefined))
  return { ...defaults, ...defined, prompt: call.prompt }
}

/** The chunks of the turn. A reader that returns early cancels the turn, also while it waits for the upstream. */
function cancelOnReturn(turn: AnsweredTurn): AsyncIterable<ChatChunk> {
  const source = turn.chunks[Symbol.asyncIterator]()
  const iterator: AsyncIterator<ChatChunk> = {
    next: () => source.next(),
    async return() {
      await turn.cancel()
      return { value: undefined, done: true }
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

/** The same stream; the lease is released when it has ended, failed or been cancelled. */
function releaseOnEnd<Part>(stream: ReadableStream<Part>, lease: LeasedRuntime): ReadableStream<Part> {
  const reader = stream.getReader()
  return new ReadableStream<Part>({
    async pull(controller) {
      try {
        const { value, done } = await reader.read()
        if (!done) return controller.enqueue(value)
        lease.release()
        controller.close()
      } catch (error) {
        lease.release()
        controller.error(error)
      }
    },
    async cancel(reason) {
      lease.release()
      await reader.cancel(reason)
    },
  })
}
