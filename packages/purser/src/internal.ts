/*
 * `purser/internal`: modules that `@purser/server` shares with the library. Names, behavior and the subpath itself may
 * change in every release, without notice. `purser/internal/sse` is `core/sse.ts` alone, for the Deck: it imports
 * nothing and runs in a browser.
 */

export { afterCurrentTick } from './core/effects.ts'
export { parseExactJson } from './core/exact-json.ts'
export {
  formatSseEvent,
  type ServerSentEvent,
  SseEventTooLargeError,
  SseParser,
  type SseParserOptions,
} from './core/sse.ts'
export { isObject } from './core/validate.ts'
export { type AuditContext, runAudited } from './journal/audit-context.ts'
export { type Erasures, erasuresOf } from './journal/erasures.ts'
export { OPTION_SPECS } from './options.ts'
export {
  choice,
  custom,
  defaultsOf,
  duration,
  integer,
  isSpec,
  type OptionSpec,
  type OptionSpecs,
  type SpecTable,
  text,
  validateAgainst,
} from './options-schema.ts'
export { getMeta } from './purser.ts'
export { API_KEYS } from './storage/api-keys.ts'
