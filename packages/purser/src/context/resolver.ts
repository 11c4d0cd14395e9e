import type { DeadlineQueue } from '../core/deadline-queue.ts'
import { hasSubscribers, publish } from '../core/diagnostics.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { Mode, ResolvedContext, ResolveOptions } from './api.ts'
import { type AssembledContext, assemble, type SectionResult } from './assemble.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { ContextLimits } from './limits.ts'
import type { ClockFormat, ClockText } from './render/clock.ts'
import { zoneOf } from './render/zone.ts'
import { ResolveCall } from './resolve-call.ts'
import { type ParsedResolveOptions, parseResolveOptions, type ResolveDefaults } from './resolve-options.ts'
import { cacheKeyOf, loadKeyOf, type SectionRuntime } from './section-runtime.ts'
import type { CachedContext, UserCache, UserEntry } from './user-cache.ts'

export interface ResolverDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly cache: UserCache
  readonly deadlines: DeadlineQueue
  readonly defaults: ResolveDefaults
  /** Loads the users' own zones; undefined if users have none. */
  readonly timeZoneSection: SectionRuntime | undefined
  /** Zone of users without their own. */
  readonly timeZone: string
  clock(timeZone: string, format: ClockFormat, now: number): ClockText
}

/**
 * Implements `resolve` and `peek`.
 *
 * A warm call finds a complete context and compares one instant. Otherwise each section is looked up on its own: fresh
 * data, and stale data without `maxAgeMs`, is used and at most refreshed in the background. For the other sections the
 * call waits, once for all of them and never beyond its budget, and then uses what there is: loaded data, else stale
 * data, else a placeholder, which is never cached.
 */
export class Resolver {
  readonly #deps: ResolverDeps
  readonly #cache: UserCache
  readonly #effects: Effects

  constructor(deps: ResolverDeps) {
    this.#deps = deps
    this.#cache = deps.cache
    this.#effects = deps.effects
  }

  resolve(user: Subject, options: ResolveOptions | undefined): Promise<ResolvedContext> {
    const entry = this.#cache.get(user.id)
    const startedAt = this.#effects.monotonic()
    if (options === undefined && entry !== undefined) {
      const cached = this.#cache.getContext(entry, this.#deps.defaults.mode, startedAt)
      if (cached !== undefined) return this.#returnCached(cached)
    }
    let parsed: ParsedResolveOptions
    try {
      parsed = parseResolveOptions(options, this.#deps.defaults)
    } catch (error) {
      return Promise.reject(error)
    }
    if (entry !== undefined && parsed.maxAgeMs === undefined) {
      const cached = this.#cache.getContext(entry, parsed.key, startedAt)
      if (cached !== undefined) return this.#returnCached(cached)
    }
    return this.#load(user, parsed, startedAt)
  }

  #returnCached({ context, promise }: CachedContext): Promise<ResolvedContext> {
    const { namespace } = this.#deps
    if (hasSubscribers('resolve'))
      publish('resolve', { namespace, status: context.status, waitedMs: 0, deadlineExceeded: false })
    return promise
  }

  /** `entry`: the user's entry in the cache. */
  peek(user: Subject, mode: Mode, entry: UserEntry): ResolvedContext | undefined {
    const now = this.#effects.monotonic()
    const cached = this.#cache.getContext(entry, mode, now)
    if (cached !== undefined) return cached.context
    const options = parseResolveOptions({ mode }, this.#deps.defaults)
    const results = options.sections.map((section) => this.#lookUp(user, section, { mode, now }))
    if (results.every((result) => result.entry === undefined)) return undefined
    const { timeZoneSection } = this.#deps
    const timeZone = timeZoneSection && this.#lookUp(user, timeZoneSection, { mode, now })
    return this.#assemble(user, options, { results, timeZone })
  }

  async #load(user: Subject, options: ParsedResolveOptions, startedAt: number): Promise<ResolvedContext> {
    const { deadlines, effects, namespace } = this.#deps
    const timeZoneSection = options.timeZone === undefined ? this.#deps.timeZoneSection : undefined
    const needed = timeZoneSection === undefined ? options.sections : [...options.sections, timeZoneSection]
    const isAborted = options.signal?.aborted === true
    const call = new ResolveCall({ user, options, deadlines, effects })
    for (const section of needed) {
      const result = this.#lookUp(user, section, { mode: options.mode, now: startedAt })
      call.setResult(result)
      if (isAborted) continue
      if (!isSufficient(result, options, effects.now())) call.load(section)
      else if (needsRefresh(result, startedAt)) refresh(user, section, options.mode)
    }
    const deadlineExceeded = await call.wait(startedAt + options.budgetMs)
    const results = options.sections.map((section) => call.getResult(section))
    const timeZone = timeZoneSection && call.getResult(timeZoneSection)
    const context = this.#assemble(user, options, { results, timeZone })
    const waitedMs = effects.monotonic() - startedAt
    publish('resolve', { namespace, status: context.status, waitedMs, deadlineExceeded })
    return context
  }

  #lookUp(user: Subject, section: SectionRuntime, { mode, now }: { mode: Mode; now: number }): SectionResult {
    const entry = this.#cache.get(user.id)?.sections.get(cacheKeyOf(section, mode))
    if (entry === undefined || now >= entry.staleUntil || entry.epoch !== section.epoch)
      return { section, entry: undefined, isFresh: false }
    return { section, entry, isFresh: now < entry.freshUntil }
  }

