import { Temporal } from 'temporal-polyfill'
import type { Limit, ModelPrice, PlanConfig } from '../../../src/options.ts'

/*
 * The simplest possible limits: a list of admissions, lists of windows, and rules that are worked out anew for every
 * question. It shares no code with the rules engine, which must be indistinguishable from it.
 */

const DAY_MS = 86_400_000
const TWO_DAYS_MS = 2 * DAY_MS

export interface ReferenceConfig {
  readonly dailyCap: number
  readonly window: 'day' | 'rolling24h'
  readonly limits: readonly Limit[]
  readonly plans: Readonly<Record<string, PlanConfig>>
  readonly plan: string | undefined
  readonly timeZone: string
  readonly prices: Readonly<Record<string, ModelPrice>>
}

interface ReferenceRule extends Limit {
  readonly most: bigint | null
  readonly origin: string
  readonly ceiling: bigint | null
  readonly until: string | null
  readonly pending: { readonly max: bigint | null; readonly at: string } | null
}

interface ReferenceWindow {
  readonly name: string | null
  /** First instant of the period, or of the use. */
  readonly begin: number
  from: number
  used: bigint
  readonly reported: Set<string>
}

/** Everything that was counted under one rule. */
interface ReferenceUse {
  windows: ReferenceWindow[]
  parts: Map<number, bigint>
  reports: { readonly key: string; readonly at: number; readonly window: string | null }[]
}

export interface Spending {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedTokens?: number
  readonly toolCalls?: number
  readonly cost?: bigint | undefined
}

export interface ReferenceAdmission {
  readonly id: string
  at: number
  readonly weight: number
  model: string | null
  downgradedBy: string | null
  /** Null: settled, refunded or lapsed. */
  held: { until: number; isTurn: boolean; model: string | null; spent: Spending & { cost: bigint } } | null
  /** The windows that have counted it, by rule. */
  windows: Map<string, ReferenceWindow>
}

export interface ReferenceRequest {
  readonly id: string
  readonly weight: number
  readonly model: string | null
  readonly estimate: Spending
  readonly leaseMs: number
}

export type ReferenceOutcome =
  | { readonly allowed: true; readonly model: string | null; readonly downgradedBy: string | null }
  | { readonly allowed: false; readonly rule: string; readonly used: bigint; readonly resetAt: number | null }

export interface ReferenceFact {
  readonly type: string
  readonly limit: string | null
  readonly threshold: number | null
}

export class ReferenceLimits {
  readonly config: ReferenceConfig
  zone: string | null = null
  plan: string | null = null
  overrides: Map<string, { max: bigint | null; until: number | null }> = new Map()
  own: Map<string, { max: bigint | null; next: { max: bigint | null; at: number } | null }> = new Map()
  uses: Map<string, ReferenceUse> = new Map()
  admissions: ReferenceAdmission[] = []
  /** Instants of admissions, with the day of the user at that time. */
  sightings: { at: number; date: string; end: number }[] = []
  gaps: { from: number; to: number }[] = []
  facts: ReferenceFact[] = []
  now = 0

  constructor(config: ReferenceConfig) {
    this.config = config
  }

  // Time

  get seenAt(): number | null {
    return this.sightings.at(-1)?.at ?? null
  }

  /** The gap in which the clock is now, although admissions were counted far after it. */
  get gap(): { from: number; to: number } | undefined {
    if (this.seenAt === null || this.now >= this.seenAt) return undefined
    return this.gaps.find(({ from, to }) => from <= this.now && to > this.now + TWO_DAYS_MS)
  }

  get at(): number {
    return this.gap === undefined ? Math.max(this.now, this.seenAt ?? this.now) : this.now
  }

