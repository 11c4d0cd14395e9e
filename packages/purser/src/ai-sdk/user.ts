import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { ChatChunk, ChatCompletion } from '../openai/chat.ts'
import type { Override, Settings } from '../runtime/api.ts'

/** What the AI SDK's doors need of a user: `purser.user(id)` has all of it. */
export interface AiSdkUser {
  readonly id: string
  turn(request: unknown, options: AiSdkTurnOptions): Promise<AnsweredTurn | RefusedTurn>
  readonly runtime: {
    acquire(options: {
      readonly session?: string | undefined
      readonly override?: Override | undefined
      readonly signal?: AbortSignal | undefined
    }): Promise<LeasedRuntime>
  }
  readonly context: {
    resolve(options: {
      readonly mode?: 'reuse' | 'create' | undefined
      readonly timeZone?: string | undefined
      readonly signal?: AbortSignal | undefined
    }): Promise<{ readonly text: string }>
  }
  readonly ledger: {
    admit(options: Payment & { readonly signal?: AbortSignal | undefined }): Promise<Admission>
    refund(ticket: string): Promise<boolean>
    settle(
      ticket: string,
      usage: { readonly inputTokens?: number | undefined; readonly outputTokens?: number | undefined },
    ): Promise<void>
  }
}

interface Payment {
  /** How much of the cap each admitted call uses. Default 1. */
  readonly cost?: number | undefined
  /** A repeated request with the same key is counted once. For the first admitted call of the object. */
  readonly idempotencyKey?: string | undefined
}

/** How the calls of one request are to be taken; all of it optional, as in `user.turn`. */
export interface AiSdkOptions extends Payment {
  /** A session of the user, whose settings hold. */
  readonly session?: string | undefined
  /** Settings for these calls only. */
  readonly override?: Override | undefined
  /** How the context is rendered. Default `'reuse'`. */
  readonly mode?: 'reuse' | 'create' | undefined
  /** The zone of the context's dates. Default: the user's. */
  readonly timeZone?: string | undefined
  /** Default `'on'`, which needs `answers.enabled`; a middleware has no answers. */
  readonly cache?: 'on' | 'refresh' | 'off' | undefined
}

export interface AiSdkTurnOptions extends AiSdkOptions {
  readonly signal?: AbortSignal | undefined
}

export interface AnsweredTurn {
  readonly allowed: true
  readonly chunks: AsyncIterable<ChatChunk>
  completion(): Promise<ChatCompletion>
  /** Stops the upstream and lets everything go. */
  cancel(): Promise<void>
}

export interface RefusedTurn {
  readonly allowed: false
  readonly admission: Refusal
}

export interface Refusal {
  readonly allowed: false
  readonly reason: string
  readonly retryAfterMs: number | null
  readonly cap: number
  readonly resetAt: string | null
}

export type Admission = { readonly allowed: true; readonly ticket: string } | Refusal

export interface LeasedRuntime {
  readonly settings: Settings
  readonly model: LanguageModelV4
  mcp(name: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Client>
  release(): void
}
