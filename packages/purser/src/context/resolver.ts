import type { DeadlineQueue } from '../core/deadline-queue.ts'
import { hasSubscribers, publish } from '../core/diagnostics.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { Mode, ResolvedContext, ResolveOptions } from './api.ts'
import { type Assembled, assemble, type SectionResult } from './assemble.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { ContextLimits } from './limits.ts'
import type { ClockText, Precision } from './render/clock.ts'
import { zoneOf } from './render/zone.ts'
import { ResolveCall } from './resolve-call.ts'
import { type Request, type RequestDefaults, readRequest } from './resolve-options.ts'
import { cacheKeyOf, keyOf, type SectionRuntime } from './section-runtime.ts'
import type { UserCache, UserEntry, View } from './user-cache.ts'

export interface ResolverDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly holdings: UserCache
  readonly deadlines: DeadlineQueue
  readonly defaults: RequestDefaults
  /** Loads the users' own zones; undefined when they have none. */
  readonly zoneLane: SectionRuntime | undefined
  readonly timeZone: string
  clockText(zone: string, precision: Precision, now: number): ClockText
}

/**
 * Answers `resolve` and `peek`.
 *
 * A warm call finds a finished context and compares one instant. Otherwise each section is looked at on its own: data
 * that is fresh, or old but good enough, is taken and at most refreshed behind the caller's back; for the rest the
 * caller waits, once for all of it and never beyond the budget, and then gets what there is: what was loaded, else
 * what is old, else a default, which is made for this call and kept nowhere.
 */
export class Resolver {
  readonly #house: ResolverDeps
  readonly #holdings: UserCache
  readonly #effects: Effects

  constructor(house: ResolverDeps) {
    this.#house = house
    this.#holdings = house.holdings
    this.#effects = house.effects
  }

  resolve(user: Subject, options: ResolveOptions | undefined): Promise<ResolvedContext> {
    const holding = this.#holdings.get(user.id)
    const startedAt = this.#effects.monotonic()
    if (options === undefined && holding !== undefined) {
      const view = this.#holdings.view(holding, 'reuse', startedAt)
      if (view !== undefined) return this.#warm(view)
    }
    let request: Request
    try {
      request = readRequest(options, this.#house.defaults)
    } catch (error) {
      return Promise.reject(error)
    }
    if (holding !== undefined && request.maxAgeMs === undefined) {
      const view = this.#holdings.view(holding, request.key, startedAt)
      if (view !== undefined) return this.#warm(view)
    }
    return this.#resolveSlowly(user, request, startedAt)
  }

  #warm({ context, promise }: View): Promise<ResolvedContext> {
    const { namespace } = this.#house
    if (hasSubscribers('resolve')) publish('resolve', { namespace, status: context.status, waitedMs: 0, blown: false })
    return promise
  }

  /** `holding`: what is in memory of this user. */
  peek(user: Subject, mode: Mode, holding: UserEntry): ResolvedContext | undefined {
    const now = this.#effects.monotonic()
    const view = this.#holdings.view(holding, mode, now)
    if (view !== undefined) return view.context
    const request = readRequest({ mode }, this.#house.defaults)
    const findings = request.lanes.map((lane) => this.#find(user, lane, mode, now))
    if (findings.every((finding) => finding.held === undefined)) return undefined
    const zone = this.#house.zoneLane && this.#find(user, this.#house.zoneLane, mode, now)
    return this.#view(user, request, findings, zone).context
  }

  async #resolveSlowly(user: Subject, request: Request, startedAt: number): Promise<ResolvedContext> {
    const { deadlines, effects, namespace } = this.#house
    const zoneLane = request.timeZone === undefined ? this.#house.zoneLane : undefined
    const needed = zoneLane === undefined ? request.lanes : [...request.lanes, zoneLane]
    const isOver = request.signal?.aborted === true
    const waiting = new ResolveCall({ user, request, deadlines, effects })
    for (const lane of needed) {
      const finding = this.#find(user, lane, request.mode, startedAt)
      waiting.note(finding)
      if (isOver || isEnough(finding, request, effects.now())) {
        if (!isOver && wantsRefresh(finding, startedAt)) refresh(user, lane, request)
      } else waiting.board(lane)
    }
    const blown = await waiting.over(startedAt + request.budgetMs)
    const findings = request.lanes.map((lane) => waiting.finding(lane))
    const { context } = this.#view(user, request, findings, zoneLane && waiting.finding(zoneLane))
    publish('resolve', { namespace, status: context.status, waitedMs: effects.monotonic() - startedAt, blown })
    return context
  }

  #find(user: Subject, lane: SectionRuntime, mode: Mode, now: number): SectionResult {
    const held = this.#house.holdings.get(user.id)?.pieces.get(cacheKeyOf(lane, mode))
    if (held === undefined || now >= held.staleUntil || held.epoch !== lane.epoch)
      return { lane, held: undefined, fresh: false }
    return { lane, held, fresh: now < held.freshUntil }
  }

