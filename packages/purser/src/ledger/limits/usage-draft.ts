import type { NewEvent } from '../../journal/event.ts'
import { type Amount, compare, reaches } from './amount.ts'
import { type Clock, observeClock, withSighting } from './clock.ts'
import type { Counter } from './counter.ts'
import { CountersDraft } from './counters.ts'
import { limitReached, limitThreshold, windowsDropped } from './events.ts'
import { liveHolds, storeHolds } from './holds.ts'
import type { UserZone } from './periods.ts'
import type { EffectiveRule } from './policy.ts'
import type { Hold, Usage } from './usage.ts'

/** Counters of rules that do not apply at present, such as those of another plan, are dropped beyond this number. */
const MAX_COUNTERS = 48
const NO_HOLDS: readonly Hold[] = []

/** The usage of one user while a decision reads and changes it, and the events of the decision. */
export class UsageDraft {
  readonly clock: Clock
  readonly events: NewEvent[] = []
  #usage: Usage
  readonly #counters: CountersDraft
  #storedHolds: readonly Hold[]
  #liveHolds: readonly Hold[] | undefined
  #isChanged: boolean

  constructor(usage: Usage, now: number, zone: UserZone) {
    const observed = observeClock(usage, now, zone)
    this.clock = observed.clock
    this.#usage = observed.usage
    this.#counters = new CountersDraft(observed.usage.counters)
    this.#storedHolds = observed.usage.holds ?? NO_HOLDS
    this.#isChanged = observed.dropped !== undefined
    if (observed.dropped !== undefined) this.events.push(windowsDropped(observed.dropped, usage, now))
  }

  /** Holds that have not lapsed. */
  get holds(): readonly Hold[] {
    this.#liveHolds ??= liveHolds(this.#storedHolds, this.clock.at)
    return this.#liveHolds
  }

  /** The counter of a rule; undefined where the rule has none, or now counts something else. */
  counterOf(rule: EffectiveRule): Counter | undefined {
    const index = this.#counters.find(rule.name)
    return index !== -1 && this.#counters.countsAt(index) === rule.counts ? this.#counters.at(index) : undefined
  }

  setCounter(counter: Counter): void {
    const index = this.#counters.find(counter.name)
    if (isEmpty(counter) && (index === -1 || this.#counters.countsAt(index) !== counter.of)) return
    if (index !== -1) this.#counters.set(index, counter)
    else if (this.#counters.add(counter) > MAX_COUNTERS) this.#counters.removeFirst()
  }

  addHold(hold: Hold): void {
    this.#setHolds([...this.#storedHolds, hold])
  }

  releaseHold(id: string): void {
    if (this.#storedHolds.some((hold) => hold.id === id))
      this.#setHolds(this.#storedHolds.filter((hold) => hold.id !== id))
  }

  /** Frees the slots that a rule counts; what is held of tokens and money stays. */
  freeSlots(rule: EffectiveRule): void {
    if (this.#storedHolds.some((hold) => isInSlot(hold, rule)))
      this.#setHolds(this.#storedHolds.map((hold) => (isInSlot(hold, rule) ? { ...hold, isTurn: false } : hold)))
  }

  #setHolds(holds: readonly Hold[]): void {
    this.#storedHolds = holds
    this.#liveHolds = undefined
    this.#isChanged = true
  }

  /** Records that a rule refuses, or would refuse, until an instant; once in its window. */
  reportReached(rule: EffectiveRule, used: Amount, resetAt: number | null): void {
    const counter = this.counterOf(rule) ?? newCounter(rule)
    if (rule.window.isReported(counter, REACHED, this.clock)) return
    this.setCounter(rule.window.report(counter, REACHED, this.clock))
    this.events.push(limitReached(rule, used, rule.measure === 'concurrent' ? null : resetAt))
  }

  /** Records the thresholds that the use in the running window has reached, each of them once. */
  reportThresholds(rule: EffectiveRule, used: Amount): void {
    const { max, alertAt } = rule
    if (alertAt.length === 0 || max === null || compare(max, 0) === 0) return
    for (const part of alertAt) {
      const counter = this.counterOf(rule) ?? newCounter(rule)
      if (!reaches(used, part, max) || rule.window.isReported(counter, String(part), this.clock)) continue
      this.setCounter(rule.window.report(counter, String(part), this.clock))
      this.events.push(limitThreshold(rule, used, part))
    }
  }

  /** The usage without a new admission; undefined when nothing has changed. */
  toChangedUsage(): Usage | undefined {
    if (!this.#isChanged && !this.#counters.isChanged) return undefined
    return storeHolds({ ...this.#usage, counters: this.#counters.toCounters() }, this.#storedHolds)
  }

  /** The usage with an admission at the instant of the clock. Holds that have lapsed are dropped. */
  toAdmittedUsage(): Usage {
    const usage = { ...withSighting(this.#usage, this.clock.at), counters: this.#counters.toCounters() }
    return this.holds.length === 0 ? usage : { ...usage, holds: this.holds }
  }
}

export function newCounter(rule: EffectiveRule): Counter {
  return { name: rule.name, of: rule.counts }
}

function isEmpty({ windows, parts, marks }: Counter): boolean {
  return windows === undefined && parts === undefined && marks === undefined
}

function isInSlot({ isTurn, model }: Hold, rule: EffectiveRule): boolean {
  return isTurn && rule.matches(model ?? null)
}

/** What is marked when a rule has refused. Thresholds are marked by their number. */
export const REACHED = 'reached'
