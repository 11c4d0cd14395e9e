import { type Effects, systemEffects } from '../core/effects.ts'
import { validateOptions } from '../core/validate.ts'

export interface HandClock extends Effects {
  /**
   * Lets `ms` pass on both clocks. Timers that fall due run now, in order, each at its own instant, also those that
   * such a timer sets. Work that a timer leaves to promises runs after the call: use `pass` when it sets timers again.
   */
  advance(ms: number): void
  /** As `advance`, but lets promises and I/O callbacks run before it looks for the next due timer. */
  pass(ms: number): Promise<void>
  /** Moves the wall clock alone, also backwards: a correction by an operator or a time server. */
  stepWall(ms: number): void
  /** Sets the wall clock alone. `instant` is epoch ms or ISO 8601. */
  setWall(instant: number | string): void
  /** Moves the monotonic clock alone and runs the timers that fall due. */
  stepMonotonic(ms: number): void
  /** Timers that are set and not yet run. */
  readonly timers: number
}

interface Timer {
  readonly due: number
  readonly order: number
  readonly run: () => void
}

/**
 * Effects whose time stands still until the test moves it. Timers follow the monotonic clock.
 * Starts at 2026-01-01T12:00:00Z and monotonic 0 unless told otherwise; ids stay random, so that two clocks in one
 * store never collide.
 */
export function handClock(start: { wall?: number | string; monotonic?: number } = {}): HandClock {
  validateOptions('handClock', start, ['wall', 'monotonic'])
  let wall = instantOf(start.wall ?? '2026-01-01T12:00:00Z')
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
    advance: (ms) => moveTo(monotonic + forwards(ms), moveBoth),
    async pass(ms) {
      const end = monotonic + forwards(ms)
      do await loopTurn()
      while (runNext(end, moveBoth))
      moveBoth(Math.max(0, end - monotonic))
      await loopTurn()
    },
    stepWall(ms) {
      wall = instantOf(wall + ms)
    },
    setWall(instant) {
      wall = instantOf(instant)
    },
    stepMonotonic: (ms) => moveTo(monotonic + forwards(ms), moveMonotonic),
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

function forwards(ms: number): number {
  if (!(ms >= 0))
    throw new RangeError(`Time that passes is 0 or more milliseconds, not ${ms}. To go back, use stepWall.`)
  return ms
}

function instantOf(instant: number | string): number {
  const epochMs = typeof instant === 'number' ? instant : Date.parse(instant)
  if (!Number.isFinite(epochMs)) throw new RangeError(`'${instant}' is not an instant.`)
  return epochMs
}

/** A few turns of the event loop: enough for chains of promises and for I/O callbacks that are ready. */
async function loopTurn(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