  /** The finished context of these findings; kept for later callers as long as all of it stays as it is. */
  #view(user: Subject, request: Request, findings: readonly SectionResult[], zone: SectionResult | undefined): View {
    const { effects, holdings, limits } = this.#house
    const monotonic = effects.monotonic()
    const holding = holdings.get(user.id)
    if (holding !== undefined && request.maxAgeMs === undefined) {
      const view = holdings.view(holding, request.key, monotonic)
      if (view !== undefined) return view
    }
    const now = effects.now()
    const timeZone = request.timeZone ?? zoneIn(zone) ?? this.#house.timeZone
    const clock = this.#house.clockText(timeZone, request.clock, now)
    const composed = assemble(findings, { mode: request.mode, now, timeZone, clock }, limits)
    const basis = zone === undefined ? findings : [...findings, { ...zone, fresh: true }]
    const isHeld = basis.every(({ lane, held }) => {
      const present = holding?.pieces.get(cacheKeyOf(lane, request.mode))
      return held !== undefined && held === present && held.epoch === lane.epoch
    })
    const until = isHeld ? stillTrueUntil(basis, composed, { now, monotonic }) : Number.NEGATIVE_INFINITY
    const { context } = composed
    const view = { until, epoch: holdings.epoch, context, promise: Promise.resolve(context) }
    if (monotonic < until) holdings.remember(user.id, request.key, view)
    return view
  }
}

/** A zone that no calendar knows is as good as none. */
function zoneIn(zone: SectionResult | undefined): string | undefined {
  const name = zone?.held?.data.value
  return typeof name === 'string' && zoneOf(name) !== undefined ? name : undefined
}

/** Sets a refresh off, unless one is under way. */
function refresh(user: Subject, lane: SectionRuntime, { mode }: Request): void {
  lane.flights.board({ key: keyOf(lane, user.id, mode), user, mode, insists: true, budgetMs: undefined })
}

/** Whether a caller is content with what is in memory. */
function isEnough({ held }: SectionResult, { maxAgeMs }: Request, now: number): boolean {
  return held !== undefined && (maxAgeMs === undefined || now - held.loadedAt <= maxAgeMs)
}

function wantsRefresh({ held }: SectionResult, monotonic: number): boolean {
  return held !== undefined && monotonic >= held.refreshFrom
}

/** Until the first piece wants a refresh, a window or the clock moves on. */
function stillTrueUntil(
  findings: readonly SectionResult[],
  { changesAt }: Assembled,
  { now, monotonic }: { readonly now: number; readonly monotonic: number },
): number {
  let until = monotonic + (changesAt - now)
  for (const { held, fresh } of findings) {
    const piece = held as CacheEntry
    until = Math.min(until, fresh && piece.freshUntil > monotonic ? piece.refreshFrom : Number.NEGATIVE_INFINITY)
  }
  return until
}
