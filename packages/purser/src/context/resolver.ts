import type { DeadlineQueue } from '../core/deadline-queue.ts'
import { hasSubscribers, publish } from '../core/diagnostics.ts'
import type { Effects } from '../core/effects.ts'
import type { Subject } from '../core/subject.ts'
import type { Mode } from '../options/context-section.ts'
import type { Explanation, Reason, ResolvedContext, ResolveOptions } from './api.ts'
import { type AssembledContext, assemble, type SectionResult } from './assemble.ts'
import type { CacheEntry } from './cache-entry.ts'
import type { UserSettings } from './configure-sections.ts'
import { explain } from './explain.ts'
import type { ContextHistory } from './history.ts'
import type { ContextLimits } from './limits.ts'
import type { ClockFormat, ClockText } from './render/clock.ts'
import { nextMidnight, zoneOf } from './render/zone.ts'
import { ResolveCall } from './resolve-call.ts'
import { type ParsedResolveOptions, parseResolveOptions, type ResolveDefaults } from './resolve-options.ts'
import { cacheKeyOf, loadKeysFor, type SectionRuntime } from './section-runtime.ts'
import type { FrozenSection, SessionCache } from './session-cache.ts'
import type { CachedContext, UserCache, UserEntry } from './user-cache.ts'

export interface ResolverDeps {
  readonly namespace: string
  readonly effects: Effects
  readonly limits: ContextLimits
  readonly cache: UserCache
  readonly deadlines: DeadlineQueue
  readonly sessions: SessionCache
  readonly history: ContextHistory
  readonly defaults: ResolveDefaults
  /** Loads the users' own settings. */
  readonly userSection: SectionRuntime
  /** Zone of users without their own. */
  readonly timeZone: string
  clock(timeZone: string, format: ClockFormat, now: number): ClockText
}

