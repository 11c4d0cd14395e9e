import { Temporal } from 'temporal-polyfill'
import type { Bond } from '../../src/ledger/bond.ts'
import type { Admission } from '../../src/ledger/decide/admission.ts'
import type { Quota } from '../../src/ledger/quota.ts'

/*
 * The simplest possible ledger: mutable fields, one running window, a list of events. It shares no code with
 * the ledger, which must be indistinguishable from it.
 */

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000

export interface ReferenceRules {
  readonly dailyCap: number
  readonly window: 'day' | 'rolling24h'
  readonly timeZone: string
}

export interface ReferenceTicket {
  readonly incarnation: number
  readonly issuedAt: number
  readonly cost: number
  readonly window: string
  use: 'open' | 'claimed' | 'settled' | 'refunded'
}

export interface ReferenceEvent {
  readonly type: string
  readonly detail: string
}

export interface ReferenceWindow {
  readonly name: string
  readonly count: number
  freeAt(cost: number): number | null
}

export class ReferenceUser {
  readonly id: string
  readonly rules: ReferenceRules
  incarnation: number = 1
  exists = false
  phase = 'dormant'
  previousPhase = 'dormant'
  phaseEnteredAt: string | null = null
  risk = 'low'
  archetype = 'unknown'
  egg = 'none'
  turns = 0
  peaks: Record<string, { value: number; at: string }> = {}
  cap: number | null = null
  zone: string | null = null
  blocked: Bond['blocked'] = null
  notes: string[] = []
  events: ReferenceEvent[] = []
  observedAt: number | null = null
  createdAt: number | null = null
  seenAt: number | null = null
  updatedAt: number | null = null
  /** What was counted, by date or minute. */
  counted: Map<string, number> = new Map()
  lastDate: string | null = null
  lastEnd = 0

  /** The days whose first refusal was reported, and the instant of the last report of a rolling window. */
  reportedDays: Set<string> = new Set()
  reportedAt: number | null = null
  lastUse = 0

  constructor(id: string, rules: ReferenceRules) {
    this.id = id
    this.rules = rules
  }

  erase(): void {
    const next = new ReferenceUser(this.id, this.rules)
    Object.assign(this, next, { incarnation: this.incarnation + 1 })
  }

  write(now: number, seen = false): void {
    this.exists = true
    this.createdAt ??= now
    this.updatedAt = now
    if (seen) this.seenAt = Math.max(this.seenAt ?? 0, now)
  }

  log(type: string, detail: string): void {
    this.events.push({ type, detail })
  }

  get version(): number {
    return this.events.length
  }

  /** The window that usage is counted in now. */
  window(now: number): ReferenceWindow {
    return this.rules.window === 'day' ? this.dayWindow(now) : this.rollingWindow(now)
  }

  dayWindow(now: number): ReferenceWindow {
    const { date, end } = this.runningDay(now)
    return { name: date, count: this.counted.get(date) ?? 0, freeAt: () => end }
  }

  runningDay(now: number): { date: string; end: number } {
    if (this.lastDate !== null && now < this.lastEnd) return { date: this.lastDate, end: this.lastEnd }
    const zone = this.zone ?? this.rules.timeZone
    let date = Temporal.Instant.fromEpochMilliseconds(now).toZonedDateTimeISO(zone).toPlainDate()
    if (this.lastDate !== null && Temporal.PlainDate.compare(date, this.lastDate) <= 0)
      date = Temporal.PlainDate.from(this.lastDate).add({ days: 1 })
    const end = date.add({ days: 1 }).toZonedDateTime({ timeZone: zone }).startOfDay().epochMilliseconds
    return { date: date.toString(), end }
  }

