/*
 * `purser/internal`: modules that `@purser/server` shares with the library. Names, behavior and the subpath itself may
 * change in every release, without notice. `purser/internal/sse` is `core/sse.ts` alone, for the Deck: it imports
 * nothing and runs in a browser.
 */

export type { KeepOptions, StoredResponse, UserResponses } from './answers/stored-responses.ts'
export { endsWithin } from './core/abort.ts'
export { CallSignal } from './core/call-signal.ts'
export { afterCurrentTick } from './core/effects.ts'
export { parseExactJson } from './core/exact-json.ts'
export { createJitter } from './core/jitter.ts'
export { type JsonObject, readJsonObject } from './core/json-object.ts'
export { encodeJson, forEachPiece, isLargeJson, jsonPieces, stringifyJson, writeJsonTexts } from './core/json-pieces.ts'
export { parseJsonInSteps, parseLargeJson } from './core/parse-json-in-steps.ts'
export { createPublicLookup, requirePublicHost } from './core/public-address.ts'
export {
  formatSseEvent,
  type ServerSentEvent,
  SseEventTooLargeError,
  SseParser,
  type SseParserOptions,
} from './core/sse.ts'
export { isObject, throwInvalid } from './core/validate.ts'
export type { EventLog, LoggedEvent } from './event-log.ts'
export type { InstanceRuntime } from './instances.ts'
export { type AuditContext, runAudited } from './journal/audit-context.ts'
export { type Erasures, erasuresOf } from './journal/erasures.ts'
export type { ChatMessage, ContentPart, Usage } from './openai/chat.ts'
export { cachedTokensOf, cacheWriteTokensOf, toChunks, tokenCountOf, usageOf } from './openai/completion.ts'
export { ENDPOINTS, type Endpoint } from './openai/endpoint.ts'
export { tokensOfBytes } from './openai/estimate-tokens.ts'
export type { UserField } from './openai/pseudonymize-user.ts'
export { type ReasoningDetail, reasoningDetailsOf, thoughtsOf } from './openai/reasoning-details.ts'
export { DONE_EVENT, isComment } from './openai/sse.ts'
export { type ToolCallPart, toolCallsOf } from './openai/tool-calls-of.ts'
export { PROVIDER_SPECS } from './options/provider-config.ts'
export { OPTION_SPECS } from './options.ts'
export {
  choice,
  custom,
  defaultsOf,
  duration,
  flag,
  integer,
  isSpec,
  type OptionSpec,
  type OptionSpecs,
  type SpecTable,
  text,
  validateAgainst,
} from './options-schema.ts'
export {
  getEventLog,
  getMeta,
  getSealer,
  inspectStore,
  listRuntimes,
  type Sealer,
  subscribeToActivity,
} from './purser/server-internals.ts'
export { API_KEYS } from './storage/api-keys.ts'
export type { StoreFinding } from './storage/store.ts'
export { STORE_URL, STORE_URL_FORMS } from './storage/store-url.ts'
export type { EndpointTurn } from './turn/call-endpoint.ts'
export type { EndpointCall, EndpointUpstream, PreparedRequest } from './turn/endpoint-call.ts'
export { drained } from './turn/http-response.ts'
export { askUserEndpoint, callUserEndpoint, recordImportsOf, responsesOf } from './user.ts'
