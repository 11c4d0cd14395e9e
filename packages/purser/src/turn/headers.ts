import type { Context } from '../context/api.ts'
import type { Admitted } from '../ledger/decide/admission.ts'
import { rateLimitHeaders } from '../openai/rate-limit-headers.ts'
import type { Settings } from '../runtime/api.ts'
import type { CacheOutcome } from './answered-turn.ts'
import type { AnswerHeaders } from './http-response.ts'

/** What an answer says of how it came about. */
export function answerHeaders(turn: {
  readonly settings: Settings
  readonly context: Context
  readonly cache: CacheOutcome
  readonly admission: Admitted
  readonly overheadMs: number
  readonly replayed: boolean
  readonly now: number
}): AnswerHeaders {
  return {
    'x-purser-model': `${turn.settings.provider}/${turn.settings.model}`,
    'x-purser-cache': turn.cache,
    'x-purser-context': turn.context.status,
    'x-purser-overhead-ms': turn.overheadMs.toFixed(2),
    ...(turn.replayed ? { 'idempotent-replayed': 'true' } : {}),
    ...rateLimitHeaders(turn.admission, turn.now),
  }
}
