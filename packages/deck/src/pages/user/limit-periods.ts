import type { Event } from '../../api/wire.ts'
import type { Segment } from './segment.ts'

/** A limit that was reached, until it let turns pass again. */
interface Reached {
  readonly name: string
  readonly from: number
  readonly to: number
  readonly sequence: number
}

/** Overrides of `cost` are stored in billionths of the unit in which events have the maximum. */
const NANO = 1_000_000_000

/** False where the end is not known: the event is shown as a mark. */
export function isLimitPeriod({ type, data }: Pick<Event, 'type' | 'data'>): boolean {
  return type === 'limit_reached' && typeof data.resetAt === 'string'
}

/**
 * The periods in which limits were reached: from `limit_reached` to its reset, or until the limit was raised, its use was
 * reset, or the plan was changed. Where several limits were reached at once, a segment names all of them.
 */
export function buildLimitPeriods(oldestFirst: readonly Event[]): readonly Segment[] {
  const periods = findPeriods(oldestFirst)
  const bounds = [...new Set(periods.flatMap(({ from, to }) => [from, to]))].sort((a, b) => a - b)
  return bounds.slice(1).flatMap((to, index) => {
    const from = bounds[index] ?? to
    const reached = periods.filter((period) => period.from <= from && period.to >= to)
    if (reached.length === 0) return []
    const value = [...new Set(reached.map(({ name }) => name))].sort().join(', ')
    return [{ from, to, value, sequence: Math.max(...reached.map(({ sequence }) => sequence)) }]
  })
}

function findPeriods(oldestFirst: readonly Event[]): readonly Reached[] {
  const periods: Reached[] = []
  const open = new Map<string, { readonly event: Event; readonly period: Reached }>()
  const close = (limit: string, at: number): void => {
    const entry = open.get(limit)
    open.delete(limit)
    if (entry === undefined) return
    const to = Math.min(at, entry.period.to)
    if (to > entry.period.from) periods.push({ ...entry.period, to })
  }
  for (const event of oldestFirst) {
    const at = Date.parse(event.at)
    const { data, sequence } = event
    const limit = String(data.limit)
    if (isLimitPeriod(event)) {
      close(limit, at)
      const name = data.mode === 'observe' ? `${limit} (observed)` : limit
      open.set(limit, { event, period: { name, from: at, to: Date.parse(String(data.resetAt)), sequence } })
    } else for (const [name, entry] of open) if (isEnd(event, name, entry.event)) close(name, at)
  }
  for (const name of open.keys()) close(name, Number.POSITIVE_INFINITY)
  return periods
}

/** Whether an event makes a limit let turns pass again. */
function isEnd({ type, data }: Event, limit: string, reached: Event): boolean {
  if (type === 'plan_change') return true
  const isCost = reached.data.measure === 'cost'
  const most = Number(reached.data.max) * (isCost ? NANO : 1)
  if (data.action === 'cap') return limit === 'daily' && (data.new_cap === 0 || Number(data.new_cap) > most)
  if (type !== 'limit_change' || data.limit !== limit) return false
  if (data.reset === true) return true
  const max = (data.override as { readonly max?: unknown } | null | undefined)?.max
  return max === null || Number(max) > most
}