  rollingWindow(now: number): ReferenceWindow {
    const highest = Math.max(0, ...[...this.counted.keys()].map(Number))
    const minute = Math.max(Math.floor(now / MINUTE_MS), highest)
    const present = Math.max(now, minute * MINUTE_MS)
    const buckets = [...this.counted]
      .map(([at, cost]) => ({ end: (Number(at) + 1) * MINUTE_MS + DAY_MS, cost }))
      .filter(({ end, cost }) => end > present && cost > 0)
      .sort((a, b) => a.end - b.end)
    return {
      name: String(minute),
      count: buckets.reduce((sum, { cost }) => sum + cost, 0),
      freeAt(needed) {
        let freed = 0
        for (const { end, cost } of buckets) {
          freed += cost
          if (freed >= needed) return end
        }
        return buckets.at(-1)?.end ?? null
      },
    }
  }

  /** Counts a cost, and returns the window it was counted in. */
  use(now: number, cost: number): string {
    const { name } = this.window(now)
    this.lastUse = Math.max(now, this.lastUse)
    if (this.rules.window === 'day') {
      const { date, end } = this.runningDay(now)
      this.lastDate = date
      this.lastEnd = end
    }
    this.counted.set(name, (this.counted.get(name) ?? 0) + cost)
    return name
  }

  quota(now: number): Quota {
    const cap = this.cap ?? this.rules.dailyCap
    const { count, freeAt } = this.window(now)
    return {
      remaining: cap === 0 ? -1 : Math.max(0, cap - count),
      cap,
      count,
      resetAt: cap === 0 ? null : iso(freeAt(1)),
    }
  }

  /** The first refusal in a window leaves an event. */
  reportRefusal(now: number): void {
    const { name } = this.window(now)
    const at = Math.max(now, this.lastUse)
    if (this.rules.window === 'day' ? this.reportedDays.has(name) : this.isReportedLately(at)) return
    this.reportedDays.add(name)
    this.reportedAt = at
    const { count, cap } = this.quota(now)
    this.log('limit_reached', `limit daily reached: ${count} of ${cap} turns`)
    this.write(now)
  }

  isReportedLately(at: number): boolean {
    return this.reportedAt !== null && Math.abs(at - this.reportedAt) < DAY_MS
  }

  blockAt(now: number): Bond['blocked'] {
    return this.blocked?.until && Date.parse(this.blocked.until) <= now ? null : this.blocked
  }

  /** The refusal; undefined when the user may act. */
  refusal(now: number, cost: number): Admission | undefined {
    const block = this.blockAt(now)
    const quota = this.quota(now)
    if (block !== null) {
      const retryAfterMs = block.until === null ? null : Date.parse(block.until) - now
      return { allowed: false, reason: 'blocked', retryAfterMs, ...quota }
    }
    if (quota.cap === 0 || quota.count + cost <= quota.cap) return undefined
    const at = cost > quota.cap ? null : this.window(now).freeAt(quota.count + cost - quota.cap)
    return {
      allowed: false,
      reason: 'daily_cap',
      retryAfterMs: at === null ? null : at - now,
      ...quota,
      resetAt: at === null ? quota.resetAt : iso(at),
    }
  }

  bond(now: number): Omit<Bond, 'head'> {
    const { cap, count, resetAt } = this.quota(now)
    return {
      user: this.id,
      exists: this.exists,
      version: this.version,
      phase: this.phase,
      previousPhase: this.previousPhase,
      archetype: this.archetype,
      phaseEnteredAt: this.phaseEnteredAt,
      turnCount: this.turns,
      peaks: this.peaks,
      riskLevel: this.risk,
      dailyCap: cap,
      capOrigin: this.cap === null ? 'default' : 'user',
      plan: null,
      planOrigin: 'default',
      dailyCount: count,
      windowResetAt: resetAt,
      blocked: this.blockAt(now),
      eggStatus: this.egg,
      notesCount: this.notes.length,
      timeZone: this.zone ?? this.rules.timeZone,
      createdAt: iso(this.createdAt),
      lastSeenAt: iso(this.seenAt),
      updatedAt: iso(this.updatedAt),
    }
  }
}

export function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString()
}