  /** Undoes what was opened while the clock was ahead. */
  returnToGap(): boolean {
    const { gap, now } = this
    if (gap === undefined) return false
    const isAhead = (window: ReferenceWindow): boolean => window.from >= gap.to && window.begin > now + TWO_DAYS_MS
    for (const [key, use] of this.uses) {
      if (!key.includes(' total ')) use.windows = use.windows.filter((window) => !isAhead(window))
      for (const part of [...use.parts.keys()]) if (part > now) use.parts.delete(part)
      use.reports = use.reports.filter(({ at }) => at < gap.to)
    }
    for (const admission of this.admissions) if (admission.at >= gap.to) admission.held = null
    this.sightings = this.sightings.filter(({ at }) => at <= gap.from)
    this.gaps = this.gaps.filter(({ to }) => to < gap.to)
    this.facts.push({ type: 'window_dropped', limit: null, threshold: null })
    return true
  }

  userDay(at: number): { date: string; end: number } {
    const last = this.sightings.at(-1)
    if (last !== undefined && at < last.end) return last
    const zone = this.zone ?? this.config.timeZone
    let date = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate()
    // After a clock was set back over midnight it is the previous date again.
    while (startOf(zone, date.add({ days: 1 })) <= at) date = date.add({ days: 1 })
    if (last !== undefined && date.toString() <= last.date) date = Temporal.PlainDate.from(last.date).add({ days: 1 })
    return { date: date.toString(), end: startOf(zone, date.add({ days: 1 })) }
  }

  period(rule: ReferenceRule, at: number): { name: string; begin: number; end: number } {
    const today = this.userDay(at)
    const first = firstDateOf(rule, today.date)
    return {
      name: first.toString(),
      begin: startOf(this.zone ?? this.config.timeZone, first),
      end: this.endOf(rule, first, at),
    }
  }

  endOf(rule: ReferenceRule, first: Temporal.PlainDate, at: number): number {
    const today = this.userDay(at)
    const next = nextFirstDate(rule, first)
    const tomorrow = Temporal.PlainDate.from(today.date).add({ days: 1 })
    if (Temporal.PlainDate.compare(next, tomorrow) === 0) return today.end
    return Math.max(today.end, startOf(this.zone ?? this.config.timeZone, next))
  }

  // Rules

  rules(): ReferenceRule[] {
    const { dailyCap, window, limits, plans } = this.config
    const daily: Limit = { name: 'daily', measure: 'turns', max: dailyCap === 0 ? null : dailyCap, window }
    const list: { limit: Limit; origin: string }[] = [{ limit: daily, origin: 'default' }]
    const put = (limit: Limit, origin: string): void => {
      const old = list.find((entry) => entry.limit.name === limit.name)
      if (old === undefined) list.push({ limit, origin })
      else Object.assign(old, { limit, origin })
    }
    for (const limit of limits) put(limit, 'default')
    const chain: string[] = []
    for (let plan = this.plan ?? this.config.plan; plan !== undefined; plan = plans[plan]?.extends) chain.unshift(plan)
    for (const plan of chain) for (const limit of plans[plan]?.limits ?? []) put(limit, `plan:${plan}`)
    return list.map(({ limit, origin }) => this.#personal(limit, origin))
  }

  #personal(limit: Limit, origin: string): ReferenceRule {
    const { at } = this
    const override = this.overrides.get(limit.name)
    const isSet = override !== undefined && (override.until === null || at < override.until)
    const ceiling = isSet ? override.max : toUnits(limit.measure, limit.max)
    const operator = isSet ? 'user' : origin
    const until = isSet && override.until !== null ? new Date(override.until).toISOString() : null
    const own = this.own.get(limit.name)
    const isDue = own?.next != null && at >= own.next.at
    const chosen = own === undefined ? null : isDue ? (own.next?.max ?? null) : own.max
    const pending = own?.next == null || isDue ? null : { max: own.next.max, at: new Date(own.next.at).toISOString() }
    const isLower = chosen !== null && (ceiling === null || chosen < ceiling)
    return { ...limit, most: isLower ? chosen : ceiling, ceiling, origin: isLower ? 'self' : operator, until, pending }
  }

  use(rule: ReferenceRule): ReferenceUse {
    const key = keyOf(rule)
    let use = this.uses.get(key)
    if (use === undefined) {
      use = { windows: [], parts: new Map(), reports: [] }
      this.uses.set(key, use)
    }
    return use
  }

