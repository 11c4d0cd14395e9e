import type { JsonObject } from '../core/json-object.ts'
import type { ServerSentEvent } from '../core/sse.ts'
import type { ChatRequest, Usage } from '../openai/chat.ts'
import type { Endpoint } from '../openai/endpoint.ts'
import type { ErrorBody } from '../openai/error-response.ts'
import type { UserField } from '../openai/pseudonymize-user.ts'

/** One request to an endpoint in its own format, and what a turn needs to know about that format. */
export interface EndpointCall {
  readonly endpoint: Endpoint
  /** As the client wrote it; the answer echoes it. */
  readonly model: string | null | undefined
  /** Identifies the request under an idempotency key, and is what its tokens are estimated from. */
  readonly body: unknown
  /** Whether the user's context is part of the prompt. */
  readonly hasPrompt: boolean
  /** Whether a provider has begun to read a body that can be read once only, so that no other model can be asked. */
  readonly isSpent?: (() => boolean) | undefined
  /** The request as the upstream gets it. */
  prepare(upstream: EndpointUpstream): PreparedRequest
  /**
   * The request as chat completions, for a provider without this endpoint; throws or rejects with `unsupported_parameter` for what the
   * format cannot say. Absent: `unsupported_endpoint`.
   */
  readonly toChat?: (() => ChatRequest | Promise<ChatRequest>) | undefined
  /** The member of events that holds the answer, whose members are found as well; absent: events have none. */
  readonly inside?: string | undefined
  /** Whether the client gets the answer, or an event of a streamed one, otherwise than the provider wrote it. */
  isRewritten(text: string): boolean
  rewrite(json: JsonObject): string
  /**
   * Called with a whole answer, or the event that ends one, as rewritten; the client gets what it resolves to. `incarnation`
   * is that of the user when the turn began.
   */
  readonly finish?: ((text: string, turn: { readonly incarnation: number }) => Promise<string>) | undefined
  /** The `usage` that the answer or an event reports, in the terms of chat completions. */
  readUsage(usage: unknown): Usage | undefined
  /** How calls of tools are found in answers. */
  readonly toolCalls?: EndpointToolCalls | undefined
  /** Whether this event ends a complete answer; absent: every stream that was not cut is complete. */
  readonly isLast?: ((event: ServerSentEvent) => boolean) | undefined
  /** The members of events that hold what the model wrote, in quotes and followed by a colon. */
  readonly textMembers: readonly string[]
  /** The last frame of a stream that breaks. */
  formatError(error: ErrorBody): string
}

export interface EndpointToolCalls {
  /** What the text of an answer or an event with calls contains. */
  readonly mark: string
  /** As the request declares them. */
  readonly tools: unknown
  /** The members of an answer or an event that tell. */
  readonly members: readonly string[]
  /** The names of the tools that are called, from these members; undefined for one without a name. */
  list(values: Readonly<Record<string, unknown>>): readonly (string | undefined)[]
}

/** What a request is sent with, by the user's settings. */
export interface EndpointUpstream {
  readonly model: string | null
  /** Model parameters under their AI SDK names. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Empty text: nothing is told. */
  readonly contextText: string
  /** The keyed hash that replaces the user id, and the field that the provider expects it in. */
  readonly pseudonym: { readonly field: UserField; readonly id: string }
}

export interface PreparedRequest {
  readonly headers: Readonly<Record<string, string>>
  /** An object is sent as JSON. */
  readonly body: Readonly<Record<string, unknown>> | AsyncIterable<Uint8Array>
}
