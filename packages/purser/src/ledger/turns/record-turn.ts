import type { Recorded } from '../../storage/commit.ts'
import type { SumIncrement } from '../../storage/sum-store.ts'
import { planOf } from '../bond.ts'
import type { Amount } from '../limits/amount.ts'
import { listCounters } from '../limits/counters.ts'
import { userDay } from '../limits/periods.ts'
import type { Settlement } from '../limits/settlement.ts'
import type { Usage } from '../limits/usage.ts'
import type { LedgerRules } from '../rules.ts'
import type { LedgerView } from '../state.ts'
import { type EndedTokens, type EndedTurn, encodeTurn, type TurnAdmissionUse } from './stored-turn.ts'
import type { TurnFacts } from './turn-record.ts'
import { limitIncrement, sumTime, type UsageAmounts, usageIncrement } from './usage-sums.ts'

/*
 * The record of a turn and what it adds to sums, as a part of the decision that counts the turn: so a record, its sums and
 * its settlement are written together or not at all.
 */

/** A turn that has ended, and what the ledger knows of it. */
export interface TurnEnd {
  readonly facts: TurnFacts
  /** When it was counted, epoch ms. */
  readonly at: number
  readonly downgradedBy: string | null
  readonly admission: TurnAdmissionUse
  readonly tokens: EndedTokens
  /** Nano-units; null: the model has no price. */
  readonly cost: Amount | null
  /** The rules under `observe` that would have refused it. */
  readonly observed: readonly string[]
}

export const NO_TOKENS: EndedTokens = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, toolCalls: 0 }

/** Undefined: no model was asked. */
export function tokensOf(settlement: Settlement | undefined): EndedTokens {
  if (settlement === undefined) return NO_TOKENS
  const { inputTokens, outputTokens, cachedTokens = 0, toolCalls = 0 } = settlement
  return { inputTokens, outputTokens, cachedTokens, toolCalls }
}

/** Records of turns that were not admitted, refused or failed, that one user gets in a minute. Others are in sums only. */
const MAX_NOT_ADMITTED_A_MINUTE = 20
const MINUTE_MS = 60_000
/** With many records, those above the limit are removed in groups, because finding the lowest takes longer. */
const TRIM_EVERY = 16
const MANY_RECORDS = 10 * TRIM_EVERY

type RecordedView = Pick<LedgerView, 'state' | 'usage'>

/** The usage with the number of records, and what is recorded. */
export function recordTurn(
  rules: LedgerRules,
  end: TurnEnd,
  { state, usage }: RecordedView,
): { readonly usage: Usage; readonly recorded: Recorded } {
  const { facts, at, observed } = end
  const { plan } = planOf(rules, state)
  const time = sumTime(userDay({ state: state.zone, timeZone: rules.timeZone }, at).date, at)
  const key = ['turns', plan, facts.provider, facts.model] as const
  const increment = usageIncrement(time, key, amountsOf(end))
  // A turn that was given back, or that failed before it was counted, adds nothing.
  const sums: SumIncrement[] = increment.amounts.some((amount) => amount !== 0) ? [increment] : []
  if (facts.limit !== null) sums.push(limitIncrement(time, ['limit', facts.limit]))
  for (const name of observed) sums.push(limitIncrement(time, ['limit', name]))
  if (end.downgradedBy !== null) sums.push(limitIncrement(time, ['downgrade', end.downgradedBy]))
  const isNotAdmitted = end.admission === 'none' && facts.outcome !== 'completed'
  const refusals = isNotAdmitted ? refusalsAfter(usage, at) : undefined
  if (refusals !== undefined && refusals[1] > MAX_NOT_ADMITTED_A_MINUTE)
    return { usage, recorded: { turns: [], userSums: sums, sums } }
  const number = (usage.recorded ?? recordedBefore(usage)) + 1
  const ended: EndedTurn = { ...end, plan, number }
  return {
    usage: { ...usage, recorded: number, ...(refusals === undefined ? {} : { refusals }) },
    recorded: {
      turns: [encodeTurn(ended)],
      keepTurns: turnsToKeep(rules.keepTurns.maxPerUser, number),
      userSums: sums,
      sums,
    },
  }
}

function amountsOf({ facts, admission, tokens, cost }: TurnEnd): UsageAmounts {
  const isRefused = facts.outcome === 'refused'
  return {
    turns: isRefused || admission !== 'counted' ? 0 : facts.weight,
    refused: isRefused ? 1 : 0,
    unpriced: cost === null ? 1 : 0,
    inputTokens: tokens.inputTokens,
    outputTokens: tokens.outputTokens,
    cachedTokens: tokens.cachedTokens,
    cost: cost ?? 0,
  }
}

function refusalsAfter({ refusals }: Usage, at: number): readonly [minute: number, records: number] {
  const minute = Math.floor(at / MINUTE_MS)
  return refusals?.[0] === minute ? [minute, refusals[1] + 1] : [minute, 1]
}

/** Of a user without records: 1 when something was admitted before records began. */
function recordedBefore({ counters }: Usage): number {
  return listCounters(counters).some(({ windows = [], parts = [] }) => windows.length > 0 || parts.length > 0) ? 1 : 0
}

/** The usage after an admission. The first one tells whether there was another before it, which has no record. */
export function beginRecords(usage: Usage | undefined, before: Usage): Usage | undefined {
  if (before.recorded !== undefined) return usage
  return { ...(usage ?? before), recorded: recordedBefore(before) }
}

function turnsToKeep(max: number | null, number: number): number | undefined {
  if (max === null) return undefined
  if (max < MANY_RECORDS) return number > max ? max : undefined
  return number > max - TRIM_EVERY && number % TRIM_EVERY === 0 ? max - TRIM_EVERY + 1 : undefined
}
