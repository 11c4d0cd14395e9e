import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { Effects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'
import type { ChatRequest } from '../../openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../../openai/chat-model.ts'
import { createChunkTimeouts } from '../http/timeouts.ts'
import { createTextStream, type TextSource } from '../text-stream.ts'
import { convertToCallOptions } from './call-options.ts'
import { ChunkWriter, completionFrom } from './chunk-writer.ts'
import { sdkFailure } from './errors.ts'

export interface ChatOverOptions {
  readonly effects: Effects
  readonly provider: string
  readonly language: LanguageModelV4
  /** Takes keys out of what a provider says. Default: it is told as it is. */
  readonly hide?: ((text: string) => string) | undefined
}

/** An AI SDK language model as a chat model: for providers that do not speak OpenAI's format themselves. */
export function chatModelOver({ effects, provider, language, hide = (text) => text }: ChatOverOptions): ChatModel {
  const model = language.modelId

  async function chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer> {
    call.signal.throwIfAborted()
    const leash = holdOn(call.signal)
    const patience = createChunkTimeouts({ ...call, effects, provider, onLate: (reason) => leash.cut(reason) })
    const end = () => {
      patience.end()
      leash.release()
    }
    const explain = (cause: unknown) =>
      leash.signal.aborted ? leash.signal.reason : sdkFailure(cause, { provider, now: effects.now(), hide })
    try {
      const told = { id: `chatcmpl-${effects.randomId()}`, created: Math.floor(effects.now() / 1000), model }
      const options = convertToCallOptions(request, leash.signal)
      if (request.stream !== true) {
        const result = await leash.race(language.doGenerate(options))
        end()
        return { kind: 'completion', text: JSON.stringify(completionFrom(result, told)) }
      }
      const { stream: parts } = await leash.race(language.doStream(options))
      const source = chunkSource({ provider, parts, writer: new ChunkWriter(told), leash })
      const chunks = createTextStream({ source, patience, explain })
      await chunks.begin()
      return { kind: 'stream', chunks }
    } catch (cause) {
      end()
      throw explain(cause)
    }
  }

  return { provider, model, chat }
}

/** A signal of the call's own, cut by the caller's abort or by time, that also frees a reader of a deaf model. */
interface Leash {
  readonly signal: AbortSignal
  cut(reason: unknown): void
  race<T>(promise: PromiseLike<T>): Promise<T>
  release(): void
}

function holdOn(caller: AbortSignal): Leash {
  const controller = new AbortController()
  const onAbort = () => controller.abort(caller.reason)
  caller.addEventListener('abort', onAbort)
  return {
    signal: controller.signal,
    cut: (reason) => controller.abort(reason),
    async race<T>(promise: PromiseLike<T>): Promise<T> {
      controller.signal.throwIfAborted()
      const { promise: cut, reject } = Promise.withResolvers<never>()
      const leave = () => reject(controller.signal.reason)
      controller.signal.addEventListener('abort', leave, { once: true })
      try {
        return await Promise.race([promise, cut])
      } finally {
        controller.signal.removeEventListener('abort', leave)
      }
    },
    release: () => caller.removeEventListener('abort', onAbort),
  }
}

interface PartSource {
  readonly provider: string
  readonly parts: ReadableStream<LanguageModelV4StreamPart>
  readonly writer: ChunkWriter
  readonly leash: Leash
}

function chunkSource({ provider, parts, writer, leash }: PartSource): TextSource {
  const reader = parts.getReader()
  return {
    async next() {
      const { value, done } = await leash.race(reader.read())
      if (!done) return writer.take(value).map((chunk) => JSON.stringify(chunk))
      leash.release()
      if (writer.isFinished) return undefined
      throw new PurserError('upstream_failed', `The provider '${provider}' cut its answer.`)
    },
    stop(reason) {
      leash.release()
      leash.cut(reason)
      reader.cancel(reason).catch(() => undefined)
    },
  }
}
