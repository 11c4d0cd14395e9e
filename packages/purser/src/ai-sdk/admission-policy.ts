import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { PurserError } from '../errors.ts'
import { refusalMessage } from '../openai/error-response.ts'
import type { Refusal } from './ai-sdk-user.ts'

/**
 * Decides which calls of one AI SDK request need an admission: the first, and every call whose prompt ends with a user
 * message. A step after a tool belongs to the message before it, unless that message was refused or refunded.
 */
export interface AdmissionPolicy {
  requiresAdmission(prompt: LanguageModelV4CallOptions['prompt']): boolean
  /** Whether no call was admitted yet. An idempotency key belongs to the first admitted call. */
  isFirst(): boolean
  recordAdmission(): void
  recordRefund(): void
}

export function createAdmissionPolicy(): AdmissionPolicy {
  let isAdmitted = false
  let isFirst = true
  return {
    requiresAdmission: (prompt) => !isAdmitted || prompt.at(-1)?.role === 'user',
    isFirst: () => isFirst,
    recordAdmission() {
      isFirst = false
      isAdmitted = true
    },
    recordRefund() {
      isAdmitted = false
    },
  }
}

/** A refusal as the error with which a model call rejects. The AI SDK does not retry it. */
export function createRefusalError(refusal: Refusal): PurserError {
  const { reason, resetAt, retryAfterMs, limit } = refusal
  const details = { reason, resetAt, retryAfterMs, ...(limit === undefined ? {} : { limit }) }
  if (reason === 'blocked') return new PurserError('user_blocked', 'This user is blocked.', { details })
  return new PurserError('cap_reached', refusalMessage(refusal), { details })
}
