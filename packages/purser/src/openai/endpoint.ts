import type { PurserError } from '../errors.ts'
import type { ChatCall } from './chat-model.ts'

/** The endpoints of model providers beside chat completions, as their paths behind the base URL. */
export const ENDPOINTS = [
  'responses',
  'messages',
  'messages/count_tokens',
  'embeddings',
  'moderations',
  'completions',
  'images/generations',
  'audio/speech',
  'audio/transcriptions',
] as const

export type Endpoint = (typeof ENDPOINTS)[number]

/** The endpoints of one provider with one user's credentials: the driven port that relayed turns call. */
export interface UpstreamEndpoints {
  /**
   * Resolves once the upstream begins to answer with anything but an error. Rejects like `ChatModel.chat`, and so does reading the answer.
   *
   * @param request complete: with model, context, user field and parameters
   */
  call(request: EndpointRequest, call: ChatCall): Promise<EndpointAnswer>
}

export interface EndpointRequest {
  readonly endpoint: Endpoint
  /** The content type, and headers of the client that the upstream gets unchanged. Keys are added. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | readonly Buffer[] | AsyncIterable<Uint8Array>
}

export interface EndpointAnswer {
  /** Empty text if the upstream names none. */
  readonly contentType: string
  /** The decoded bytes as they arrive, for one reader; throws if the answer was cut. */
  readonly bytes: AsyncIterable<Buffer>
  /** Masks the keys of the call in what the provider says of an error. */
  redact(text: string): string
  /** An error that an event reports, as the turn fails with it. */
  createError(error: unknown): PurserError
}
