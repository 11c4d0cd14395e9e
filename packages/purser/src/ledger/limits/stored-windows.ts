import { type Amount, add, compare, larger, subtract } from './amount.ts'
import type { Clock } from './clock.ts'
import type { Counter, WindowUse } from './counter.ts'
import type { CounterDraft, CounterUse } from './counter-use.ts'
import { isReportedFor, isReportedLately, reportAt, reportFor } from './marks.ts'
import { type CalendarUnit, type Period, Periods, type UserZone } from './periods.ts'
import type { CountAt, MeasuredTokens, Needed, RestoredUse, RuleWindow } from './window.ts'

const NO_WINDOWS: readonly WindowUse[] = []

/** Windows that are stored one by one: the running one, and earlier ones that admissions may still refer to. */
abstract class StoredWindow implements RuleWindow {
  abstract readonly kind: 'calendar' | 'firstUse' | 'total'

  /**
   * Whether the newest window, by its name and start, is the one that runs, and not ahead of a clock that was set back. Then
   * `find` would find it.
   */
  abstract runsNewest(name: CounterUse['name'], from: number, clock: Clock): boolean
  /** The index of the window that runs at an instant; -1 when none was opened. */
  abstract find(windows: readonly WindowUse[], instant: number, clock: Clock): number
  /** Whether a clock that was ahead has opened it for a later period than the one that runs. */
  abstract isAhead(window: WindowUse, clock: Clock): boolean
  /** A window that begins at the instant of the clock. */
  abstract open(clock: Clock): WindowUse
  /** Whether something was reported while the running window was not open. */
  abstract isMarked(counter: Counter, key: string, clock: Clock): boolean
  abstract mark(counter: Counter, key: string, clock: Clock): Counter
  /** When a window ends; undefined: the one that would be opened now. */
  abstract endOf(window: Pick<WindowUse, 'name' | 'from'> | undefined, clock: Clock): number | null
  /** The running window that the use of an export belongs to; undefined when it is over, or has not begun. */
  abstract runningWindowOf(use: RestoredUse, clock: Clock): WindowUse | undefined

  usedIn(use: CounterUse, clock: Clock): Amount {
    return this.#running(use, clock)?.used ?? 0
  }

  heldSince(use: CounterUse, clock: Clock): number {
    return this.#running(use, clock)?.from ?? clock.at
  }