  /** The context of these results, cached for later callers as long as none of it changes. */
  #assemble(
    user: Subject,
    options: ParsedResolveOptions,
    found: { readonly results: readonly SectionResult[]; readonly timeZone: SectionResult | undefined },
  ): ResolvedContext {
    const { mode, key, maxTokens } = options
    const monotonic = this.#effects.monotonic()
    const entry = this.#cache.get(user.id)
    if (entry !== undefined && options.maxAgeMs === undefined) {
      const cached = this.#cache.getContext(entry, key, monotonic)
      if (cached !== undefined) return cached.context
    }
    const now = this.#effects.now()
    const timeZone = options.timeZone ?? timeZoneOf(found.timeZone) ?? this.#deps.timeZone
    const clock = this.#deps.clock(timeZone, { mode, precision: options.clock }, now)
    const assembled = assemble(found.results, { mode, now, timeZone, clock, maxTokens }, this.#deps.limits)
    const { context } = assembled
    const basis = found.timeZone === undefined ? [] : [{ ...found.timeZone, isFresh: true }]
    basis.push(...found.results)
    if (!basis.every((result) => isCurrent(result, entry, mode))) return context
    const validUntil = computeValidUntil(basis, assembled, { now, monotonic })
    if (monotonic < validUntil) {
      const { epoch } = this.#cache
      this.#cache.setContext(user.id, key, { validUntil, epoch, context, promise: Promise.resolve(context) })
    }
    return context
  }
}

/** Undefined also for a zone that Intl does not know. */
function timeZoneOf(result: SectionResult | undefined): string | undefined {
  const name = result?.entry?.data.value
  return typeof name === 'string' && zoneOf(name) !== undefined ? name : undefined
}

/** Starts a load without waiting for it, unless one is running. */
function refresh(user: Subject, section: SectionRuntime, mode: Mode): void {
  const key = loadKeyOf(section, user.id, mode)
  section.loads.join({ key, user, mode, forceReload: true, budgetMs: undefined })
}

/** Whether a caller takes what is in memory. */
function isSufficient({ entry }: SectionResult, { maxAgeMs }: ParsedResolveOptions, now: number): boolean {
  return entry !== undefined && (maxAgeMs === undefined || now - entry.loadedAt <= maxAgeMs)
}

function needsRefresh({ entry }: SectionResult, monotonic: number): boolean {
  return entry !== undefined && monotonic >= entry.refreshFrom
}

/** Whether the data of a result is still that in the cache, and still valid. */
function isCurrent({ section, entry }: SectionResult, user: UserEntry | undefined, mode: Mode): boolean {
  const cached = user?.sections.get(cacheKeyOf(section, mode))
  return entry !== undefined && entry === cached && entry.epoch === section.epoch
}

/** Until the first section needs a refresh, an action enters or leaves its window, or the clock changes. Monotonic ms. */
function computeValidUntil(
  results: readonly SectionResult[],
  { changesAt }: AssembledContext,
  { now, monotonic }: { readonly now: number; readonly monotonic: number },
): number {
  let until = monotonic + (changesAt - now)
  for (const { entry, isFresh } of results) {
    const { freshUntil, refreshFrom } = entry as CacheEntry
    until = Math.min(until, isFresh && freshUntil > monotonic ? refreshFrom : Number.NEGATIVE_INFINITY)
  }
  return until
}
