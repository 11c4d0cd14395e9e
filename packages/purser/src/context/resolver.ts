import type { Effects } from '../effects.ts'
import type { Subject } from '../identity.ts'
import { isHeard, signal } from '../signals.ts'
import { type Composed, compose, type Finding } from './compose.ts'
import type { DeadlineQueue } from './deadline.ts'
import type { Held } from './held.ts'
import { type Holdings, type View, viewOf } from './holdings.ts'
import { keyOf, type Lane, pieceOf } from './lane.ts'
import type { ContextLimits } from './limits.ts'
import type { Mode, ResolvedContext, ResolveOptions } from './port.ts'
import type { ClockText, Precision } from './render/clock.ts'
import { type Request, type RequestDefaults, readRequest } from './request.ts'
import { Waiting } from './waiting.ts'

export interface ResolverHouse {
  readonly namespace: string
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly holdings: Holdings
  readonly deadlines: DeadlineQueue
  readonly defaults: RequestDefaults
  /** Loads the users' own zones; undefined when they have none. */
  readonly zoneLane: Lane | undefined
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
  readonly #house: ResolverHouse
  readonly #holdings: Holdings
  readonly #effects: Effects

  constructor(house: ResolverHouse) {
    this.#house = house
    this.#holdings = house.holdings
    this.#effects = house.effects
  }

  resolve(user: Subject, options: ResolveOptions | undefined): Promise<ResolvedContext> {
    const holding = this.#holdings.get(user.id)
    const startedAt = this.#effects.monotonic()
    if (options === undefined) {
      const view = holding?.reuse
      if (view !== undefined && startedAt < view.until) return this.#warm(view)
    }
    let request: Request
    try {
      request = readRequest(options, this.#house.defaults)
    } catch (error) {
      return Promise.reject(error)
    }
    if (holding !== undefined && request.maxAgeMs === undefined) {
      const view = viewOf(holding, request.key)
      if (view !== undefined && startedAt < view.until) return this.#warm(view)
    }
    return this.#resolveSlowly(user, request, startedAt)
  }

  #warm({ context, promise }: View): Promise<ResolvedContext> {
    const { namespace } = this.#house
    if (isHeard('resolve')) signal('resolve', { namespace, status: context.status, waitedMs: 0, blown: false })
    return promise
  }

  peek(user: Subject, mode: Mode): ResolvedContext | undefined {
    const holding = this.#holdings.get(user.id)
    if (holding === undefined) return undefined
    const view = mode === 'reuse' ? holding.reuse : holding.create
    const now = this.#effects.monotonic()
    if (view !== undefined && now < view.until) return view.context
    const request = readRequest({ mode }, this.#house.defaults)
    const findings = request.lanes.map((lane) => this.#find(user, lane, mode, now))
    if (findings.every((finding) => finding.held === undefined)) return undefined
    return this.#view(user, request, findings).context
  }

  async #resolveSlowly(user: Subject, request: Request, startedAt: number): Promise<ResolvedContext> {
    const { zoneLane, deadlines, effects, namespace } = this.#house
    const needed =
      zoneLane === undefined || request.timeZone !== undefined ? request.lanes : [...request.lanes, zoneLane]
    const isOver = request.signal?.aborted === true
    const waiting = new Waiting({ user, request, deadlines, effects })
    for (const lane of needed) {
      const finding = this.#find(user, lane, request.mode, startedAt)
      waiting.note(finding)
      if (isOver || isEnough(finding, request, effects.now())) {
        if (!isOver && wantsRefresh(finding, startedAt)) refresh(user, lane, request)
      } else waiting.board(lane)
    }
    const blown = await waiting.over(startedAt + request.budgetMs)
    const findings = request.lanes.map((lane) => waiting.finding(lane))
    const zone = zoneLane && waiting.finding(zoneLane).held?.data.value
    const { context } = this.#view(user, request, findings, typeof zone === 'string' ? zone : undefined)
    signal('resolve', { namespace, status: context.status, waitedMs: effects.monotonic() - startedAt, blown })
    return context
  }

  #find(user: Subject, lane: Lane, mode: Mode, now: number): Finding {
    const held = this.#house.holdings.get(user.id)?.pieces.get(pieceOf(lane, mode))
    if (held === undefined || now >= held.staleUntil) return { lane, held: undefined, fresh: false }
    return { lane, held, fresh: now < held.freshUntil }
  }

  /** The finished context of these findings; kept for later callers as long as all of it stays as it is. */
  #view(user: Subject, request: Request, findings: readonly Finding[], ownZone?: string): View {
    const { effects, holdings, limits, zoneLane } = this.#house
    const monotonic = effects.monotonic()
    const holding = holdings.get(user.id)
    if (holding !== undefined && request.maxAgeMs === undefined) {
      const view = viewOf(holding, request.key)
      if (view !== undefined && monotonic < view.until) return view
    }
    const zoneHeld = holding?.pieces.get(zoneLane?.section.name ?? '')
    const heldZone = zoneHeld?.data.value
    const timeZone = request.timeZone ?? ownZone ?? (typeof heldZone === 'string' ? heldZone : this.#house.timeZone)
    const now = effects.now()
    const clock = this.#house.clockText(timeZone, request.clock, now)
    const composed = compose(findings, { mode: request.mode, now, timeZone, clock }, limits)
    const isHeld = (finding: Finding): boolean =>
      finding.held !== undefined && holding?.pieces.get(pieceOf(finding.lane, request.mode)) === finding.held
    const zoneFinding =
      request.timeZone === undefined && zoneLane !== undefined ? [{ lane: zoneLane, held: zoneHeld, fresh: true }] : []
    const basis = [...findings, ...zoneFinding]
    const until = basis.every(isHeld) ? stillTrueUntil(basis, composed, { now, monotonic }) : Number.NEGATIVE_INFINITY
    const view = { until, context: composed.context, promise: Promise.resolve(composed.context) }
    if (monotonic < until) holdings.remember(user.id, request.key, view)
    return view
  }
}

/** Sets a refresh off, unless one is under way. */
function refresh(user: Subject, lane: Lane, { mode }: Request): void {
  lane.flights.board({ key: keyOf(lane, user.id, mode), user, mode, insists: true, budgetMs: undefined })
}

/** Whether a caller is content with what is in memory. */
function isEnough({ held }: Finding, { maxAgeMs }: Request, now: number): boolean {
  return held !== undefined && (maxAgeMs === undefined || now - held.loadedAt <= maxAgeMs)
}

function wantsRefresh({ held }: Finding, monotonic: number): boolean {
  return held !== undefined && monotonic >= held.refreshFrom
}

/** Until the first piece wants a refresh, a window or the clock moves on. */
function stillTrueUntil(
  findings: readonly Finding[],
  { changesAt }: Composed,
  { now, monotonic }: { readonly now: number; readonly monotonic: number },
): number {
  let until = monotonic + (changesAt - now)
  for (const { held, fresh } of findings) {
    const piece = held as Held
    until = Math.min(until, fresh && piece.freshUntil > monotonic ? piece.refreshFrom : Number.NEGATIVE_INFINITY)
  }
  return until
}
