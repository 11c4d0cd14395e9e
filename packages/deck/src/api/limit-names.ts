import { formatAmount, formatCost } from '../format-number.ts'
import type { LimitState } from './wire.ts'

const MEASURES: Readonly<Record<string, string>> = {
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
  toolCalls: 'tool calls',
  concurrent: 'turns at once',
}

/** `daily cap` of the limit `daily`; others have the name that is configured. */
export function limitName(name: string): string {
  return name === 'daily' ? 'daily cap' : name
}

/** A limit as a part of a sentence: `the daily cap`, `the limit tokens-5h`. */
export function limitPhrase(name: string): string {
  return name === 'daily' ? 'the daily cap' : `the limit ${name}`
}

type Amount = number | string

/** An amount of a limit: costs all have the same number of decimals. */
export function formatLimitAmount({ measure }: { readonly measure: string }, amount: Amount): string {
  return measure === 'cost' ? formatCost(amount) : formatAmount(amount)
}

/** What is left of a limit. Of costs it is computed from the amounts as they are shown, so that they add up. */
export function formatRemaining(limit: Pick<LimitState, 'measure' | 'max' | 'used' | 'held' | 'remaining'>): string {
  const { measure, max, used, held, remaining } = limit
  if (measure !== 'cost' || max === null) return formatLimitAmount(limit, remaining ?? 0)
  const [most, ...taken] = [max, used, held].map((amount) => Number(formatCost(amount)))
  return formatCost(
    Math.max(
      0,
      taken.reduce((left, amount) => left - amount, most ?? 0),
    ).toFixed(4),
  )
}

/** `inputTokens` in words; turns, tokens and cost are words already. */
export function measureName(measure: string): string {
  return MEASURES[measure] ?? measure
}

const UNITS: Readonly<Record<string, string>> = { m: 'minute', h: 'hour', d: 'day' }

/** The window of a limit in words: `a day`, `5 hours from first use`, `the last 24 hours`. */
export function windowName({ window, models }: Pick<LimitState, 'window' | 'models'>): string {
  const suffix = models === null ? '' : ` · ${models.join(', ')}`
  return `${lengthName(window)}${suffix}`
}

function lengthName(window: string | null): string {
  if (window === null) return 'at the same time'
  if (window === 'total') return 'in total'
  const length = /^(sliding:)?(\d+)([mhd])$/.exec(window)
  if (length === null) return `per ${window}`
  const [, sliding, count = '', unit = ''] = length
  const text = `${count} ${UNITS[unit]}${count === '1' ? '' : 's'}`
  return sliding === undefined ? `${text} from first use` : `in the last ${text}`
}