/**
 * Implements `resolve`, `explain` and `peek`.
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
    const cached = this.#findCached(entry, parsed, startedAt)
    return cached === undefined ? this.#load(user, parsed, startedAt) : this.#returnCached(cached)
  }

  /** What `resolve` would return without loading or rendering. Undefined also for options that are not valid. */
  getWarm(user: Subject, options: ResolveOptions): ResolvedContext | undefined {
    try {
      const parsed = parseResolveOptions(options, this.#deps.defaults)
      const cached = this.#findCached(this.#cache.get(user.id), parsed, this.#effects.monotonic())
      if (cached !== undefined) this.#reportCached(cached)
      return cached?.context
    } catch {
      return undefined
    }
  }

  #findCached(entry: UserEntry | undefined, options: ParsedResolveOptions, now: number): CachedContext | undefined {
    if (entry === undefined || options.maxAgeMs !== undefined) return undefined
    return this.#cache.getContext(entry, options.key, now)
  }

  #returnCached(cached: CachedContext): Promise<ResolvedContext> {
    this.#reportCached(cached)
    return cached.promise
  }

  #reportCached({ context }: CachedContext): void {
    if (!hasSubscribers('resolve')) return
    const { namespace } = this.#deps
    publish('resolve', { namespace, status: context.status, waitedMs: 0, queuedMs: 0, deadlineExceeded: false })
  }

  #reportCauses({ sections }: ResolvedContext): void {
    const { namespace } = this.#deps
    for (const { name, status, reason } of sections) {
      if (reason !== null && reason !== 'disabled' && (status === 'stale' || status === 'unavailable'))
        publish('section', { namespace, section: name, status, reason })
    }
  }

  /** `entry`: the user's entry in the cache. */
  peek(user: Subject, mode: Mode, entry: UserEntry): ResolvedContext | undefined {
    const now = this.#effects.monotonic()
    const cached = this.#cache.getContext(entry, mode, now)
    if (cached !== undefined) return cached.context
    const options = parseResolveOptions({ mode }, this.#deps.defaults)
    const results = options.sections.map((section) => this.#find(user, section, options, now))
    if (results.every((result) => result.entry === undefined)) return undefined
    const settings = this.#lookUp(user, this.#deps.userSection, options, now)
    const isEnabled = settingsOf(settings)?.isEnabled === true
    const allowed = isEnabled ? results : options.sections.map((section) => withhold(section, settings))
    return this.#assemble(user, options, { results: allowed, settings })
  }

  /** Like `resolve`, with a receipt. Nothing is taken from a complete context in memory. */
  async explain(user: Subject, options: ResolveOptions | undefined): Promise<Explanation> {
    const { effects, history } = this.#deps
    const parsed = parseResolveOptions(options, this.#deps.defaults)
    const found = await this.#gather(user, parsed, effects.monotonic())
    const previous = history.getPrevious(user.id, parsed.key, effects.now())
    const { results, ...assembled } = this.#render(user, parsed, found)
    const enabled = settingsOf(found.settings)?.isEnabled ?? null
    return explain(assembled, results, { previous, enabled, now: effects.now() })
  }

  async #load(user: Subject, options: ParsedResolveOptions, startedAt: number): Promise<ResolvedContext> {
    const { effects, namespace } = this.#deps
    const found = await this.#gather(user, options, startedAt)
    const context = this.#assemble(user, options, found)
    const waitedMs = effects.monotonic() - startedAt
    const { queuedMs, deadlineExceeded } = found
    publish('resolve', { namespace, status: context.status, waitedMs, queuedMs, deadlineExceeded })
    this.#reportCauses(context)
    return context
  }

  /**
   * Finds the data of all sections, and waits for what has to be loaded. First comes what the user has decided: without
   * their consent no source is called, and as long as it is unknown, nothing is sent.
   */
  async #gather(user: Subject, options: ParsedResolveOptions, startedAt: number): Promise<Gathered> {
    const { userSection } = this.#deps
    let settings = this.#find(user, userSection, options, startedAt)
    let deadlineExceeded = false
    if (!isSufficient(settings, options, this.#effects.now())) {
      const gathered = await this.#gatherSections(user, { ...options, sections: [userSection] }, startedAt)
      settings = gathered.results[0] as SectionResult
      deadlineExceeded = gathered.deadlineExceeded
    } else if (needsRefresh(settings, startedAt)) refresh(user, userSection, options)
    if (settingsOf(settings)?.isEnabled !== true) {
      const results = options.sections.map((section) => withhold(section, settings))
      return { results, settings, queuedMs: 0, deadlineExceeded }
    }
    return { ...(await this.#gatherSections(user, options, startedAt)), settings }
  }

  async #gatherSections(
    user: Subject,
    options: ParsedResolveOptions,
    startedAt: number,
  ): Promise<Omit<Gathered, 'settings'>> {
    const { deadlines, effects } = this.#deps
    const isAborted = options.signal?.aborted === true
    const call = new ResolveCall({ user, options, startedAt, deadlines, effects })
    for (const section of options.sections) {
      const result = this.#find(user, section, options, startedAt)
      call.setResult(isAborted ? { ...result, reason: 'aborted' } : result)
      if (isAborted || result.frozenAt !== undefined || result.isSkipped) continue
      if (!isSufficient(result, options, effects.now())) call.load(section)
      else if (needsRefresh(result, startedAt)) call.setResult({ ...result, reason: refresh(user, section, options) })
    }
    const deadlineExceeded = await call.wait(startedAt + options.budgetMs)
    const results = options.sections.map((section) => call.getResult(section))
    return { results, queuedMs: call.queuedMs, deadlineExceeded }
  }

  /** The section as it is frozen, else its data in the cache. */
  #find(user: Subject, section: SectionRuntime, options: Scope, now: number): SectionResult {
    const frozen = this.#findFrozen(user, section, options)
    if (frozen === undefined) return this.#lookUp(user, section, options, now)
    return { section, entry: frozen.entry, isFresh: true, frozenAt: frozen.frozenAt }
  }

  #findFrozen(user: Subject, section: SectionRuntime, { mode, session }: Scope): FrozenSection | undefined {
    const owner = freezerOf(section, session)
    if (owner === undefined) return undefined
    return this.#deps.sessions.getFrozen(user.id, owner, {
      cacheKey: freezeKeyOf(section, mode),
      now: this.#effects.now(),
    })
  }

  #lookUp(user: Subject, section: SectionRuntime, options: Scope, now: number): SectionResult {
    if (section.needsQuery && options.query === undefined)
      return { section, entry: undefined, isFresh: true, isSkipped: true }
    const entry = this.#cache.get(user.id)?.sections.get(cacheKeyOf(section, options))
    if (entry === undefined || now >= entry.staleUntil || entry.epoch !== section.epoch)
      return { section, entry: undefined, isFresh: false }
    return { section, entry, isFresh: now < entry.freshUntil }
  }

  /** The context of these results; a complete one in memory if that has come in between. */
  #assemble(user: Subject, options: ParsedResolveOptions, found: Found): ResolvedContext {
    const entry = this.#cache.get(user.id)
    const cached = this.#findCached(entry, options, this.#effects.monotonic())
    return cached === undefined ? this.#render(user, options, found).context : cached.context
  }

  /** Renders these results, and caches the context for later callers as long as none of it changes. */
  #render(
    user: Subject,
    options: ParsedResolveOptions,
    found: Found,
  ): AssembledContext & { readonly results: readonly SectionResult[] } {
    const { mode, key, maxTokens } = options
    const now = this.#effects.now()
    const monotonic = this.#effects.monotonic()
    const timeZone = options.timeZone ?? timeZoneOf(found.settings) ?? this.#deps.timeZone
    const clock = this.#deps.clock(timeZone, { mode, precision: options.clock }, now)
    const owner = [this.#deps.namespace, user.id] as const
    const results = found.results.map((result) => this.#freeze(user, result, { ...options, timeZone, now }))
    const assembled = assemble(results, { owner, mode, now, timeZone, clock, maxTokens }, this.#deps.limits)
    const { context } = assembled
    this.#deps.history.record(user.id, key, { at: now, context })
    const basis = [{ ...found.settings, isFresh: true }, ...results]
    if (basis.every((result) => this.#isCurrent(user, result, options))) {
      const { epoch } = this.#cache
      const validUntil = computeValidUntil(basis, assembled, { now, monotonic })
      if (monotonic < validUntil)
        this.#cache.setContext(user.id, key, { validUntil, epoch, context, promise: Promise.resolve(context) })
    }
    return { ...assembled, results }
  }

  /** Freezes a section with fresh data that is stable for the session or the day. */
  #freeze(
    user: Subject,
    result: SectionResult,
    at: Scope & { readonly timeZone: string; readonly now: number },
  ): SectionResult {
    const { section, entry, isFresh, frozenAt } = result
    const owner = freezerOf(section, at.session)
    if (owner === undefined || frozenAt !== undefined || !isFresh || entry === undefined || entry.data.isEmpty)
      return result
    if (!this.#isCurrent(user, result, at)) return result
    const { now } = at
    const until = section.stability === 'day' ? nextMidnight(now, at.timeZone) : Number.POSITIVE_INFINITY
    this.#deps.sessions.freeze(user.id, owner, freezeKeyOf(section, at.mode), { entry, frozenAt: now, until })
    return { ...result, frozenAt: now }
  }

  /** Whether the data of a result is still that in memory, and still valid. */
  #isCurrent(
    user: Subject,
    { section, entry, frozenAt, isSkipped, isWithheld }: SectionResult,
    options: Scope,
  ): boolean {
    if (isSkipped || isWithheld) return true
    if (frozenAt !== undefined) return entry === this.#findFrozen(user, section, options)?.entry
    const cached = this.#cache.get(user.id)?.sections.get(cacheKeyOf(section, options))
    return entry !== undefined && entry === cached && entry.epoch === section.epoch
  }
}

/** The data of the sections that a call needs. */
interface Found {
  readonly results: readonly SectionResult[]
  readonly settings: SectionResult
}

interface Gathered extends Found {
  readonly queuedMs: number
  readonly deadlineExceeded: boolean
}

/** The options that select the data of a section. */
type Scope = Pick<ParsedResolveOptions, 'mode' | 'session' | 'query'>

/** A frozen section keeps the data of its first query. */
function freezeKeyOf(section: SectionRuntime, mode: Mode): string {
  return cacheKeyOf(section, { mode, query: '' })
}

/** The session that freezes a section; '' stands for the day. Undefined: the section is not frozen. */
function freezerOf({ stability }: SectionRuntime, session: string | undefined): string | undefined {
  return stability === 'day' ? '' : stability === 'session' ? session : undefined
}

/** Undefined also for a zone that Intl does not know. */
function timeZoneOf(settings: SectionResult): string | undefined {
  const name = settingsOf(settings)?.timeZone
  return typeof name === 'string' && zoneOf(name) !== undefined ? name : undefined
}

/** Undefined if they could not be read. */
function settingsOf({ entry }: SectionResult): UserSettings | undefined {
  return entry?.data.value as UserSettings | undefined
}

/** A section that is not sent, because its user does not want it or because that is unknown. */
function withhold(section: SectionRuntime, settings: SectionResult): SectionResult {
  const isDisabled = settingsOf(settings)?.isEnabled === false
  const { reason } = settings
  const cause = reason === 'aborted' || reason === 'closed' ? reason : 'consent_unknown'
  return {
    section,
    entry: undefined,
    isFresh: true,
    isWithheld: isDisabled,
    reason: isDisabled ? 'disabled' : cause,
  }
}

/** Starts a load without waiting for it, unless one is running. Returns why the data is still the old one. */
function refresh(user: Subject, section: SectionRuntime, scope: Scope): Reason {
  const { mode, query } = scope
  const keys = loadKeysFor(section, user.id, scope)
  const load = section.loads.join({ ...keys, user, mode, query, forceReload: true, budgetMs: undefined })
  return typeof load === 'string' ? load : 'refreshing'
}

/** Whether a caller takes what is in memory. */
function isSufficient({ entry }: SectionResult, { maxAgeMs }: ParsedResolveOptions, now: number): boolean {
  return entry !== undefined && (maxAgeMs === undefined || now - entry.loadedAt <= maxAgeMs)
}

function needsRefresh({ entry }: SectionResult, monotonic: number): boolean {
  return entry !== undefined && monotonic >= entry.refreshFrom
}

/** Until the first section needs a refresh, an action enters or leaves its window, or the clock changes. Monotonic ms. */
function computeValidUntil(
  results: readonly SectionResult[],
  { changesAt }: AssembledContext,
  { now, monotonic }: { readonly now: number; readonly monotonic: number },
): number {
  let until = monotonic + (changesAt - now)
  for (const { section, entry, isFresh, frozenAt, isSkipped, isWithheld } of results) {
    if (isSkipped || isWithheld) continue
    if (frozenAt !== undefined) {
      // What is frozen for the day is looked at again every minute.
      if (section.stability === 'day') until = Math.min(until, monotonic + 60_000)
      continue
    }
    const { freshUntil, refreshFrom } = entry as CacheEntry
    until = Math.min(until, isFresh && freshUntil > monotonic ? refreshFrom : Number.NEGATIVE_INFINITY)
  }
  return until
}