  /** A rule that counts something else under an old name starts anew. */
  startUse(rule: ReferenceRule): ReferenceUse {
    for (const key of this.uses.keys())
      if (key.startsWith(`${rule.name} `) && key !== keyOf(rule)) this.uses.delete(key)
    return this.use(rule)
  }

  running(rule: ReferenceRule, open: boolean): ReferenceWindow | undefined {
    const { at } = this
    const { windows } = open ? this.startUse(rule) : this.use(rule)
    const kind = kindOf(rule)
    let window: ReferenceWindow | undefined
    if (kind.calendar) {
      const { name } = this.period(rule, at)
      window = windows.find((candidate) => (candidate.name ?? '') >= name)
    } else if (kind.firstUseMs !== null) {
      const lengthMs = kind.firstUseMs
      window = windows.find(({ from }) => from <= at && at < from + lengthMs)
    } else window = windows[0]
    if (window !== undefined && open) window.from = Math.min(window.from, at)
    if (window !== undefined || !open) return window
    const period = kind.calendar ? this.period(rule, at) : null
    const opened = {
      name: period?.name ?? null,
      begin: period?.begin ?? at,
      from: at,
      used: 0n,
      reported: new Set<string>(),
    }
    windows.push(opened)
    return opened
  }

  /** Use, holds and reset under a rule. */
  standing(rule: ReferenceRule): { used: bigint; held: bigint; resetAt: number | null } {
    if (rule.measure === 'concurrent')
      return {
        used: BigInt(this.live().filter(({ held }) => held?.isTurn && matches(rule, held.model)).length),
        held: 0n,
        resetAt: null,
      }
    const { slidingMs, partMs, firstUseMs, calendar } = kindOf(rule)
    if (slidingMs !== null) {
      const counting = this.countingParts(rule)
      const first = counting.find(([, used]) => used > 0n)
      return {
        used: counting.reduce((sum, [, used]) => sum + used, 0n),
        held: this.#held(rule, (at) => partStart(at, partMs) + partMs + slidingMs > this.at),
        resetAt: first === undefined ? null : first[0] + partMs + slidingMs,
      }
    }
    const window = this.running(rule, false)
    const resetAt = calendar
      ? this.#resetOf(rule, window)
      : window === undefined || firstUseMs === null
        ? null
        : window.from + firstUseMs
    return { used: window?.used ?? 0n, held: this.#held(rule, (at) => at >= (window?.from ?? this.at)), resetAt }
  }

  #resetOf(rule: ReferenceRule, window: ReferenceWindow | undefined): number {
    const period = this.period(rule, this.at)
    if (window === undefined || window.name === period.name) return period.end
    return this.endOf(rule, Temporal.PlainDate.from(window.name ?? ''), this.at)
  }

  countingParts(rule: ReferenceRule): [number, bigint][] {
    const { slidingMs, partMs } = kindOf(rule)
    return [...this.use(rule).parts]
      .filter(([start]) => start + partMs + (slidingMs ?? 0) > this.at)
      .sort(([one], [other]) => one - other)
  }

