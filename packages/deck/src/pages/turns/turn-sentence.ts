import type { TurnRecord } from '../../api/wire.ts'

/** `provider/model`; null when the turn ended before it was known. */
export function modelOf({ provider, model }: Pick<TurnRecord, 'provider' | 'model'>): string | null {
  return provider === null || model === null ? null : `${provider}/${model}`
}

/** What happened to a turn, and because of what, in one sentence. */
export function turnSentence(turn: TurnRecord): string {
  const { outcome, code, limit, cache, downgradedBy } = turn
  if (outcome === 'refused') {
    if (limit !== null) return `Refused, because the limit ${limit} was used up.`
    return code === 'blocked' || code === 'user_blocked' ? 'Refused, because the user is blocked.' : `Refused: ${code}.`
  }
  if (outcome === 'failed') return `Failed: ${code ?? 'no reason was recorded'}.`
  if (outcome === 'cancelled') return 'Cancelled: the reader left before the answer was complete.'
  if (cache === 'hit') return 'Answered from the cache.'
  if (cache === 'joined') return 'Answered together with an equal turn in progress.'
  const model = modelOf(turn) ?? 'the model'
  return downgradedBy === null
    ? `Answered by ${model}.`
    : `Answered by ${model} instead of the model that was asked for, because of the limit ${downgradedBy}.`
}
