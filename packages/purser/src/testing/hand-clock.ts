import { type Effects, systemEffects } from '../core/effects.ts'
import { validateOptions } from '../core/validate.ts'

/** A fake clock that tests move by hand. Its methods throw `RangeError` for a time that is not a number. */
export interface HandClock extends Effects {
  /**
   * Moves both clocks by `ms`. Timers that become due run synchronously, in order, each at its own instant, including
   * timers that such a timer sets. Promise callbacks of a timer run after the call: use `pass` when they set timers.
   */
  advance(ms: number): void
  /** Like `advance`, but runs promise and I/O callbacks before it looks for the next due timer. */
  pass(ms: number): Promise<void>
  /** Moves the wall clock only, also backwards, as a correction by an operator or a time server does. */
  stepWall(ms: number): void
  /** Sets the wall clock only. `instant` is epoch ms or ISO 8601. */
  setWall(instant: number | string): void
  /** Moves the monotonic clock only, and runs the timers that become due. */
  stepMonotonic(ms: number): void
  /** The number of timers that are set and have not run. */
  readonly timers: number
}

interface Timer {
  readonly due: number
  readonly order: number
  readonly run: () => void
}

/**
 * Creates effects whose time stands still until the test moves it. Timers follow the monotonic clock. Ids stay random, so
 * that two clocks on one store do not collide.
 *
 * @param start `wall`: epoch ms or ISO 8601, default 2026-01-01T12:00:00Z. `monotonic`: ms, default 0.
 * @throws {PurserError} `option_unknown` for an unknown option.
 * @example
 * ```ts
 * const clock = handClock({ wall: '2026-03-01T23:59:00Z' })
 * const purser = await openPurser({ store: 'memory:', effects: clock })
 * clock.advance(60_000)
 * ```
 */
export function handClock(start: { wall?: number | string; monotonic?: number } = {}): HandClock {
  validateOptions('handClock', start, ['wall', 'monotonic'])
  let wall = parseEpochMs(start.wall ?? '2026-01-01T12:00:00Z')
  let monotonic = start.monotonic ?? 0
  let order = 0
  const timers = new Set<Timer>()

  /** Moves to the next timer due by `end` and runs it; false when there is none. */
  function runNext(end: number, move: (ms: number) => void): boolean {
    const next = earliest(timers)
    if (next === undefined || next.due > end) return false
    timers.delete(next)
    move(Math.max(0, next.due - monotonic))
    next.run()
    return true
  }

  const moveBoth = (ms: number): void => {
    wall += ms
    monotonic += ms
  }
  const moveMonotonic = (ms: number): void => {
    monotonic += ms
  }
  function moveTo(end: number, move: (ms: number) => void): void {
    while (runNext(end, move));
    move(Math.max(0, end - monotonic))
  }

  return {
    now: () => wall,
    monotonic: () => monotonic,
    randomId: systemEffects.randomId,
    setTimer(run, delayMs) {
      const timer = { due: monotonic + Math.max(0, delayMs), order: order++, run }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    advance: (ms) => moveTo(monotonic + requireNonNegative(ms), moveBoth),
    async pass(ms) {
      const end = monotonic + requireNonNegative(ms)
      do await runCallbacks()
      while (runNext(end, moveBoth))
      moveBoth(Math.max(0, end - monotonic))
      await runCallbacks()
    },
    stepWall(ms) {
      wall = parseEpochMs(wall + ms)
    },
    setWall(instant) {
      wall = parseEpochMs(instant)
    },
    stepMonotonic: (ms) => moveTo(monotonic + requireNonNegative(ms), moveMonotonic),
    get timers() {
      return timers.size
    },
  }
}

function earliest(timers: ReadonlySet<Timer>): Timer | undefined {
  let first: Timer | undefined
  for (const timer of timers) {
    if (first === undefined || timer.due < first.due || (timer.due === first.due && timer.order < first.order))
      first = timer
  }
  return first
}

function requireNonNegative(ms: number): number {
  if (!(ms >= 0))
    throw new RangeError(
      `Cannot advance a clock by ${ms} ms: it must be 0 or more. Use stepWall to move the wall clock back.`,
    )
  return ms
}

function parseEpochMs(instant: number | string): number {
  const epochMs = typeof instant === 'number' ? instant : Date.parse(instant)
  if (!Number.isFinite(epochMs)) throw new RangeError(`'${instant}' is not an instant.`)
  return epochMs
}

/** A few iterations of the event loop: enough for chains of promises and for I/O callbacks that are ready. */
async function runCallbacks(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
