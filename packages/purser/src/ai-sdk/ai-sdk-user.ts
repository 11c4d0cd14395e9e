import type { LanguageModelV4 } from '@ai-sdk/provider'
import type { Client } from '@modelcontextprotocol/client'
import type { ChatChunk, ChatCompletion } from '../openai/chat.ts'
import type { RefusedAdmission } from '../openai/error-response.ts'
import type { Override, Settings } from '../runtime/api.ts'
import type { InjectedContext, MeteredTokens, MeteredTools } from './metering.ts'

/** The part of a user that `purser/ai-sdk` needs. Pass `purser.user(id)`, which has all of it. */
export interface AiSdkUser {
  readonly id: string
  turn(request: unknown, options: AiSdkTurnOptions): Promise<AnsweredTurn | RefusedTurn>
  /** Records a call that this package admits and settles itself. Absent: it is not recorded. */
  traceCall?(call: TracedCall): CallRecord
  readonly runtime: {
    acquire(options: {
      readonly session?: string | undefined
      readonly override?: Override | undefined
      readonly signal?: AbortSignal | undefined
    }): Promise<LeasedRuntime>
  }
  readonly context: {
    resolve(options: {
      readonly mode?: 'plain' | 'reuse' | 'create' | undefined
      readonly timeZone?: string | undefined
      readonly session?: string | undefined
      readonly query?: string | undefined
      readonly signal?: AbortSignal | undefined
    }): Promise<InjectedContext>
  }
  readonly ledger: {
    admit(options: AdmitOptions): Promise<Admission>
    refund(ticket: string): Promise<boolean>
    settle(ticket: string, usage: Partial<MeteredTokens>): Promise<void>
  }
}

interface AdmissionOptions {
  /** How much of the cap each admitted call uses. Default: 1. */
  readonly cost?: number | undefined
  /** Requests with the same key are counted once. It belongs to the first admitted call of the object. */
  readonly idempotencyKey?: string | undefined
}

/** Options for all calls of one request, as in `user.turn`; all are optional. */
export interface AiSdkOptions extends AdmissionOptions {
  /** Id of a session of the user, whose settings apply. Default: no session. */
  readonly session?: string | undefined
  /** Settings for these calls only; nothing is stored. */
  readonly override?: Override | undefined
  /** How the context is rendered. Default: the option `context.mode`, `'plain'`. */
  readonly mode?: 'plain' | 'reuse' | 'create' | undefined
  /** IANA time zone for dates in the context. Default: the user's. */
  readonly timeZone?: string | undefined
  /** Use of cached answers, which needs `answers.enabled`. A middleware has no answers. Default: `'on'`. */
  readonly cache?: 'on' | 'refresh' | 'off' | undefined
}

export interface AiSdkTurnOptions extends AiSdkOptions {
  /** What the record of the turn names as its endpoint. */
  readonly endpoint?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface AnsweredTurn {
  readonly allowed: true
  readonly chunks: AsyncIterable<ChatChunk>
  completion(): Promise<ChatCompletion>
  /** Stops the upstream call and releases everything the turn holds. */
  cancel(): Promise<void>
}

export interface RefusedTurn {
  readonly allowed: false
  readonly admission: Refusal
}

export interface Refusal {
  readonly allowed: false
  readonly reason: 'daily_cap' | 'limit' | 'blocked'
  readonly retryAfterMs: number | null
  readonly cap: number
  readonly resetAt: string | null
  /** The limit that refuses, with the reason `limit`. */
  readonly limit?: RefusedAdmission['limit']
}

export type Admission =
  | {
      readonly allowed: true
      readonly ticket: string
      readonly model?: string | null
      /** The limit that sends the call to `model`. */
      readonly downgradedBy?: string | null
    }
  | Refusal

interface AdmitOptions extends AdmissionOptions {
  readonly model?: string | undefined
  readonly estimate?:
    | { readonly inputTokens?: number | undefined; readonly outputTokens?: number | undefined }
    | undefined
  readonly signal?: AbortSignal | undefined
}

/** A call as it is recorded. */
export interface TracedCall {
  /** The `provider/model` that is called. */
  readonly model: string
  /** The limit that sent it there. */
  readonly downgradedBy: string | null
  /** In turns; 0 for a step after a tool. */
  readonly weight: number
  readonly estimate: { readonly inputTokens: number; readonly outputTokens: number }
  readonly session: string | null
}

/** Records one call that this package admits and settles itself. */
export interface CallRecord {
  setContext(context: InjectedContext): void
  beginAnswer(): void
  refuse(admission: Pick<Refusal, 'limit'> & { readonly reason: 'daily_cap' | 'limit' | 'blocked' }): void
  end(ending: {
    readonly outcome: 'completed' | 'failed' | 'cancelled'
    readonly usage?: Partial<MeteredTokens> | undefined
    readonly tools?: MeteredTools | undefined
    readonly error?: unknown
    readonly admission: 'counted' | 'refunded'
  }): void
}

export interface LeasedRuntime {
  readonly mcpServers: readonly string[]
  readonly settings: Settings
  readonly model: LanguageModelV4
  mcp(name: string, options?: { readonly signal?: AbortSignal | undefined }): Promise<Client>
  release(): void
}
