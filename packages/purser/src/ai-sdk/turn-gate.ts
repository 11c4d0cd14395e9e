import type { LanguageModelV4CallOptions } from '@ai-sdk/provider'
import { PurserError } from '../errors.ts'
import type { Refusal } from './user.ts'

/**
 * Which calls of one request are admitted: the first, and each whose prompt ends in a user message. A call that goes on
 * after a tool has run belongs to the message before it. If that one was refused or given back, it does not.
 */
export interface Gate {
  /** Says whether this call is to be admitted. */
  asks(prompt: LanguageModelV4CallOptions['prompt']): boolean
  /** Whether nothing was admitted yet: an idempotency key stands for the first admitted call. */
  first(): boolean
  admitted(): void
  givenBack(): void
}

export function createGate(): Gate {
  let paid = false
  let first = true
  return {
    asks: (prompt) => !paid || prompt.at(-1)?.role === 'user',
    first: () => first,
    admitted() {
      first = false
      paid = true
    },
    givenBack() {
      paid = false
    },
  }
}

/** A refusal as an error, which is what a model can answer with. It is not one that the AI SDK tries again. */
export function refusalError({ reason, cap, resetAt, retryAfterMs }: Refusal): PurserError {
  const details = { reason, resetAt, retryAfterMs }
  if (reason === 'blocked') return new PurserError('user_blocked', 'This user is blocked.', { details })
  const until = resetAt === null ? '' : ` The quota will reset at ${resetAt}.`
  return new PurserError('cap_reached', `You have used up your ${cap} messages.${until}`, { details })
}