  resetAt(use: CounterUse, clock: Clock): number | null {
    return this.endOf(this.#running(use, clock), clock)
  }

  clearAt(use: CounterUse, clock: Clock): number | null {
    return this.resetAt(use, clock)
  }

  freeAt(use: CounterUse, { needed, max }: Needed, clock: Clock): number | null {
    return compare(needed, max) > 0 ? null : this.resetAt(use, clock)
  }

  count(use: CounterDraft, amount: Amount, clock: Clock): Amount {
    const { from } = use
    if (from !== undefined && this.runsNewest(use.name, from, clock)) {
      if (amount !== 0) use.used = add(use.used, amount)
      return use.used
    }
    const { counter } = use
    const windows = counter.windows ?? NO_WINDOWS
    const index = this.find(windows, clock.at, clock)
    const window = windows[index]
    if (window === undefined) {
      const opened = { ...this.open(clock), used: amount }
      use.counter = { ...counter, windows: this.#trim([...windows, opened], clock) }
      return amount
    }
    if (amount === 0 && window.from <= clock.at) return window.used
    const used = add(window.used, amount)
    // A window that is ahead of a clock that was set back counts from now.
    const changed = { ...window, from: Math.min(window.from, clock.at), used }
    use.counter = { ...counter, windows: windows.with(index, changed) }
    return used
  }

  countAt(use: CounterDraft, { instant, amount, isRefund }: CountAt, clock: Clock): Amount | undefined {
    if (this.#isNewest(use, instant, clock)) {
      use.used = isRefund ? subtract(use.used, amount) : add(use.used, amount)
      return use.used
    }
    const { counter } = use
    const windows = counter.windows ?? NO_WINDOWS
    const index = this.#findOf(windows, instant, clock)
    const window = windows[index]
    if (window === undefined) return undefined
    const used = isRefund ? subtract(window.used, amount) : add(window.used, amount)
    use.counter = { ...counter, windows: windows.with(index, { ...window, used }) }
    return index === this.find(windows, clock.at, clock) ? used : undefined
  }

  measureTokens(use: CounterDraft, { instant, inputTokens, outputTokens }: MeasuredTokens, clock: Clock): void {
    if (this.#isNewest(use, instant, clock)) {
      use.measure(inputTokens, outputTokens)
      return
    }
    const { counter } = use
    const windows = counter.windows ?? NO_WINDOWS
    const index = this.#findOf(windows, instant, clock)
    const window = windows[index]
    if (window === undefined) return
    const measured = {
      ...window,
      inputTokens: (window.inputTokens ?? 0) + inputTokens,
      outputTokens: (window.outputTokens ?? 0) + outputTokens,
    }
    use.counter = { ...counter, windows: windows.with(index, measured) }
  }

  clear(use: CounterDraft, clock: Clock): void {
    const { counter } = use
    const windows = counter.windows ?? NO_WINDOWS
    const index = this.find(windows, clock.at, clock)
    const window = windows[index]
    if (window !== undefined) use.counter = { ...counter, windows: windows.with(index, { ...window, used: 0 }) }
  }

  isReported({ counter }: CounterUse, key: string, clock: Clock): boolean {
    const windows = counter.windows ?? NO_WINDOWS
    const window = windows[this.find(windows, clock.at, clock)]
    return (window?.reported?.includes(key) ?? false) || this.isMarked(counter, key, clock)
  }

  /** A refusal opens no window: the instant may be that of a clock that is ahead. */
  report(use: CounterDraft, key: string, clock: Clock): void {
    const { counter } = use
    const windows = counter.windows ?? NO_WINDOWS
    const index = this.find(windows, clock.at, clock)
    const window = windows[index]
    if (window === undefined) {
      use.counter = this.mark(counter, key, clock)
      return
    }
    const reported = [...(window.reported ?? []), key]
    use.counter = { ...counter, windows: windows.with(index, { ...window, reported }) }
  }

  restore(use: CounterDraft, row: RestoredUse, clock: Clock): boolean {
    const restored = this.runningWindowOf(row, clock)
    if (restored === undefined) return false
    const { counter } = use
    const windows = counter.windows ?? []
    const index = this.find(windows, clock.at, clock)
    const window = windows[index]
    const reported = [...new Set([...(window?.reported ?? []), ...row.reported])]
    const marks = reported.length === 0 ? {} : { reported }
    if (window !== undefined) {
      const raised = { ...window, used: larger(window.used, restored.used), ...marks }
      use.counter = { ...counter, windows: windows.with(index, raised) }
    } else if (restored.used !== 0 || reported.length === 0) {
      // With nothing used and nothing reported, it is a window that a turn without tokens has opened.
      use.counter = { ...counter, windows: [...windows, { ...restored, ...marks }] }
    } else {
      use.counter = reported.reduce((marked, key) => this.mark(marked, key, { ...clock, at: restored.from }), counter)
    }
    return true
  }

  #running(use: CounterUse, clock: Clock): Pick<WindowUse, 'name' | 'from' | 'used'> | undefined {
    const { from } = use
    if (from === undefined) return undefined
    if (this.runsNewest(use.name, from, clock)) return use as WindowUse
    const { windows = NO_WINDOWS } = use.counter
    return windows[this.find(windows, clock.at, clock)]
  }

  /** Whether an admission was counted in the newest window, and that runs. */
  #isNewest(use: CounterUse, instant: number, clock: Clock): boolean {
    const { from } = use
    return from !== undefined && instant >= from && instant <= clock.at && this.runsNewest(use.name, from, clock)
  }

  /** The window in which an admission was counted. */
  #findOf(windows: readonly WindowUse[], instant: number, clock: Clock): number {
    if (instant === clock.at) return this.find(windows, instant, clock)
    const index = windows.findLastIndex(({ from }) => from <= instant)
    const window = windows[index]
    if (window === undefined) return -1
    const end = this.endOf(window, clock)
    // In a zone that was set since, a day to come may end before the admission that was counted in it.
    const shiftMs = this.isAhead(window, clock) ? MAX_SHIFT_MS : 0
    return end === null || instant < end + shiftMs ? index : -1
  }

  /** Drops windows that are over, except the last one, and those to which a clock may return. */
  #trim(windows: readonly WindowUse[], clock: Clock): readonly WindowUse[] {
    if (windows.length <= 2) return windows
    const { anchors } = clock
    const isNeeded = (index: number): boolean =>
      index >= windows.length - 2 ||
      anchors.some((anchor) => windows.findLastIndex(({ from }) => from <= anchor) === index)
    return windows.filter((_, index) => isNeeded(index))
  }
}

/** The zone that is farthest ahead of UTC. */
const MAX_ZONE_MS = 14 * 3_600_000
/** By which the end of a day moves with the zone, at most. */
const MAX_SHIFT_MS = 26 * 3_600_000
const UTC: UserZone = { state: null, timeZone: 'UTC' }

