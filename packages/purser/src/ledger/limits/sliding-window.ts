import { type Amount, add, compare, subtract } from './amount.ts'
import type { Clock } from './clock.ts'
import { type CounterDraft, type CounterUse, PART } from './counter-use.ts'
import { isReportedLately, reportAt } from './marks.ts'
import type { CountAt, Needed, RestoredUse, RuleWindow } from './window.ts'

const NO_PARTS: readonly Amount[] = []

/*
 * A sliding window counts in parts of equal length, such as 60. A part counts until the length of the window after its
 * end, so no period of that length exceeds the limit.
 */
export class SlidingWindow implements RuleWindow {
  readonly kind = 'sliding'
  readonly #lengthMs: number
  readonly #partMs: number

  constructor({ lengthMs, partMs }: { readonly lengthMs: number; readonly partMs: number }) {
    this.#lengthMs = lengthMs
    this.#partMs = partMs
  }

  usedIn({ name, from, used, earlierParts }: CounterUse, { at }: Clock): Amount {
    const oldest = this.#oldestCounting(at) / 1_000
    if (name !== PART || from === undefined || from < oldest) return 0
    let sum = used
    for (let index = earlierParts.length; index > 0 && (earlierParts[index - 2] as number) >= oldest; index -= 2)
      sum = add(sum, earlierParts[index - 1] ?? 0)
    return sum
  }

  /** A hold counts as long as the part of its admission. */
  heldSince(_use: CounterUse, { at }: Clock): number {
    return this.#oldestCounting(at)
  }

  resetAt({ name, from, used, earlierParts }: CounterUse, { at }: Clock): number | null {
    const oldest = this.#oldestCounting(at) / 1_000
    if (name !== PART || from === undefined || from < oldest) return null
    for (let index = 0; index < earlierParts.length; index += 2) {
      const second = earlierParts[index] as number
      if (second >= oldest && earlierParts[index + 1] !== 0) return this.#endOf(second * 1_000)
    }
    return used === 0 ? null : this.#endOf(from * 1_000)
  }

  clearAt({ name, from }: CounterUse, { at }: Clock): number | null {
    const counts = name === PART && from !== undefined && from >= this.#oldestCounting(at) / 1_000
    return counts ? this.#endOf(from * 1_000) : null
  }

  freeAt({ counter }: CounterUse, { needed, max, held }: Needed, { at }: Clock): number | null {
    if (compare(needed, max) > 0) return null
    const parts = counter.parts ?? NO_PARTS
    const first = this.#firstCounting(parts, at)
    let rest = add(held, needed)
    for (let index = first; index < parts.length; index += 2) rest = add(rest, parts[index + 1] ?? 0)
    for (let index = first; index < parts.length; index += 2) {
      rest = subtract(rest, parts[index + 1] ?? 0)
      if (compare(rest, max) <= 0) return this.#endOf((parts[index] as number) * 1_000)
    }
    // What is held now no longer counts then.
    return at + this.#partMs + this.#lengthMs
  }

  count(use: CounterDraft, amount: Amount, clock: Clock): Amount {
    this.#add(use, { instant: clock.at, amount, isRefund: false }, clock)
    return this.usedIn(use, clock)
  }

  /** An admission ahead of the clock is not counted: the clock was wrong then, and its part was dropped. */
  countAt(use: CounterDraft, change: CountAt, clock: Clock): Amount | undefined {
    if (change.instant > clock.at) return undefined
    this.#add(use, change, clock)
    return this.usedIn(use, clock)
  }

  #add(use: CounterDraft, change: CountAt, clock: Clock): void {
    const { instant, amount, isRefund } = change
    if (amount === 0) return
    const { name, from } = use
    const second = this.#startOf(instant) / 1_000
    if (name !== PART || from === undefined || from > second) this.#addBetween(use, change, clock)
    else if (from === second) use.used = isRefund ? subtract(use.used, amount) : add(use.used, amount)
    else if (clock.anchors.length > 1) this.#addBetween(use, change, clock)
    else if (!isRefund) use.beginPart({ from: second, used: amount }, this.#countLeading(use.earlierParts, clock))
  }

