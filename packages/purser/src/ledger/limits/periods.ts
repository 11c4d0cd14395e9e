import { LRUCache } from 'lru-cache'
import { type Day, dayAt, dayOn, formatInstant, nextDate } from '../calendar.ts'

/*
 * Days, weeks and months of a user. All of them are made of the user's days, and every date is a day once at most: a new
 * zone counts from the end of the running day, and the next day has the next date, whatever date it is in the new zone.
 * So no day, week or month is opened twice, however often the zone changes.
 */

/** A user's time zone, and since or from when it counts. A zone is null where the default applies. */
export interface ZoneState {
  readonly current: string | null
  /** Applies until `effectiveAt`. */
  readonly previous: string | null
  /** The end of the window in which the zone was changed; null when nothing had been counted in that window. */
  readonly effectiveAt: string | null
  /** The first date that counts in the current zone, so that no date is counted twice. */
  readonly firstDate: string | null
}

/** A user's zone, and the zone of users without one. */
export interface UserZone {
  readonly state: ZoneState | null
  readonly timeZone: string
}

export type CalendarUnit = 'day' | 'week' | 'month'

export interface Period {
  /** Its first date, or its month. Rises as text. */
  readonly name: string
  /** First instant of the next one, epoch ms. */
  readonly end: number
}

type WeekStart = 'monday' | 'sunday'

/** How a rule divides time. */
export interface Calendar {
  readonly unit: CalendarUnit
  readonly weekStart: WeekStart
}

/** Longer than any day, also one that a change of zone makes longer. */
const MAX_DAY_MS = 3 * 86_400_000

/** A change that was made while the clock was far ahead counts at once. */
function isAhead({ effectiveAt }: ZoneState, at: number): boolean {
  return effectiveAt !== null && Date.parse(effectiveAt) > at + MAX_DAY_MS
}

/** The user's day that contains an instant. */
export function userDay({ state, timeZone }: UserZone, at: number): Pick<Day, 'date' | 'end'> {
  if (state === null) return dayAt(timeZone, at)
  const { current, previous, effectiveAt, firstDate } = state
  const zone = current ?? timeZone
  if (isAhead(state, at)) return dayAt(zone, at)
  if (effectiveAt === null || at >= Date.parse(effectiveAt)) {
    const day = dayAt(zone, at)
    return firstDate !== null && firstDate > day.date ? dayOn(zone, firstDate) : day
  }
  // The running day is the one before the first date in the new zone.
  const date = firstDate === null ? dayAt(previous ?? timeZone, at).date : addDays(firstDate, -1)
  return { date, end: Date.parse(effectiveAt) }
}

/** The periods of one rule. The last one that was found is cached, of users without a zone of their own one for all. */
export class Periods {
  readonly #calendar: Calendar
  #latest: LatestPeriod | undefined
  readonly #latestOf = new WeakMap<ZoneState, LatestPeriod>()

  constructor(calendar: Calendar) {
    this.#calendar = calendar
  }

  at(zone: UserZone, at: number): Period {
    const { state, timeZone } = zone
    const latest = state === null ? this.#latest : this.#latestOf.get(state)
    if (latest?.timeZone === timeZone && at >= latest.from && at < latest.period.end) return latest.period
    const found: LatestPeriod = { timeZone, from: at, period: findPeriod(this.#calendar, zone, at) }
    if (state === null) this.#latest = found
    // Until a change of zone counts, its periods are not yet those that they will be.
    else if (state.effectiveAt === null || at >= Date.parse(state.effectiveAt)) this.#latestOf.set(state, found)
    return found.period
  }

  /** The end of a named period as seen at an instant, epoch ms. */
  endOf(zone: UserZone, period: { readonly name: string; readonly at: number }): number {
    return periodEnd(this.#calendar, zone, period)
  }
}

interface LatestPeriod {
  readonly timeZone: string
  /** The instant from which the period is known to run, epoch ms. */
  readonly from: number
  readonly period: Period
}

function findPeriod({ unit, weekStart }: Calendar, zone: UserZone, at: number): Period {
  const { date, end } = userDay(zone, at)
  if (unit === 'day') return { name: date, end }
  const name = unit === 'month' ? date.slice(0, MONTH_LENGTH) : weekOf(date, weekStart)
  return { name, end: Math.max(end, periodEnd({ unit, weekStart }, zone, { name, at })) }
}

/** The end of a named period as seen at an instant, epoch ms. */
function periodEnd(
  { unit, weekStart }: Calendar,
  { state, timeZone }: UserZone,
  { name, at }: { readonly name: string; readonly at: number },
): number {
  const next = nextPeriod(unit, name, weekStart)
  const end = firstInstant(state?.current ?? timeZone, next)
  if (state === null || state.effectiveAt === null || isAhead(state, at)) return end
  // The day that runs at a change of zone ends in its own zone.
  const effectiveAt = Date.parse(state.effectiveAt)
  return state.firstDate === next ? effectiveAt : Math.max(end, effectiveAt)
}

/** The first instant of a named period in a zone, epoch ms. */
export function periodStart(zone: string, name: string): number {
  return firstInstant(zone, name.length === MONTH_LENGTH ? `${name}-01` : name)
}

const MONTH_LENGTH = '2026-01'.length

/** The first date after a period. Weeks may have begun on another weekday when their counter was written. */
function nextPeriod(unit: CalendarUnit, name: string, weekStart: WeekStart): string {
  if (unit === 'day') return nextDate(name)
  if (unit === 'week') return addDays(weekOf(name, weekStart), 7)
  const [year = 0, month = 1] = name.split('-').map(Number)
  return dateText(Date.UTC(year, month, 1))
}

function weekOf(date: string, weekStart: WeekStart): string {
  const day = new Date(Date.parse(date)).getUTCDay()
  return addDays(date, -(weekStart === 'monday' ? (day + 6) % 7 : day))
}

function addDays(date: string, days: number): string {
  return days === 0 ? date : dateText(Date.parse(date) + days * 86_400_000)
}

function dateText(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10)
}

const MAX_CACHED_INSTANTS = 1_024
const firstInstants = new LRUCache<string, number>({ max: MAX_CACHED_INSTANTS })

function firstInstant(zone: string, date: string): number {
  const key = `${date} ${zone}`
  let instant = firstInstants.get(key)
  if (instant === undefined) {
    instant = dayOn(zone, date).start
    firstInstants.set(key, instant)
  }
  return instant
}

/** The zone state after a change of zone. It counts from the end of the last day in which the user was admitted. */
export function changeZone(before: UserZone, zone: string | null, seenAt: number | undefined): ZoneState {
  if (seenAt === undefined) return { current: zone, previous: null, effectiveAt: null, firstDate: null }
  const { date, end } = userDay(before, seenAt)
  const effectiveAt = formatInstant(end)
  // A second change in the same day: the zone of the first one has not counted yet.
  const isPending = before.state?.effectiveAt === effectiveAt
  const previous = (isPending ? before.state?.previous : before.state?.current) ?? null
  return { current: zone, previous, effectiveAt, firstDate: nextDate(date) }
}