  #held(rule: ReferenceRule, isCounted: (at: number) => boolean): bigint {
    let held = 0n
    for (const admission of this.live())
      if (admission.held !== null && matches(rule, admission.held.model) && isCounted(admission.at))
        held += amountOf(rule, admission.held.spent)
    return held
  }

  live(): ReferenceAdmission[] {
    return this.admissions.filter(({ held }) => held !== null && held.until > this.at)
  }

  lapse(): void {
    for (const admission of this.admissions)
      if (admission.held !== null && admission.held.until <= this.at) admission.held = null
  }

  // Decisions

  admit(request: ReferenceRequest): ReferenceOutcome {
    this.returnToGap()
    return this.#decide(request, { exempt: null, downgradedBy: null, once: true })
  }

  move(admission: ReferenceAdmission, request: ReferenceRequest): ReferenceOutcome {
    this.returnToGap()
    const { held } = admission
    const old = [...this.#turnRules(admission)]
    for (const { rule, window } of old) this.#subtract(rule, window, admission)
    admission.held = null
    const { downgradedBy } = admission
    const outcome = this.#decide(request, { exempt: downgradedBy, downgradedBy, once: false })
    if (!outcome.allowed) {
      admission.held = held
      for (const { undo } of old) undo()
    }
    return outcome
  }

  #decide(
    request: ReferenceRequest,
    { exempt, downgradedBy, once }: { exempt: string | null; downgradedBy: string | null; once: boolean },
  ): ReferenceOutcome {
    const refusing = this.rules().filter((rule) => !this.#fits(rule, request))
    const details = refusing.map((rule) => ({
      rule,
      used: this.standing(rule).used,
      resetAt: this.#freeAt(rule, request),
    }))
    for (const rule of refusing) this.#reportReached(rule)
    const enforced = details.filter(({ rule }) => rule.mode !== 'observe' && rule.name !== exempt)
    const [first] = enforced
    if (first === undefined) return this.#count(request, downgradedBy)
    const { onLimit } = first.rule
    if (once && typeof onLimit === 'object') {
      const provider = onLimit.provider ?? request.model?.split('/')[0]
      if (provider !== undefined) {
        const model = `${provider}/${onLimit.model}`
        const by = model === request.model ? null : first.rule.name
        return this.#decide({ ...request, model }, { exempt: first.rule.name, downgradedBy: by, once: false })
      }
    }
    const resets = enforced.map(({ resetAt }) => resetAt)
    const resetAt = resets.includes(null) ? null : Math.max(...resets.map(Number))
    return { allowed: false, rule: first.rule.name, used: first.used, resetAt }
  }

  #sees(rule: ReferenceRule, { weight, model }: Pick<ReferenceRequest, 'weight' | 'model'>): boolean {
    if (weight === 0 && (rule.measure === 'turns' || rule.measure === 'concurrent')) return false
    return matches(rule, model)
  }

  #needed(rule: ReferenceRule, request: ReferenceRequest): bigint {
    if (rule.measure === 'turns') return BigInt(request.weight)
    if (rule.measure === 'concurrent') return 1n
    const estimate = amountOf(rule, {
      ...request.estimate,
      toolCalls: 0,
      cost: this.#estimatedCost(request.model, request.estimate),
    })
    return estimate === 0n ? 1n : estimate
  }

  #fits(rule: ReferenceRule, request: ReferenceRequest): boolean {
    if (rule.most === null || !this.#sees(rule, request)) return true
    const { used, held } = this.standing(rule)
    return used + held + this.#needed(rule, request) <= rule.most
  }

  #freeAt(rule: ReferenceRule, request: ReferenceRequest): number | null {
    const most = rule.most ?? 0n
    const needed = this.#needed(rule, request)
    if (needed > most) return null
    if (rule.measure === 'concurrent') return this.now + 1_000
    const { used, held, resetAt } = this.standing(rule)
    const { slidingMs, partMs } = kindOf(rule)
    if (slidingMs === null) return resetAt
    let rest = used
    for (const [start, part] of this.countingParts(rule)) {
      rest -= part
      if (rest + held + needed <= most) return start + partMs + slidingMs
    }
    return this.at + partMs + slidingMs
  }

  #count(request: ReferenceRequest, downgradedBy: string | null): ReferenceOutcome {
    const { at } = this
    const { id, weight, model, estimate, leaseMs } = request
    const today = { ...this.userDay(at) }
    const windows = new Map<string, ReferenceWindow>()
    const { seenAt } = this
    if (seenAt !== null && at - seenAt > TWO_DAYS_MS) this.gaps = [...this.gaps, { from: seenAt, to: at }].slice(-2)
    this.lapse()
    // An empty estimate holds nothing, but a turn has its slot.
    const cost = this.#estimatedCost(model, estimate)
    const isEmpty = estimate.inputTokens === 0 && estimate.outputTokens === 0 && cost === 0n
    const hasSlot = this.rules().some((rule) => rule.measure === 'concurrent' && this.#sees(rule, request))
    let needsHold = false
    for (const rule of this.rules()) {
      if (!this.#sees(rule, request)) continue
      const isHeld = rule.most !== null && rule.measure !== 'turns' && rule.measure !== 'toolCalls'
      needsHold ||= isHeld && (!isEmpty || hasSlot)
      if (rule.measure === 'concurrent') continue
      const amount = rule.measure === 'turns' ? BigInt(weight) : 0n
      const { slidingMs, partMs } = kindOf(rule)
      if (slidingMs === null) {
        const window = this.running(rule, true) as ReferenceWindow
        window.used += amount
        windows.set(keyOf(rule), window)
      } else if (amount > 0n) {
        const { parts } = this.startUse(rule)
        const start = partStart(at, partMs)
        parts.set(start, (parts.get(start) ?? 0n) + amount)
      }
      if (amount > 0n) this.#reportThresholds(rule, windows.get(keyOf(rule)))
    }
    this.sightings.push({ at, date: today.date, end: today.end })
    const held = { until: at + leaseMs, isTurn: weight > 0, model, spent: { ...estimate, toolCalls: 0, cost } }
    const existing = this.admissions.find((admission) => admission.id === id)
    const admission = { id, at, weight, model, downgradedBy, held: needsHold ? held : null, windows }
    if (existing === undefined) this.admissions.push(admission)
    else Object.assign(existing, admission)
    if (needsHold && weight > 0)
      for (const rule of this.rules())
        if (rule.measure === 'concurrent' && matches(rule, model)) this.#reportThresholds(rule, undefined)
    return { allowed: true, model, downgradedBy }
  }

  settle(admission: ReferenceAdmission, spending: Spending): void {
    this.returnToGap()
    admission.held = null
    const spent = { ...spending, cost: spending.cost ?? this.#costOf(admission.model, spending) }
    for (const rule of this.rules()) {
      const amount = matches(rule, admission.model) ? amountOf(rule, spent) : 0n
      if (amount === 0n) continue
      const { slidingMs, partMs } = kindOf(rule)
      const window = this.#windowOf(rule, admission)
      if (slidingMs !== null) {
        if (admission.at > this.at) continue
        const { parts } = this.startUse(rule)
        const start = partStart(admission.at, partMs)
        parts.set(start, (parts.get(start) ?? 0n) + amount)
      } else if (window !== undefined) window.used += amount
      else continue
      this.#reportThresholds(rule, window)
    }
  }

  refund(admission: ReferenceAdmission): void {
    this.returnToGap()
    admission.held = null
    for (const { rule, window } of this.#turnRules(admission)) this.#subtract(rule, window, admission)
  }

  /** The window that has counted an admission, or would have under the present rules. */
  #windowOf(rule: ReferenceRule, { at, windows }: ReferenceAdmission): ReferenceWindow | undefined {
    const all = this.use(rule).windows
    const counted = windows.get(keyOf(rule))
    if (counted !== undefined && all.includes(counted)) return counted
    const window = all.findLast(({ from }) => from <= at)
    if (window === undefined) return undefined
    const { calendar, firstUseMs } = kindOf(rule)
    if (calendar) return at < this.endOf(rule, Temporal.PlainDate.from(window.name ?? ''), this.at) ? window : undefined
    return firstUseMs !== null && at >= window.from + firstUseMs ? undefined : window
  }

  *#turnRules(
    admission: ReferenceAdmission,
  ): Iterable<{ rule: ReferenceRule; window: ReferenceWindow | undefined; undo: () => void }> {
    if (admission.weight === 0) return
    for (const rule of this.rules()) {
      if (rule.measure !== 'turns' || !matches(rule, admission.model)) continue
      const use = this.use(rule)
      const window = this.#windowOf(rule, admission)
      const start = partStart(admission.at, kindOf(rule).partMs)
      const [used, part] = [window?.used, use.parts.get(start)]
      if (kindOf(rule).slidingMs === null ? window === undefined : part === undefined) continue
      const undo = (): void => {
        if (window !== undefined && used !== undefined) window.used = used
        if (part !== undefined) use.parts.set(start, part)
      }
      yield { rule, window, undo }
    }
  }

  #subtract(rule: ReferenceRule, window: ReferenceWindow | undefined, { at, weight }: ReferenceAdmission): void {
    const { slidingMs, partMs } = kindOf(rule)
    const { parts } = this.use(rule)
    const start = partStart(at, partMs)
    if (slidingMs !== null) parts.set(start, atLeastZero((parts.get(start) ?? 0n) - BigInt(weight)))
    else if (window !== undefined) window.used = atLeastZero(window.used - BigInt(weight))
  }

  renew(ids: readonly string[], leaseMs: number): void {
    const live = this.live().filter(({ id }) => ids.includes(id))
    for (const { held } of live) if (held !== null) held.until = Math.max(held.until, this.at + leaseMs)
  }

  reset(name: string): void {
    this.returnToGap()
    const rule = this.rules().find((candidate) => candidate.name === name) as ReferenceRule
    if (rule.measure === 'concurrent') {
      for (const { held } of this.admissions) if (held !== null && matches(rule, held.model)) held.isTurn = false
    } else if (kindOf(rule).slidingMs !== null) {
      for (const [start] of this.countingParts(rule)) this.use(rule).parts.delete(start)
    } else {
      const window = this.running(rule, false)
      if (window !== undefined) window.used = 0n
    }
  }

  // Changes of limits

  setOwn(name: string, max: bigint | null): void {
    const rule = this.rules().find((candidate) => candidate.name === name)
    if (rule === undefined) return
    const own = this.own.get(name)
    const isDue = own?.next != null && this.at >= own.next.at
    const chosen = own === undefined ? null : isDue ? (own.next?.max ?? null) : own.max
    if (chosen === null || (max !== null && max <= chosen)) this.own.set(name, { max, next: null })
    else {
      const { end } = this.userDay(this.at)
      const waits = own?.next != null && !isDue && own.next.max === max ? own.next.at : Number.POSITIVE_INFINITY
      this.own.set(name, { max: chosen, next: { max, at: Math.min(end, waits) } })
    }
  }

  // Reports

  #reportReached(rule: ReferenceRule): void {
    if (this.#report(rule, 'reached')) this.facts.push({ type: 'limit_reached', limit: rule.name, threshold: null })
  }

  #reportThresholds(rule: ReferenceRule, window: ReferenceWindow | undefined): void {
    if (rule.most === null || rule.most === 0n) return
    if (window !== undefined && window !== this.running(rule, false)) return
    const { used } = this.standing(rule)
    for (const part of [...new Set(rule.alertAt ?? [])].sort((one, other) => one - other)) {
      if (used * 10_000n < BigInt(Math.round(part * 10_000)) * rule.most) continue
      if (this.#report(rule, String(part)))
        this.facts.push({ type: 'limit_threshold', limit: rule.name, threshold: part })
    }
  }

  /** Whether something is reported now; false when it was already reported for the window. */
  #report(rule: ReferenceRule, key: string): boolean {
    const { slidingMs, firstUseMs, calendar } = kindOf(rule)
    const { at } = this
    const use = this.startUse(rule)
    const lengthMs = slidingMs ?? firstUseMs ?? (rule.measure === 'concurrent' ? DAY_MS : null)
    const period = lengthMs !== null ? null : calendar ? this.period(rule, at).name : ''
    const isReported = use.reports.some(
      (report) =>
        report.key === key && (lengthMs === null ? report.window === period : Math.abs(report.at - at) < lengthMs),
    )
    const running = lengthMs !== null && firstUseMs === null ? undefined : this.running(rule, false)
    if (isReported || running?.reported.has(key)) return false
    if (running === undefined)
      use.reports = [...use.reports.filter((report) => report.key !== key), { key, at, window: period }]
    else running.reported.add(key)
    return true
  }

  /** Without an estimate nothing is held, not even the price of a request. */
  #estimatedCost(model: string | null, estimate: Spending): bigint {
    const isEmpty = estimate.cost === undefined && estimate.inputTokens === 0 && estimate.outputTokens === 0
    return isEmpty ? 0n : this.#costOf(model, estimate)
  }

  #costOf(model: string | null, { cost, inputTokens, outputTokens, cachedTokens = 0 }: Spending): bigint {
    if (cost !== undefined) return cost
    const { prices } = this.config
    const isPriced = (glob: string): boolean => matches({ models: [glob] }, model)
    const name = model !== null && prices[model] !== undefined ? model : Object.keys(prices).find(isPriced)
    const price = name === undefined ? undefined : prices[name]
    if (price === undefined) return 0n
    if (inputTokens === 0 && outputTokens === 0) return toUnits('cost', price.request ?? '0') ?? 0n
    const cached = Math.min(cachedTokens, inputTokens)
    const sum =
      BigInt(inputTokens - cached) * (toUnits('cost', price.input) ?? 0n) +
      BigInt(cached) * (toUnits('cost', price.cachedInput ?? price.input) ?? 0n) +
      BigInt(outputTokens) * (toUnits('cost', price.output) ?? 0n)
    const isHalf = (sum % 1_000_000n) * 2n >= 1_000_000n
    return sum / 1_000_000n + (isHalf ? 1n : 0n) + (toUnits('cost', price.request ?? '0') ?? 0n)
  }
}

