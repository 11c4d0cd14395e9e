import type { LanguageModelV4, LanguageModelV4CallOptions } from '@ai-sdk/provider'
import type { ChatChunk, ChatRequest } from '../openai/chat.ts'
import { convertToChatRequest } from './convert-to-chat-request.ts'
import { generated, streamed } from './language-model.ts'
import { promptWithContext, withUserParameters } from './params.ts'
import { createGate, refusalError } from './turn-gate.ts'
import type { AiSdkOptions, AiSdkUser, AnsweredTurn, LeasedRuntime } from './user.ts'

/**
 * The user's own model with everything handled: admission, settings and keys, context, kept answers, and the count of
 * tokens. Make one object for each request. A call that is admitted (the first, and each whose prompt ends in a user
 * message) is a turn; a step after a tool goes on with the same settings and context, and is not counted again.
 * A refused call rejects with `cap_reached` or `user_blocked`, which the AI SDK does not try again.
 */
export function purserModel(user: AiSdkUser, options: AiSdkOptions = {}): LanguageModelV4 {
  const gate = createGate()
  const { idempotencyKey, ...ordinary } = options

  async function turn(call: LanguageModelV4CallOptions, stream: boolean): Promise<[AnsweredTurn, ChatRequest]> {
    const request = {
      ...convertToChatRequest(call),
      stream,
      ...(stream ? { stream_options: { include_usage: true } } : {}),
    }
    const key = gate.first() ? { idempotencyKey } : {}
    const taken = await user.turn(request, { ...ordinary, ...key, signal: call.abortSignal })
    if (!taken.allowed) throw refusalError(taken.admission)
    gate.admitted()
    return [taken, request]
  }

  /** A step of a turn that was admitted: straight to the user's model. */
  async function step(call: LanguageModelV4CallOptions): Promise<[LeasedRuntime, LanguageModelV4CallOptions]> {
    const { session, override, mode, timeZone } = options
    const signal = call.abortSignal
    const [lease, context] = await Promise.all([
      user.runtime.acquire({ session, override, signal }),
      user.context.resolve({ mode, timeZone, signal }),
    ])
    const prompt = promptWithContext(call.prompt, context.text)
    return [lease, withUserParameters({ ...call, prompt }, lease.settings.parameters)]
  }

  return {
    specificationVersion: 'v4',
    provider: 'purser',
    modelId: 'auto',
    supportedUrls: { 'image/*': [/^https?:\/\//] },

    async doGenerate(call) {
      if (gate.asks(call.prompt)) {
        const [taken, body] = await turn(call, false)
        return generated(await taken.completion(), body)
      }
      const [lease, prepared] = await step(call)
      try {
        return await lease.model.doGenerate(prepared)
      } finally {
        lease.release()
      }
    },

    async doStream(call) {
      if (gate.asks(call.prompt)) {
        const [taken, body] = await turn(call, true)
        return streamed(cancelling(taken), { body, raw: call.includeRawChunks === true })
      }
      const [lease, prepared] = await step(call)
      try {
        const result = await lease.model.doStream(prepared)
        return { ...result, stream: releasing(result.stream, lease) }
      } catch (error) {
        lease.release()
        throw error
      }
    },
  }
}

/** The turn's chunks; who leaves them cancels the turn, also while it waits for the upstream. */
function cancelling(turn: AnsweredTurn): AsyncIterable<ChatChunk> {
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

/** The same stream; the lease goes back when it has ended, failed or been left. */
function releasing<Part>(stream: ReadableStream<Part>, lease: LeasedRuntime): ReadableStream<Part> {
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
