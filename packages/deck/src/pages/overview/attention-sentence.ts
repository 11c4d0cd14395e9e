import type { Attention } from '../../api/wire.ts'
import { formatTimes, pluralize } from '../../format-number.ts'
import { formatCoarseDuration, formatRelative } from '../../time/format-time.ts'

type Row = Attention['rows'][number]
type Reason = Omit<Row, 'user' | 'phase' | 'others'>
type Rule = Attention['rules'][number]

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh']

/** Why a user needs attention, in one sentence. */
export function attentionSentence(row: Reason, now: number): string {
  const { rule, riskLevel, at, from, fromMs, name, count, until } = row
  switch (rule) {
    case 'risk': {
      if (at === null || from === null) return `Risk is ${riskLevel}`
      const before = fromMs === null ? `from ${from}` : `after ${formatCoarseDuration(fromMs)} at ${from}`
      return `Risk went to ${riskLevel} ${agoText(at, now)}, ${before}`
    }
    case 'provider_refusal':
      return `Provider ${name ?? ''} refused ${formatTimes(count)} in 24 hours, last ${agoText(at, now)}`
    case 'limit':
      return `A turn would have exceeded the limit ${name ?? ''} ${agoText(at, now)}${daysText(count)}`
    case 'cap':
      return `At the daily cap${at === null ? '' : ` since ${formatRelative(at, now)}`}${daysText(count)}`
    case 'block_ends':
      return `Block ends ${agoText(until, now)}`
  }
}

/** Parameters of the user's page with the events or turns that are the reason. */
export function reasonParams({ rule }: Pick<Row, 'rule'>): Readonly<Record<string, string>> {
  return REASON_PARAMS[rule]
}

const REASON_PARAMS: Readonly<Record<Row['rule'], Readonly<Record<string, string>>>> = {
  risk: { types: 'risk_change' },
  provider_refusal: { tab: 'turns', outcome: 'failed' },
  limit: { tab: 'turns', outcome: 'refused' },
  cap: { tab: 'turns', outcome: 'refused' },
  block_ends: { types: 'admin_action' },
}

function agoText(at: string | null, now: number): string {
  if (at === null) return 'recently'
  const text = formatRelative(at, now)
  return /^\d+ [A-Z]/.test(text) ? `on ${text}` : text
}

function daysText(days: number): string {
  if (days < 2) return ''
  return `, for the ${ORDINALS[days - 1] ?? `${days}th`} day in a row`
}

/** A rule and its threshold, in one sentence. */
export function ruleSentence({ rule, threshold, users }: Rule): string {
  const found = pluralize(users, 'user')
  if (threshold === 0) return `${RULE_NAMES[rule]}: switched off`
  switch (rule) {
    case 'risk':
      return `At the highest risk level${threshold === 1 ? '' : `s (${threshold})`}: ${found}`
    case 'provider_refusal':
      return `Refused by a provider ${threshold === 1 ? '' : `${threshold} times `}within 24 hours: ${found}`
    case 'limit':
      return `Had a turn that a limit other than the daily cap did not let pass, within 24 hours: ${found}`
    case 'cap':
      return `At ${threshold} % of the daily cap or more: ${found}`
    case 'block_ends':
      return `Blocked for at most ${formatCoarseDuration(threshold)} more: ${found}`
  }
}

const RULE_NAMES: Readonly<Record<Rule['rule'], string>> = {
  risk: 'Risk',
  provider_refusal: 'Refused by a provider',
  limit: 'Limits other than the daily cap',
  cap: 'Daily cap',
  block_ends: 'Block ends',
}