function keyOf({ name, measure, window, models }: Limit): string {
  return `${name} ${measure} ${window} ${JSON.stringify(models)}`
}

/** Units that are counted, of money nano-units. */
export function toUnits(measure: string, max: number | string | null): bigint | null {
  if (max === null) return null
  if (measure !== 'cost') return BigInt(max)
  const [units = '', decimals = ''] = String(max).split('.')
  return BigInt(units) * 1_000_000_000n + BigInt(decimals.padEnd(9, '0'))
}

function amountOf({ measure }: Limit, spent: Spending & { cost: bigint }): bigint {
  const { inputTokens, outputTokens, toolCalls = 0, cost } = spent
  if (measure === 'cost') return cost
  if (measure === 'toolCalls') return BigInt(toolCalls)
  if (measure === 'inputTokens') return BigInt(inputTokens)
  if (measure === 'outputTokens') return BigInt(outputTokens)
  return measure === 'tokens' ? BigInt(inputTokens + outputTokens) : 0n
}

function matches({ models }: Pick<Limit, 'models'>, model: string | null): boolean {
  if (models === undefined) return true
  return model !== null && models.some((glob) => new RegExp(`^${glob.replaceAll('*', '.*')}$`, 's').test(model))
}

interface Kind {
  readonly calendar: boolean
  readonly firstUseMs: number | null
  readonly slidingMs: number | null
  readonly partMs: number
}