export class CalendarWindow extends StoredWindow {
  readonly kind = 'calendar'
  readonly #periods: Periods

  constructor(unit: CalendarUnit, weekStart: 'monday' | 'sunday') {
    super()
    this.#periods = new Periods({ unit, weekStart })
  }

  runsNewest(name: CounterUse['name'], from: number, { at, zone }: Clock): boolean {
    return from <= at && name === this.#periodAt(at, zone).name
  }

  /** A later window than the one of the instant runs on: no date is counted twice. */
  find(windows: readonly WindowUse[], instant: number, { zone }: Clock): number {
    const { name: period } = this.#periodAt(instant, zone)
    for (let index = 0; index < windows.length; index++) if ((windows[index]?.name ?? '') >= period) return index
    return -1
  }

  isAhead({ name = '' }: WindowUse, { at, zone }: Clock): boolean {
    return name > this.#periodAt(at, zone).name
  }

  open({ at, zone }: Clock): WindowUse {
    return { name: this.#periodAt(at, zone).name, from: at, used: 0 }
  }

  endOf(window: Pick<WindowUse, 'name'> | undefined, { at, zone }: Clock): number {
    const period = this.#periodAt(at, zone)
    if (window?.name === undefined || window.name === period.name) return period.end
    return this.#periods.endOf(zone, { name: window.name, at })
  }

  isMarked(counter: Counter, key: string, { at, zone }: Clock): boolean {
    return counter.marks !== undefined && isReportedFor(counter, key, this.#periodAt(at, zone).name)
  }

  mark(counter: Counter, key: string, { at, zone }: Clock): Counter {
    return reportFor(counter, key, { instant: at, window: this.#periodAt(at, zone).name })
  }

  /** A window that has begun in some zone belongs to the one that runs in the user's, so that none is ever ahead. */
  runningWindowOf({ window, from, used }: RestoredUse, { at, zone }: Clock): WindowUse | undefined {
    const { name } = this.#periodAt(at, zone)
    const isRunning = window === name || window === this.#periods.at(UTC, at + MAX_ZONE_MS).name
    return isRunning ? { name, from: Math.min(from, at), used } : undefined
  }

  #periodAt(at: number, zone: Clock['zone']): Period {
    return this.#periods.at(zone, at)
  }
}

export class FirstUseWindow extends StoredWindow {
  readonly kind = 'firstUse'
  readonly #lengthMs: number

  constructor(lengthMs: number) {
    super()
    this.#lengthMs = lengthMs
  }

  runsNewest(_name: CounterUse['name'], from: number, { at }: Clock): boolean {
    return from <= at && at < from + this.#lengthMs
  }

  isAhead(): boolean {
    return false
  }

  find(windows: readonly WindowUse[], instant: number): number {
    const index = windows.findLastIndex(({ from }) => from <= instant)
    return index !== -1 && instant < (windows[index]?.from ?? 0) + this.#lengthMs ? index : -1
  }

  open({ at }: Clock): WindowUse {
    return { from: at, used: 0 }
  }

  endOf(window: Pick<WindowUse, 'from'> | undefined): number | null {
    return window === undefined ? null : window.from + this.#lengthMs
  }

  runningWindowOf({ from, used }: RestoredUse, { at }: Clock): WindowUse | undefined {
    return from <= at && at < from + this.#lengthMs ? { from, used } : undefined
  }

  isMarked(counter: Counter, key: string, { at }: Clock): boolean {
    return isReportedLately(counter, key, { instant: at, lengthMs: this.#lengthMs })
  }

  mark(counter: Counter, key: string, { at }: Clock): Counter {
    return reportAt(counter, key, at)
  }
}

export class TotalWindow extends StoredWindow {
  readonly kind = 'total'

  runsNewest(name: CounterUse['name'], from: number, { at }: Clock): boolean {
    return from <= at && name === ''
  }

  isAhead(): boolean {
    return false
  }

  find(windows: readonly WindowUse[]): number {
    return windows.length - 1
  }

  open({ at }: Clock): WindowUse {
    return { name: '', from: at, used: 0 }
  }

  endOf(): null {
    return null
  }

  runningWindowOf({ from, used }: RestoredUse, { at }: Clock): WindowUse {
    return { name: '', from: Math.min(from, at), used }
  }

  isMarked(counter: Counter, key: string): boolean {
    return isReportedFor(counter, key, '')
  }

  mark(counter: Counter, key: string, { at }: Clock): Counter {
    return reportFor(counter, key, { instant: at, window: '' })
  }
}
