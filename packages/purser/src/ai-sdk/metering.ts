import type {
  LanguageModelV4GenerateResult,
  LanguageModelV4StreamPart,
  LanguageModelV4StreamResult,
  LanguageModelV4Usage,
} from '@ai-sdk/provider'

/** Closes the ticket of one call. The first of the two methods to be called decides; later calls do nothing. */
export interface Meter {
  /** The call was answered, or its reader stopped; tokens as far as they are known. */
  settle(usage: LanguageModelV4Usage | undefined): Promise<void>
  /** The call failed before the model answered anything. */
  refund(): Promise<void>
}

/** Runs a call without streaming. An abort by the caller is not a failure of the upstream: the call stays counted. */
export async function meterGenerate(
  meter: Meter,
  signal: AbortSignal | undefined,
  run: () => PromiseLike<LanguageModelV4GenerateResult>,
): Promise<LanguageModelV4GenerateResult> {
  const result = await refundOnFailure(meter, signal, run)
  await meter.settle(result.usage)
  return result
}

/** Runs a call that streams. The meter is settled or refunded when the stream ends, fails or is cancelled. */
export async function meterStream(
  meter: Meter,
  signal: AbortSignal | undefined,
  run: () => PromiseLike<LanguageModelV4StreamResult>,
): Promise<LanguageModelV4StreamResult> {
  const result = await refundOnFailure(meter, signal, run)
  return { ...result, stream: createMeteredStream(meter, signal, result.stream) }
}

async function refundOnFailure<Result>(
  meter: Meter,
  signal: AbortSignal | undefined,
  run: () => PromiseLike<Result>,
): Promise<Result> {
  try {
    return await run()
  } catch (error) {
    await (signal?.aborted ? meter.settle(undefined) : meter.refund())
    throw error
  }
}

/** Parts that precede the output of a model. */
const PRELUDE_PARTS: ReadonlySet<string> = new Set(['stream-start', 'response-metadata', 'raw', 'ping'])

function createMeteredStream(
  meter: Meter,
  signal: AbortSignal | undefined,
  source: ReadableStream<LanguageModelV4StreamPart>,
): ReadableStream<LanguageModelV4StreamPart> {
  const reader = source.getReader()
  let usage: LanguageModelV4Usage | undefined
  let hasOutput = false

  const onFailure = () => (hasOutput || signal?.aborted ? meter.settle(usage) : meter.refund())
  return new ReadableStream({
    async pull(controller) {
      try {
        const { value, done } = await reader.read()
        if (done) {
          await meter.settle(usage)
          return controller.close()
        }
        if (value.type === 'error') await onFailure()
        else if (!PRELUDE_PARTS.has(value.type)) hasOutput = true
        if (value.type === 'finish') usage = value.usage
        controller.enqueue(value)
      } catch (error) {
        await onFailure()
        controller.error(error)
      }
    },
    async cancel(reason) {
      await meter.settle(usage)
      await reader.cancel(reason)
    },
  })
}
