import type {
  LanguageModelV4CallOptions,
  LanguageModelV4GenerateResult,
  LanguageModelV4Prompt,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'
import { tokensOfBytes, tokensOfDelta } from '../openai/estimate-tokens.ts'
import { ToolCalls } from '../openai/tool-calls.ts'

/** The user's context. Its other fields are for the record of a call. */
export interface InjectedContext {
  readonly text: string
}

/** Tokens as far as they are known. */
export interface MeteredTokens {
  readonly inputTokens: number | undefined
  readonly outputTokens: number | undefined
  readonly cachedTokens?: number | undefined
  readonly cacheWriteTokens?: number | undefined
  readonly toolCalls?: number | undefined
}

/** The tools that were called, by name. */
export type MeteredTools = readonly { readonly name: string; readonly calls: number }[]

export interface MeteredEnding {
  readonly outcome: 'completed' | 'failed' | 'cancelled'
  /** Undefined: nothing is known of what it used. */
  readonly tokens?: MeteredTokens | undefined
  readonly tools?: MeteredTools | undefined
  readonly error?: unknown
}

/** Closes the ticket of one call. The first of `settle` and `refund` decides; later calls do nothing. */
export interface Meter {
  /** The context that the call is made with. */
  setContext(context: InjectedContext): void
  /** The model begins to answer. */
  beginAnswer(): void
  /** The call was answered, broke while it was answered, or its reader stopped. */
  settle(ending: MeteredEnding): Promise<void>
  /** The call failed before the model answered anything. */
  refund(error?: unknown): Promise<void>
}

/** Runs a call without streaming. An abort by the caller is not a failure of the upstream: the call stays counted. */
export async function meterGenerate(
  meter: Meter,
  { abortSignal: signal, tools }: LanguageModelV4CallOptions,
  run: () => PromiseLike<LanguageModelV4GenerateResult>,
): Promise<LanguageModelV4GenerateResult> {
  const result = await refundOnFailure(meter, signal, run)
  const calls = new ToolCalls(tools)
  calls.add(result.content.flatMap((part) => (part.type === 'tool-call' ? [part.toolName] : [])))
  await meter.settle({ outcome: 'completed', tokens: tokensOf(result.usage, calls.total), tools: calls.list() })
  return result
}

/** Runs a call that streams. The meter is settled or refunded when the stream ends, fails or is cancelled. */
export async function meterStream(
  meter: Meter,
  call: LanguageModelV4CallOptions,
  run: () => PromiseLike<LanguageModelV4StreamResult>,
): Promise<LanguageModelV4StreamResult> {
  const result = await refundOnFailure(meter, call.abortSignal, run)
  return { ...result, stream: createMeteredStream(meter, call, result.stream) }
}

async function refundOnFailure<Result>(
  meter: Meter,
  signal: AbortSignal | undefined,
  run: () => PromiseLike<Result>,
): Promise<Result> {
  try {
    const answer = await run()
    meter.beginAnswer()
    return answer
  } catch (error) {
    await (signal?.aborted ? meter.settle({ outcome: 'cancelled' }) : meter.refund(error))
    throw error
  }
}

/** Parts that precede the output of a model. */
const PRELUDE_PARTS: ReadonlySet<string> = new Set(['stream-start', 'response-metadata', 'raw', 'ping'])

function createMeteredStream(
  meter: Meter,
  { abortSignal: signal, prompt, tools }: LanguageModelV4CallOptions,
  source: ReadableStream<LanguageModelV4StreamPart>,
): ReadableStream<LanguageModelV4StreamPart> {
  const reader = source.getReader()
  let usage: LanguageModelV4Usage | undefined
  let deliveredTokens = 0
  const calls = new ToolCalls(tools)
  let hasOutput = false

  // Of a stream that was left or cut, what was delivered is counted.
  const settle = (outcome: MeteredEnding['outcome'], error?: unknown) => {
    const delivered = {
      inputTokens: estimatePromptTokens(prompt),
      outputTokens: deliveredTokens,
      toolCalls: calls.total,
    }
    const reported = tokensOf(usage, calls.total)
    const tokens = outcome === 'completed' ? reported : (reported ?? delivered)
    return meter.settle({ outcome, tokens, tools: calls.list(), error })
  }
  const onFailure = (error: unknown) => {
    if (signal?.aborted) return settle('cancelled')
    return hasOutput ? settle('failed', error) : meter.refund(error)
  }
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value, done } = await reader.read()
        if (done) {
          await settle('completed')
          return controller.close()
        }
        if (value.type === 'error') await onFailure(value.error)
        else if (!PRELUDE_PARTS.has(value.type)) hasOutput = true
        if (value.type === 'finish') usage = value.usage
        else if (value.type === 'tool-call') calls.add([value.toolName])
        if ('delta' in value) deliveredTokens += tokensOfDelta(Buffer.byteLength(value.delta))
        controller.enqueue(value)
      } catch (error) {
        await onFailure(error)
        controller.error(error)
      }
    },
    async cancel(reason) {
      await settle('cancelled')
      await reader.cancel(reason)
    },
  })
}

export function estimatePromptTokens(prompt: LanguageModelV4Prompt): number {
  let bytes = 0
  for (const { content } of prompt) {
    const parts = typeof content === 'string' ? [{ text: content }] : content
    for (const part of parts) if ('text' in part) bytes += Buffer.byteLength(part.text)
  }
  return tokensOfBytes(bytes)
}

function tokensOf(usage: LanguageModelV4Usage | undefined, toolCalls: number): MeteredTokens | undefined {
  if (usage === undefined) return undefined
  const { inputTokens, outputTokens } = usage
  return {
    inputTokens: inputTokens.total,
    outputTokens: outputTokens.total,
    cachedTokens: inputTokens.cacheRead,
    cacheWriteTokens: inputTokens.cacheWrite,
    toolCalls,
  }
}
