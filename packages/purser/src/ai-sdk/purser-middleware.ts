import type { LanguageModelV4CallOptions, LanguageModelV4Middleware } from '@ai-sdk/provider'
import { type Meter, meteredGenerate, meteredStream } from './metering.ts'
import { promptWithContext } from './params.ts'
import { createGate, type Gate, refusalError } from './turn-gate.ts'
import type { AiSdkOptions, AiSdkUser } from './user.ts'

/** What a middleware takes: the model is yours, so nothing about settings or answers. */
export type PurserMiddlewareOptions = Pick<AiSdkOptions, 'mode' | 'timeZone' | 'cost' | 'idempotencyKey'>

/**
 * Admission, the user's context and the count of tokens around a model of your own. Make one object for each request:
 * its first call is admitted, and each later one whose prompt ends in a user message; steps after a tool are not.
 * A refused call rejects with `cap_reached` or `user_blocked` and reaches no model. The context is appended to the last
 * leading system message. A call that fails before it answers is given back.
 */
export function purserMiddleware(user: AiSdkUser, options: PurserMiddlewareOptions = {}): LanguageModelV4Middleware {
  const gate = createGate()

  async function prepared(params: LanguageModelV4CallOptions): Promise<[Meter, LanguageModelV4CallOptions]> {
    const meter = await admitted(user, { gate, options, params })
    try {
      const { text } = await user.context.resolve({
        mode: options.mode,
        timeZone: options.timeZone,
        signal: params.abortSignal,
      })
      return [meter, { ...params, prompt: promptWithContext(params.prompt, text) }]
    } catch (error) {
      await meter.giveBack()
      throw error
    }
  }

  return {
    specificationVersion: 'v4',
    async wrapGenerate({ model, params }) {
      const [meter, call] = await prepared(params)
      return meteredGenerate(meter, params.abortSignal, () => model.doGenerate(call))
    },
    async wrapStream({ model, params }) {
      const [meter, call] = await prepared(params)
      return meteredStream(meter, params.abortSignal, () => model.doStream(call))
    },
  }
}

interface Asking {
  readonly gate: Gate
  readonly options: PurserMiddlewareOptions
  readonly params: LanguageModelV4CallOptions
}

const FREE: Meter = { settle: async () => undefined, giveBack: async () => undefined }

async function admitted(user: AiSdkUser, { gate, options, params }: Asking): Promise<Meter> {
  const signal = params.abortSignal
  signal?.throwIfAborted()
  if (!gate.asks(params.prompt)) return FREE
  const { cost, idempotencyKey } = options
  const admission = await user.ledger.admit({ cost, idempotencyKey: gate.first() ? idempotencyKey : undefined, signal })
  if (!admission.allowed) throw refusalError(admission)
  gate.admitted()
  return meterOf(user, gate, admission.ticket)
}

/** The answer, or its error, is on its way: a ticket that cannot be closed now must not take its place. */
function meterOf({ ledger }: AiSdkUser, gate: Gate, ticket: string): Meter {
  let told = false
  const once = async (close: () => Promise<unknown>): Promise<void> => {
    if (told) return
    told = true
    await close().catch(() => undefined)
  }
  return {
    settle: (usage) =>
      once(() =>
        ledger.settle(ticket, { inputTokens: usage?.inputTokens.total, outputTokens: usage?.outputTokens.total }),
      ),
    giveBack: () =>
      once(() => {
        gate.givenBack()
        return ledger.refund(ticket)
      }),
  }
}
