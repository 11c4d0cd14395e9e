import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion } from '../openai/chat.ts'
import type { ChatCall, ChatModel } from '../openai/chat-model.ts'
import { finishReasonOf, usageOf } from '../openai/completion.ts'
import { mapFinishReasonFromOpenAi, mapUsageFromOpenAi } from '../openai/map-finish-reason.ts'
import { isComment } from '../openai/sse.ts'
import { convertToChatRequest } from './convert-to-chat-request.ts'
import { convertToContent, convertToMetadata, StreamPartWriter } from './convert-to-stream-parts.ts'

/** Callers of the AI SDK limit calls with their own abort signal; these limits end calls without one. */
const TIMEOUTS: Omit<ChatCall, 'signal'> = { firstChunkTimeoutMs: 600_000, idleTimeoutMs: 300_000 }

/** A chat model as an AI SDK language model: `lease.model` of a provider that Purser calls over HTTP itself. */
export function createLanguageModel(chatModel: ChatModel): LanguageModelV4 {
  const createCall = ({ abortSignal }: LanguageModelV4CallOptions): ChatCall => ({
    ...TIMEOUTS,
    signal: abortSignal ?? new AbortController().signal,
  })

  return {
    specificationVersion: 'v4',
    provider: chatModel.provider,
    modelId: chatModel.model,
    supportedUrls: { 'image/*': [/^https?:\/\//] },

    async doGenerate(options) {
      const body = convertToChatRequest(options)
      const answer = await chatModel.chat({ ...body, stream: false }, createCall(options))
      if (answer.kind !== 'completion') throw new TypeError('Expected a completion.')
      return createGenerateResult(JSON.parse(answer.text) as ChatCompletion, body)
    },

    async doStream(options) {
      const body = convertToChatRequest(options)
      const answer = await chatModel.chat({ ...body, stream: true }, createCall(options))
      if (answer.kind !== 'stream') throw new TypeError('Expected a stream.')
      return createStreamResult(parseChunks(answer.chunks), { body, includeRaw: options.includeRawChunks === true })
    },
  }
}

/** Not a generator: `return()` of a generator waits for a pending `next()`, so that a silent upstream would go on. */
function parseChunks(texts: AsyncIterable<string>): AsyncIterable<ChatChunk> {
  const source = texts[Symbol.asyncIterator]()
  const iterator: AsyncIterator<ChatChunk> = {
    async next() {
      for (;;) {
        const { value, done } = await source.next()
        if (done === true) return { value: undefined, done }
        if (!isComment(value)) return { value: JSON.parse(value) as ChatChunk, done: false }
      }
    },
    async return() {
      await source.return?.()
      return { value: undefined, done: true }
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

export function createGenerateResult(completion: ChatCompletion, body: unknown): LanguageModelV4GenerateResult {
  return {
    content: convertToContent(completion),
    finishReason: mapFinishReasonFromOpenAi(finishReasonOf(completion)),
    usage: mapUsageFromOpenAi(usageOf(completion)),
    request: { body },
    response: convertToMetadata(completion),
    warnings: [],
  }
}

export function createStreamResult(
  chunks: AsyncIterable<ChatChunk>,
  { body, includeRaw }: { readonly body: unknown; readonly includeRaw: boolean },
): LanguageModelV4StreamResult {
  return { stream: createPartStream(chunks, includeRaw), request: { body } }
}

/** Pulled by its reader: the upstream is read no faster than the stream. */
function createPartStream(
  chunks: AsyncIterable<ChatChunk>,
  includeRaw: boolean,
): ReadableStream<LanguageModelV4StreamPart> {
  const source = chunks[Symbol.asyncIterator]()
  const writer = new StreamPartWriter()
  return new ReadableStream<LanguageModelV4StreamPart>({
    start(controller) {
      controller.enqueue({ type: 'stream-start', warnings: [] })
    },
    async pull(controller) {
      for (let parts: LanguageModelV4StreamPart[] = []; parts.length === 0; ) {
        const { value, done } = await source.next()
        if (done === true) {
          for (const part of writer.end()) controller.enqueue(part)
          return controller.close()
        }
        parts = writer.write(value)
        if (includeRaw) parts.unshift({ type: 'raw', rawValue: value })
        for (const part of parts) controller.enqueue(part)
      }
    },
    async cancel() {
      await source.return?.()
    },
  })
}
