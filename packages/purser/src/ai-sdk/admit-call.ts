import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { DEFAULTS } from '../options.ts'
import { createRefusalError } from './admission-policy.ts'
import type { AiSdkUser, CallRecord } from './ai-sdk-user.ts'
import { estimatePromptTokens, type Meter } from './metering.ts'

export interface AdmitCallOptions {
  /** In turns; 0 for a step after a tool. */
  readonly cost?: number | undefined
  readonly idempotencyKey?: string | undefined
  /** `provider/model`. */
  readonly model: string
  readonly call: LanguageModelV4CallOptions
  readonly session?: string | undefined
  /** The call failed before the model answered anything. */
  onRefund?(): void
}

export interface AdmittedCall {
  readonly meter: Meter
  /** The `provider/model` that a limit sends the call to; undefined: the one that was asked for. */
  readonly otherModel: string | undefined
}

/** Admits a call and holds an estimate of what it will use. Rejects with `cap_reached` or `user_blocked`. */
export async function admitCall(user: AiSdkUser, options: AdmitCallOptions): Promise<AdmittedCall> {
  const { cost, idempotencyKey, model, call, session = null, onRefund } = options
  const estimate = estimateCall(call)
  const admission = await user.ledger.admit({ cost, idempotencyKey, model, estimate, signal: call.abortSignal })
  const downgradedBy = (admission.allowed ? admission.downgradedBy : null) ?? null
  const otherModel = (downgradedBy !== null && admission.allowed && admission.model) || undefined
  const traced = { model: otherModel ?? model, downgradedBy, weight: cost ?? 1, estimate, session }
  const record = user.traceCall?.(traced)
  if (!admission.allowed) {
    record?.refuse(admission)
    throw createRefusalError(admission)
  }
  return { meter: createMeter(user, admission.ticket, { record, onRefund }), otherModel }
}

function estimateCall({ prompt, maxOutputTokens }: LanguageModelV4CallOptions): {
  readonly inputTokens: number
  readonly outputTokens: number
} {
  const { hold } = DEFAULTS.ledger
  const outputTokens = Math.min(maxOutputTokens ?? hold.outputTokens, hold.maxOutputTokens)
  return { inputTokens: estimatePromptTokens(prompt), outputTokens }
}

/** A ticket that cannot be closed must not replace the answer, or the error, that the caller is about to get. */
function createMeter(
  { ledger }: AiSdkUser,
  ticket: string,
  { record, onRefund }: { readonly record: CallRecord | undefined; readonly onRefund: (() => void) | undefined },
): Meter {
  let isClosed = false
  const closeOnce = async (close: () => Promise<unknown>): Promise<void> => {
    if (isClosed) return
    isClosed = true
    await close().catch(() => undefined)
  }
  return {
    setContext: (context) => record?.setContext(context),
    beginAnswer: () => record?.beginAnswer(),
    settle: ({ tokens, ...ending }) =>
      closeOnce(() => {
        // Written with the settlement.
        record?.end({ ...ending, usage: tokens, admission: 'counted' })
        return ledger.settle(ticket, tokens ?? {})
      }),
    refund: (error) =>
      closeOnce(() => {
        onRefund?.()
        record?.end({ outcome: 'failed', error, admission: 'refunded' })
        return ledger.refund(ticket)
      }),
  }
}
