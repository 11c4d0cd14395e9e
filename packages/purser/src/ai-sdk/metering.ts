import type {
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'

/** How a call came out, for whoever pays for it. Told once. */
export interface Meter {
  /** It was answered, or its reader left; tokens as far as they are known. */
  settle(usage: LanguageModelV4Usage | undefined): Promise<void>
  /** It failed before it began to answer. */
  giveBack(): Promise<void>
}

/** Runs a call that answers at once. A caller's own abort is no failure of the upstream: the call stays counted. */
export async function meteredGenerate(
  meter: Meter,
  signal: AbortSignal | undefined,
  run: () => PromiseLike<LanguageModelV4GenerateResult>,
): Promise<LanguageModelV4GenerateResult> {
  let result: LanguageModelV4GenerateResult
  try {
    result = await run()
  } catch (error) {
    await (signal?.aborted ? meter.settle(undefined) : meter.giveBack())
    throw error
  }
  await meter.settle(result.usage)
  return result
}

/** Parts that come before a model has said anything. */
const PRELUDE = new Set(['stream-start', 'response-metadata', 'raw', 'ping'])

/** Runs a call that streams, and tells the meter when the stream has ended, failed or been left. */
export async function meteredStream(
  meter: Meter,
  signal: AbortSignal | undefined,
  run: () => PromiseLike<LanguageModelV4StreamResult>,
): Promise<LanguageModelV4StreamResult> {
  let result: LanguageModelV4StreamResult
  try {
    result = await run()
  } catch (error) {
    await (signal?.aborted ? meter.settle(undefined) : meter.giveBack())
    throw error
  }
  return { ...result, stream: watched(meter, signal, result.stream) }
}

function watched(
  meter: Meter,
  signal: AbortSignal | undefined,
  source: ReadableStream<LanguageModelV4StreamPart>,
): ReadableStream<LanguageModelV4StreamPart> {
  const reader = source.getReader()
  let usage: LanguageModelV4Usage | undefined
  let begun = false

  const failed = () => (begun || signal?.aborted ? meter.settle(usage) : meter.giveBack())
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value, done } = await reader.read()
        if (done) {
          await meter.settle(usage)
          return controller.close()
        }
        if (value.type === 'error') await failed()
        else if (!PRELUDE.has(value.type)) begun = true
        if (value.type === 'finish') usage = value.usage
        controller.enqueue(value)
      } catch (error) {
        await failed()
        controller.error(error)
      }
    },
    async cancel(reason) {
      await meter.settle(usage)
      await reader.cancel(reason)
    },
  })
}
