import type { LanguageModelV4, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import { withSignal } from '../../core/abort.ts'
import type { AbortSignalLike } from '../../core/call-signal.ts'
import type { Effects } from '../../core/effects.ts'
import { PurserError } from '../../errors.ts'
import type { ChatRequest } from '../../openai/chat.ts'
import type { ChatAnswer, ChatCall, ChatModel } from '../../openai/chat-model.ts'
import { type ChunkSource, createChunkStream } from '../chunk-stream.ts'
import { ChunkTimeouts } from '../chunk-timeouts.ts'
import { ChunkWriter, convertToCompletion } from './chunk-writer.ts'
import { convertToCallOptions } from './convert-to-call-options.ts'
import { mapSdkError } from './errors.ts'

export interface AiSdkChatModelDeps {
  readonly effects: Effects
  readonly provider: string
  readonly languageModel: LanguageModelV4
  /** Removes keys from messages of the provider. Default: no redaction. */
  readonly redact?: ((text: string) => string) | undefined
}

/** An AI SDK language model as a chat model: for providers that do not speak OpenAI's format themselves. */
export function createAiSdkChatModel(deps: AiSdkChatModelDeps): ChatModel {
  const { effects, provider, languageModel, redact = (text) => text } = deps
  const model = languageModel.modelId

  async function chat(request: ChatRequest, call: ChatCall): Promise<ChatAnswer> {
    call.signal.throwIfAborted()
    const abort = linkAbort(call.signal)
    const timeouts = new ChunkTimeouts({ ...call, effects, provider, onTimeout: abort.abort })
    const end = () => {
      timeouts.clear()
      abort.unlink()
    }
    const mapError = (cause: unknown) =>
      abort.signal.aborted ? abort.signal.reason : mapSdkError(cause, { provider, now: effects.now(), redact })
    try {
      const header = { id: `chatcmpl-${effects.randomId()}`, created: Math.floor(effects.now() / 1000), model }
      const options = convertToCallOptions(request, abort.signal)
      if (request.stream !== true) {
        const result = await abort.race(languageModel.doGenerate(options))
        end()
        return { kind: 'completion', text: JSON.stringify(convertToCompletion(result, header)) }
      }
      const { stream: parts } = await abort.race(languageModel.doStream(options))
      const source = createPartChunkSource({ provider, parts, writer: new ChunkWriter(header), abort })
      const chunks = createChunkStream({ source, timeouts, mapError })
      await chunks.start()
      return { kind: 'stream', chunks }
    } catch (cause) {
      end()
      throw mapError(cause)
    }
  }

  return { provider, model, chat }
}

/** A signal of one call: aborted with the caller's signal, by a timeout, or by a reader that stops. */
interface LinkedAbort {
  readonly signal: AbortSignal
  abort(reason: unknown): void
  /** Rejects on abort, also when the model ignores its signal. */
  race<T>(promise: PromiseLike<T>): Promise<T>
  /** Removes the listener on the caller's signal. */
  unlink(): void
}

function linkAbort(callerSignal: AbortSignalLike): LinkedAbort {
  const controller = new AbortController()
  const onAbort = () => controller.abort(callerSignal.reason)
  callerSignal.addEventListener('abort', onAbort)
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    race: (promise) => withSignal(Promise.resolve(promise), controller.signal),
    unlink: () => callerSignal.removeEventListener('abort', onAbort),
  }
}

interface PartChunkSourceDeps {
  readonly provider: string
  readonly parts: ReadableStream<LanguageModelV4StreamPart>
  readonly writer: ChunkWriter
  readonly abort: LinkedAbort
}

function createPartChunkSource({ provider, parts, writer, abort }: PartChunkSourceDeps): ChunkSource {
  const reader = parts.getReader()
  return {
    async next() {
      const { value, done } = await abort.race(reader.read())
      if (!done) return writer.write(value).map((chunk) => JSON.stringify(chunk))
      abort.unlink()
      if (writer.isFinished) return undefined
      throw new PurserError('upstream_failed', `The provider '${provider}' cut its answer.`)
    },
    cancel(reason) {
      abort.unlink()
      abort.abort(reason)
      reader.cancel(reason).catch(() => undefined)
    },
  }
}
