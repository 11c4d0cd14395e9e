import type {
  LanguageModelV4,
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
} from '@ai-sdk/provider'
import type { ChatChunk, ChatCompletion } from '../openai/chat.ts'
import type { ChatCall, ChatModel } from '../openai/chat-model.ts'
import { finishOf, usageOf } from '../openai/completion.ts'
import { finishFromOpenAi, usageFromOpenAi } from '../openai/map-finish-reason.ts'
import { convertToChatRequest } from './convert-to-chat-request.ts'
import { convertToContent, convertToMetadata, PartWriter } from './convert-to-stream-parts.ts'

/** An AI SDK call brings its own abort signal; these only end a call that nobody would end. */
const TIMEOUTS: Omit<ChatCall, 'signal'> = { firstChunkTimeoutMs: 600_000, idleTimeoutMs: 300_000 }

/** A chat model as an AI SDK language model, so that one HTTP client serves both faces. */
export function languageModelOver(chat: ChatModel): LanguageModelV4 {
  const callOf = ({ abortSignal }: LanguageModelV4CallOptions): ChatCall => ({
    ...TIMEOUTS,
    signal: abortSignal ?? new AbortController().signal,
  })

  return {
    specificationVersion: 'v4',
    provider: chat.provider,
    modelId: chat.model,
    supportedUrls: { 'image/*': [/^https?:\/\//] },

    async doGenerate(options) {
      const body = convertToChatRequest(options)
      const answer = await chat.chat({ ...body, stream: false }, callOf(options))
      if (answer.kind !== 'completion') throw new TypeError('A completion was asked for.')
      return generated(JSON.parse(answer.text) as ChatCompletion, body)
    },

    async doStream(options) {
      const body = convertToChatRequest(options)
      const answer = await chat.chat({ ...body, stream: true }, callOf(options))
      if (answer.kind !== 'stream') throw new TypeError('A stream was asked for.')
      return streamed(parsed(answer.chunks), { body, raw: options.includeRawChunks === true })
    },
  }
}

/** Not a generator: one that waits for its upstream could not be left before the next chunk. */
function parsed(texts: AsyncIterable<string>): AsyncIterable<ChatChunk> {
  const source = texts[Symbol.asyncIterator]()
  const iterator: AsyncIterator<ChatChunk> = {
    async next() {
      const { value, done } = await source.next()
      return done === true ? { value: undefined, done } : { value: JSON.parse(value) as ChatChunk, done: false }
    },
    async return() {
      await source.return?.()
      return { value: undefined, done: true }
    },
  }
  return { [Symbol.asyncIterator]: () => iterator }
}

/** A completion as what the AI SDK calls a generate result. */
export function generated(completion: ChatCompletion, body: unknown): LanguageModelV4GenerateResult {
  return {
    content: convertToContent(completion),
    finishReason: finishFromOpenAi(finishOf(completion)),
    usage: usageFromOpenAi(usageOf(completion)),
    request: { body },
    response: convertToMetadata(completion),
    warnings: [],
  }
}

/** Chunks as what the AI SDK calls a stream result. */
export function streamed(
  chunks: AsyncIterable<ChatChunk>,
  { body, raw }: { readonly body: unknown; readonly raw: boolean },
): LanguageModelV4StreamResult {
  return { stream: streamOf(chunks, raw), request: { body } }
}

/** Pulled by its reader: what nobody reads is not asked of the upstream. */
function streamOf(chunks: AsyncIterable<ChatChunk>, raw: boolean): ReadableStream<LanguageModelV4StreamPart> {
  const source = chunks[Symbol.asyncIterator]()
  const writer = new PartWriter()
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
        parts = writer.take(value)
        if (raw) parts.unshift({ type: 'raw', rawValue: value })
        for (const part of parts) controller.enqueue(part)
      }
    },
    async cancel() {
      await source.return?.()
    },
  })
}