  /** Adds to a part before the newest one, or begins one. */
  #addBetween(use: CounterDraft, { instant, amount, isRefund }: CountAt, clock: Clock): void {
    const second = this.#startOf(instant) / 1_000
    const { counter } = use
    const parts = counter.parts ?? NO_PARTS
    let index = parts.length
    while (index > 0 && (parts[index - 2] as number) >= second) index -= 2
    const used = parts[index] === second ? (parts[index + 1] ?? 0) : undefined
    if (used === undefined && isRefund) return
    const changed =
      used === undefined
        ? parts.toSpliced(index, 0, second, amount)
        : parts.with(index + 1, isRefund ? subtract(used, amount) : add(used, amount))
    use.counter = { ...counter, parts: this.#trim(changed, clock) }
  }

  measureTokens(): void {}

  clear(use: CounterDraft, { at }: Clock): void {
    const { counter } = use
    const { parts } = counter
    if (parts !== undefined) use.counter = { ...counter, parts: parts.slice(0, this.#firstCounting(parts, at)) }
  }

  isReported({ counter }: CounterUse, key: string, { at }: Clock): boolean {
    return isReportedLately(counter, key, { instant: at, lengthMs: this.#lengthMs })
  }

  report(use: CounterDraft, key: string, { at }: Clock): void {
    use.counter = reportAt(use.counter, key, at)
  }

  restore(use: CounterDraft, { from, used, reported }: RestoredUse, clock: Clock): boolean {
    const { at } = clock
    const start = this.#startOf(from)
    if (from > at || start < this.#oldestCounting(at)) return false
    const { parts = NO_PARTS } = use.counter
    const index = parts.findIndex((value, position) => position % 2 === 0 && value === start / 1_000)
    const missing = subtract(used, index === -1 ? 0 : (parts[index + 1] ?? 0))
    const unmarked = reported.filter((key) => !this.isReported(use, key, clock))
    if (unmarked.length > 0) use.counter = unmarked.reduce((marked, key) => reportAt(marked, key, from), use.counter)
    this.#add(use, { instant: from, amount: missing, isRefund: false }, clock)
    return true
  }

  #startOf(instant: number): number {
    return Math.floor(instant / this.#partMs) * this.#partMs
  }

  /** When the part with this start no longer counts, epoch ms. */
  #endOf(start: number): number {
    return start + this.#partMs + this.#lengthMs
  }

  /** The start of the oldest part that counts at an instant. */
  #oldestCounting(at: number): number {
    return (Math.floor((at - this.#partMs - this.#lengthMs) / this.#partMs) + 1) * this.#partMs
  }

  #countsAt(start: number, instant: number): boolean {
    return start >= this.#oldestCounting(instant) && start <= instant
  }

  /** The index of the first part that counts at an instant. */
  #firstCounting(parts: readonly Amount[], at: number): number {
    const oldest = this.#oldestCounting(at) / 1_000
    let index = parts.length
    while (index > 0 && (parts[index - 2] as number) >= oldest) index -= 2
    return index
  }

  /** The length of the list of parts before the first one that counts now, or at the one instant to which the clock may return. */
  #countLeading(parts: readonly Amount[], { at, anchors }: Clock): number {
    const oldest = this.#oldestCounting(Math.min(at, ...anchors)) / 1_000
    let length = 0
    while (length < parts.length && (parts[length] as number) < oldest) length += 2
    return length
  }

  /** Drops the parts that count neither now nor at an instant to which the clock may return. */
  #trim(parts: readonly Amount[], { at, anchors }: Clock): readonly Amount[] {
    if (parts.length === 0 || (parts[0] as number) >= this.#oldestCounting(at) / 1_000) return parts
    const isNeeded = (start: number): boolean =>
      this.#countsAt(start, at) || anchors.some((anchor) => this.#countsAt(start, anchor))
    return parts.filter((_, index) => isNeeded((parts[index - (index % 2)] as number) * 1_000))
  }
}