function kindOf({ window }: Limit): Kind {
  const none = { calendar: false, firstUseMs: null, slidingMs: null, partMs: 1 }
  if (window === undefined || window === 'total') return none
  if (window === 'rolling24h') return { ...none, slidingMs: DAY_MS, partMs: 60_000 }
  if (!/\d/.test(window)) return { ...none, calendar: true }
  const length = window.replace('sliding:', '')
  const unit = { m: 60_000, h: 3_600_000, d: DAY_MS }[length.at(-1) ?? ''] ?? 0
  const lengthMs = Number(length.slice(0, -1)) * unit
  return window.startsWith('sliding')
    ? { ...none, slidingMs: lengthMs, partMs: lengthMs / 60 }
    : { ...none, firstUseMs: lengthMs }
}

function firstDateOf({ window, weekStart }: Limit, text: string): Temporal.PlainDate {
  let date = Temporal.PlainDate.from(text)
  if (window === 'month') return date.with({ day: 1 })
  while (window === 'week' && date.dayOfWeek !== (weekStart === 'sunday' ? 7 : 1)) date = date.subtract({ days: 1 })
  return date
}

function nextFirstDate({ window, weekStart }: Limit, first: Temporal.PlainDate): Temporal.PlainDate {
  if (window === 'month') return first.add({ months: 1 })
  if (window === 'day') return first.add({ days: 1 })
  let date = first.add({ days: 1 })
  while (date.dayOfWeek !== (weekStart === 'sunday' ? 7 : 1)) date = date.add({ days: 1 })
  return date
}

function partStart(at: number, partMs: number): number {
  return Math.floor(at / partMs) * partMs
}

function startOf(zone: string, date: Temporal.PlainDate): number {
  return date.toZonedDateTime({ timeZone: zone }).epochMilliseconds
}

function atLeastZero(value: bigint): bigint {
  return value < 0n ? 0n : value
}
