import { formatLimitAmount, limitPhrase, measureName } from '../../api/limit-names.ts'
import type { Event, TurnRecord } from '../../api/wire.ts'
import { formatInteger } from '../../format-number.ts'

/** `provider/model`; null when the turn ended before it was known. */
export function modelOf({ provider, model }: Pick<TurnRecord, 'provider' | 'model'>): string | null {
  return provider === null || model === null ? null : `${provider}/${model}`
}

type Turn = Pick<
  TurnRecord,
  'outcome' | 'code' | 'limit' | 'cache' | 'downgradedBy' | 'provider' | 'model' | 'attempts'
>

/** What the codes of turns that were not answered mean, after “Refused: ” and “Failed: ”. */
const REASONS: Readonly<Record<string, string>> = {
  user_blocked: 'the user is blocked',
  upstream_rejected: 'the provider refused the request',
  upstream_rate_limited: 'the rate limit of the provider was reached',
  upstream_timeout: 'the provider did not answer in time',
  upstream_failed: 'the provider failed or broke off',
  upstream_auth: 'the provider rejected the API key of this server',
  runtime_busy: 'too many turns at once',
}

/** Why a turn was not answered, as a part of a sentence; null if it was. Codes without words are returned as they are. */
export function turnReason({ outcome, code, limit, provider, attempts }: Turn): string | null {
  if (outcome === 'completed') return null
  if (outcome === 'cancelled') return 'the client left before the answer was complete'
  if (limit !== null)
    return limit === 'daily' ? 'the daily cap was reached' : `it would have exceeded ${limitPhrase(limit)}`
  if (code === null) return 'no reason was recorded'
  const reason = REASONS[code] ?? code
  const named = provider === null ? reason : reason.replace(/^the provider\b/, `the provider ${provider}`)
  const status = code.startsWith('upstream_') ? attempts.at(-1)?.status : null
  return typeof status === 'number' ? `${named}, with status ${status}` : named
}

/** What a turn needed of a limit before it began: the estimate of its tokens, or 1 turn. */
export function neededText({ estimate, weight }: Pick<TurnRecord, 'estimate' | 'weight'>, measure: string): string {
  const { inputTokens, outputTokens } = estimate
  const [input, output] = [formatInteger(inputTokens), formatInteger(outputTokens)]
  switch (measure) {
    case 'tokens':
      return `This turn needed an estimated ${formatInteger(inputTokens + outputTokens)}: ${input} of input and up to ${output} of output.`
    case 'inputTokens':
      return `This turn needed an estimated ${input}.`
    case 'outputTokens':
      return `This turn needed up to ${output}.`
    case 'cost':
      return `This turn needed the price of an estimated ${input} input and up to ${output} output tokens.`
    case 'turns':
      return weight <= 1 ? 'This turn needed 1.' : `This turn needed ${formatInteger(weight)}.`
    default:
      return ''
  }
}

/** What was used when a limit first refused a turn in its window, of the `limit_reached` event. */
export function usedThenText({ data }: Pick<Event, 'data'>, measure: string): string {
  const [used, max] = [data.used, data.max].map((amount) => formatLimitAmount({ measure }, amount as number | string))
  return `When it was refused, ${used} of ${max} ${measureName(measure)} were used.`
}

const STARTS = { refused: 'Refused', failed: 'Failed', cancelled: 'Cancelled' } as const

/** What happened to a turn, and because of what, in one sentence. */
export function turnSentence(turn: Turn): string {
  const { outcome, cache, downgradedBy } = turn
  if (outcome !== 'completed') return `${STARTS[outcome]}: ${turnReason(turn)}.`
  if (cache === 'hit') return 'Answered from the cache.'
  if (cache === 'joined') return 'Answered together with an equal turn in progress.'
  const model = modelOf(turn) ?? 'the model'
  return downgradedBy === null
    ? `Answered by ${model}.`
    : `Answered by ${model} instead of the model that was asked for, because of ${limitPhrase(downgradedBy)}.`
}
