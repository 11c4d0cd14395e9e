import { type Amount, add, compare, subtract } from './amount.ts'
import type { Clock } from './clock.ts'
import type { Counter } from './counter.ts'
import { isReportedLately, reportAt } from './marks.ts'
import type { Change, CountAt, Needed, RestoredUse, RuleWindow, Standing } from './window.ts'

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

  usedIn(counter: Counter | undefined, { at }: Clock): Amount {
    const parts = counter?.parts ?? []
    return sumFrom(parts, this.#firstCounting(parts, at))
  }

  read(counter: Counter | undefined, { at }: Clock): Standing {
    const parts = counter?.parts ?? []
    const first = this.#firstCounting(parts, at)
    return {
      used: sumFrom(parts, first),
      // A hold counts as long as the part of its admission.
      since: this.#oldestCounting(at),
      resetAt: this.#endOfFirstUsed(parts, first),
      clearAt: first === parts.length ? null : this.#endOf((parts[parts.length - 2] as number) * 1_000),
    }
  }

  count(counter: Counter, amount: Amount, clock: Clock): Change {
    return this.#change(counter, { instant: clock.at, amount, isRefund: false }, clock)
  }

  /** An admission ahead of the clock is not counted: the clock was wrong then, and its part was dropped. */
  countAt(counter: Counter, change: CountAt, clock: Clock): Change | undefined {
    return change.instant > clock.at ? undefined : this.#change(counter, change, clock)
  }

  #change(counter: Counter, change: CountAt, clock: Clock): Change {
    const before = counter.parts ?? []
    const after = this.#withAmount(before, change)
    const parts = after === before ? before : this.#trim(after, clock)
    return {
      counter: parts === before ? counter : { ...counter, parts },
      used: sumFrom(parts, this.#firstCounting(parts, clock.at)),
      isRunning: true,
    }
  }

  #withAmount(parts: readonly Amount[], { instant, amount, isRefund }: CountAt): readonly Amount[] {
    if (compare(amount, 0) === 0) return parts
    const second = this.#startOf(instant) / 1_000
    let index = parts.length
    while (index > 0 && (parts[index - 2] as number) >= second) index -= 2
    const used = parts[index] === second ? (parts[index + 1] ?? 0) : undefined
    if (used === undefined) return isRefund ? parts : parts.toSpliced(index, 0, second, amount)
    return parts.with(index + 1, isRefund ? subtract(used, amount) : add(used, amount))
  }

  measureTokens(counter: Counter): Counter {
    return counter
  }

  clear(counter: Counter, { at }: Clock): Counter {
    const parts = counter.parts ?? []
    return { ...counter, parts: parts.slice(0, this.#firstCounting(parts, at)) }
  }

  freeAt(counter: Counter | undefined, { needed, max, held }: Needed, { at }: Clock): number | null {
    if (compare(needed, max) > 0) return null
    const parts = counter?.parts ?? []
    const first = this.#firstCounting(parts, at)
    let rest = add(sumFrom(parts, first), add(held, needed))
    for (let index = first; index < parts.length; index += 2) {
      rest = subtract(rest, parts[index + 1] ?? 0)
      if (compare(rest, max) <= 0) return this.#endOf((parts[index] as number) * 1_000)
    }
    // What is held now no longer counts then.
    return at + this.#partMs + this.#lengthMs
  }

  isReported(counter: Counter, key: string, { at }: Clock): boolean {
    return isReportedLately(counter, key, { instant: at, lengthMs: this.#lengthMs })
  }

  report(counter: Counter, key: string, { at }: Clock): Counter {
    return reportAt(counter, key, at)
  }

  restore(counter: Counter, { from, used, reported }: RestoredUse, clock: Clock): Counter | undefined {
    const { at } = clock
    const start = this.#startOf(from)
    if (from > at || start < this.#oldestCounting(at)) return undefined
    const parts = counter.parts ?? []
    const index = parts.findIndex((value, position) => position % 2 === 0 && value === start / 1_000)
    const missing = subtract(used, index === -1 ? 0 : (parts[index + 1] ?? 0))
    const marked = reported
      .filter((key) => !this.isReported(counter, key, clock))
      .reduce((rest, key) => reportAt(rest, key, from), counter)
    return this.#change(marked, { instant: from, amount: missing, isRefund: false }, clock).counter
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

  /** The index of the first part that counts at an instant. */
  #firstCounting(parts: readonly Amount[], at: number): number {
    const oldest = this.#oldestCounting(at) / 1_000
    let index = parts.length
    while (index > 0 && (parts[index - 2] as number) >= oldest) index -= 2
    return index
  }

  #endOfFirstUsed(parts: readonly Amount[], first: number): number | null {
    for (let index = first; index < parts.length; index += 2)
      if (parts[index + 1] !== 0) return this.#endOf((parts[index] as number) * 1_000)
    return null
  }

  /** Drops the parts that count neither now nor at an instant to which the clock may return. */
  #trim(parts: readonly Amount[], { at, anchors }: Clock): readonly Amount[] {
    if (parts.length === 0 || (parts[0] as number) >= this.#oldestCounting(at) / 1_000) return parts
    const instants = [at, ...anchors]
    const isNeeded = (start: number): boolean =>
      instants.some((instant) => start >= this.#oldestCounting(instant) && start <= instant)
    return parts.filter((_, index) => isNeeded((parts[index - (index % 2)] as number) * 1_000))
  }
}

function sumFrom(parts: readonly Amount[], first: number): Amount {
  let sum: Amount = 0
  for (let index = first + 1; index < parts.length; index += 2) sum = add(sum, parts[index] ?? 0)
  return sum
}
