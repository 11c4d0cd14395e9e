import { isTimeOrderedId } from '../../core/time-ordered-id.ts'
import { throwInvalid } from '../../core/validate.ts'
import { type SumIncrement, toSumAmount } from '../../storage/sum-store.ts'
import { Fields } from '../imported-fields.ts'
import type { Amount } from '../limits/amount.ts'
import type { EndedTokens, TurnAdmissionUse } from './stored-turn.ts'
import { TURN_OUTCOMES, type TurnFacts, type TurnRecord } from './turn-record.ts'
import { limitIncrement, sumTime, usageIncrement } from './usage-sums.ts'

/* Records and sums as an export has them. They come from a file, so every field is checked. */

/** A record of an export, as the parts that are stored. */
export interface ImportedTurn {
  readonly facts: TurnFacts
  readonly at: number
  readonly plan: string | null
  readonly downgradedBy: string | null
  readonly admission: TurnAdmissionUse
  readonly tokens: EndedTokens
  readonly cost: Amount | null
}

const CACHE = ['hit', 'joined', 'miss', 'off'] as const
const PREFIXES = ['first', 'same', 'changed'] as const
const STATUSES = ['fresh', 'stale', 'empty', 'unavailable'] as const

/** Throws `argument_invalid` with the name of the field. */
export function parseTurnRecord(value: unknown): ImportedTurn {
  const row = new Fields(value, '')
  const at = row.instant('at')
  const tools = row.list('tools', (tool) => ({ name: tool.text('name'), calls: tool.count('calls') }))
  const tokens: EndedTokens = {
    inputTokens: row.count('inputTokens'),
    outputTokens: row.count('outputTokens'),
    cachedTokens: row.count('cachedTokens'),
    toolCalls: tools.reduce((sum, { calls }) => sum + calls, 0),
  }
  const facts = parseFacts(row, { at, tools })
  return {
    facts,
    at,
    plan: row.textOrNull('plan'),
    downgradedBy: row.textOrNull('downgradedBy'),
    admission: admissionOf(facts, tokens),
    tokens,
    cost: row.isNull('cost') ? null : row.money('cost'),
  }
}

function parseFacts(
  row: Fields,
  { at, tools }: { readonly at: number; readonly tools: TurnRecord['tools'] },
): TurnFacts {
  const id = row.text('id')
  // It begins with the instant, which decides when the record is removed.
  if (!isTimeOrderedId(id)) throwInvalid("'id' must be the id of a turn.", { name: 'id' })
  const estimate = row.fields('estimate')
  return {
    id,
    beganAt: at,
    endpoint: row.text('endpoint'),
    session: row.textOrNull('session'),
    provider: row.textOrNull('provider'),
    model: row.textOrNull('model'),
    requestedModel: row.textOrNull('requestedModel'),
    attempts: row.list('attempts', parseAttempt),
    cache: row.choice('cache', CACHE),
    outcome: row.choice('outcome', TURN_OUTCOMES),
    code: row.textOrNull('code'),
    limit: row.textOrNull('limit'),
    weight: row.count('weight'),
    estimate: { inputTokens: estimate.count('inputTokens'), outputTokens: estimate.count('outputTokens') },
    overheadMs: row.duration('overheadMs'),
    firstChunkMs: row.durationOrNull('firstChunkMs'),
    upstreamMs: row.duration('upstreamMs'),
    totalMs: row.duration('totalMs'),
    context: row.list('context', parseSection),
    tools,
    requestId: row.textOrNull('requestId'),
    // Exports of earlier versions have none.
    prefix: row.has('prefix') && !row.isNull('prefix') ? row.choice('prefix', PREFIXES) : null,
  }
}

function parseAttempt(row: Fields): TurnRecord['attempts'][number] {
  return {
    provider: row.text('provider'),
    model: row.text('model'),
    status: row.countOrNull('status'),
    code: row.textOrNull('code'),
    ms: row.duration('ms'),
  }
}

function parseSection(row: Fields): TurnRecord['context'][number] {
  return {
    section: row.text('section'),
    status: row.choice('status', STATUSES),
    ageMs: row.durationOrNull('ageMs'),
    tokens: row.count('tokens'),
    cut: row.count('cut'),
  }
}

/** An export does not say it: a turn that counted nothing was given back, or had no admission. */
function admissionOf({ outcome, weight }: TurnFacts, { inputTokens, outputTokens }: EndedTokens): TurnAdmissionUse {
  if (outcome === 'refused') return 'none'
  return weight > 0 || inputTokens > 0 || outputTokens > 0 ? 'counted' : 'none'
}

const DAY = /^\d{4}-\d\d-\d\d$/

/** One row of sums: of turns, or of what a limit did. Throws `argument_invalid` with the name of the field. */
export function parseUsageRow(value: unknown): SumIncrement {
  const row = new Fields(value, '')
  const day = row.text('day')
  if (!DAY.test(day)) throwInvalid("'day' must be a date such as '2026-11-29'.", { name: 'day' })
  const time = sumTime(day, row.instant('at'))
  const kind = (['limit', 'downgrade'] as const).find((name) => row.has(name))
  if (kind !== undefined) {
    const { amounts, ...increment } = limitIncrement(time, [kind, row.text(kind)])
    return { ...increment, amounts: amounts.map((amount) => Number(amount) * row.count('times')) }
  }
  const key = ['turns', row.textOrNull('plan'), row.textOrNull('provider'), row.textOrNull('model')] as const
  const [turns, refused, unpriced] = [row.count('turns'), row.count('refused'), row.count('unpriced')]
  const [inputTokens, outputTokens] = [row.count('inputTokens'), row.count('outputTokens')]
  const amounts = { turns, refused, unpriced, inputTokens, outputTokens, cachedTokens: row.count('cachedTokens') }
  return usageIncrement(time, key, { ...amounts, cost: row.money('cost') })
}

/** What is missing of a row of sums. Undefined: nothing. */
export function missingOf(asked: SumIncrement, stored: SumIncrement | undefined): SumIncrement | undefined {
  const amounts = asked.amounts.map((amount, index) => {
    const missing = BigInt(amount) - BigInt(stored?.amounts[index] ?? 0)
    return toSumAmount(missing > 0n ? missing : 0n)
  })
  return amounts.every((amount) => amount === 0) ? undefined : { ...asked, amounts }
}
