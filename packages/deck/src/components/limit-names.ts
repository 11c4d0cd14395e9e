import type { LimitState } from '../api/wire.ts'

const MEASURES: Readonly<Record<string, string>> = {
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
  toolCalls: 'tool calls',
  concurrent: 'turns at once',
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
