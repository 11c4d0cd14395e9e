import type { NewEvent } from '../../journal/event.ts'
import { type Amount, compare, reaches } from './amount.ts'
import { type Clock, observeClock, withSighting } from './clock.ts'
import type { CounterDraft, CounterUse } from './counter-use.ts'
import { CountersDraft } from './counters-draft.ts'
import { limitReached, limitThreshold, windowsDropped } from './events.ts'
import { heldUnder, liveHolds, needsHold, storeHolds } from './holds.ts'
import type { UserZone } from './periods.ts'
import type { EffectiveRule } from './policy.ts'
import type { Hold, Usage } from './usage.ts'

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

  /** The use under a rule. It is valid until another one is asked for. */
  useOf(rule: EffectiveRule): CounterDraft {
    return this.#counters.select(rule)
  }

  /** What turns in progress hold under a rule, of which this is the use. */
  heldUnder(rule: EffectiveRule, use: CounterUse): Amount {
    const { holds, clock } = this
    if (holds.length === 0 || !needsHold(rule)) return 0
    return heldUnder(rule, holds, rule.window.heldSince(use, clock))
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
    if (this.#reportOnce(rule, REACHED))
      this.events.push(limitReached(rule, used, rule.measure === 'concurrent' ? null : resetAt))
  }

  /** Records the thresholds that the use in the running window has reached, each of them once. */
  reportThresholds(rule: EffectiveRule, used: Amount): void {
    const { max, alertAt } = rule
    if (alertAt.length === 0 || max === null || compare(max, 0) === 0) return
    for (const part of alertAt)
      if (reaches(used, part, max) && this.#reportOnce(rule, String(part)))
        this.events.push(limitThreshold(rule, used, part))
  }

  /** False when it was reported in the running window before. */
  #reportOnce(rule: EffectiveRule, key: string): boolean {
    const use = this.useOf(rule)
    if (rule.window.isReported(use, key, this.clock)) return false
    rule.window.report(use, key, this.clock)
    return true
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

function isInSlot({ isTurn, model }: Hold, rule: EffectiveRule): boolean {
  return isTurn && rule.matches(model ?? null)
}

/** What is marked when a rule has refused. Thresholds are marked by their number. */
export const REACHED = 'reached'
