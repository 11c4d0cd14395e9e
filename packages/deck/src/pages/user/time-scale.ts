/** A period without events that is drawn compressed. `from` and `to` are epoch ms, `start` and `end` positions. */
export interface Gap {
  readonly from: number
  readonly to: number
  readonly start: number
  readonly end: number
}

export interface TimeScale {
  /** Maps an instant (epoch ms) to a position: 0 is the start of the range, 1 its end. */
  position(at: number): number
  /** The compressed gaps, oldest first. */
  readonly gaps: readonly Gap[]
}

/** A gap is compressed if it lasts at least this long, */
const MIN_GAP_MS = 3_600_000
/** takes more than this part of the range, */
const MIN_GAP_RATIO = 0.25
/** and is more than this many times as long as the median gap. */
const MIN_MEDIAN_RATIO = 6
/** Width of a compressed gap. At most three gaps can be compressed, so at least three quarters of the width remain. */
const GAP_WIDTH = 0.08

/**
 * Creates a linear time scale in which exceptionally long gaps between events are compressed to a fixed width. It keeps
 * a log readable in which nothing happens for weeks and then five things in an hour.
 */
export function createTimeScale(instants: readonly number[], range: { from: number; to: number }): TimeScale {
  const length = Math.max(1, range.to - range.from)
  const inside = instants.filter((at) => at > range.from && at < range.to)
  const bounds = [...new Set([range.from, ...inside, range.to])].sort((a, b) => a - b)
  const intervals = bounds.slice(1).map((to, index) => ({ from: bounds[index] ?? to, to }))
  const lengths = intervals.map(({ from, to }) => to - from).sort((a, b) => a - b)
  const median = lengths[Math.floor((lengths.length - 1) / 2)] ?? length
  const isGap = (ms: number): boolean =>
    ms >= MIN_GAP_MS && ms > length * MIN_GAP_RATIO && ms > median * MIN_MEDIAN_RATIO

  const gapCount = lengths.filter(isGap).length
  const linearLength = lengths.reduce((sum, ms) => (isGap(ms) ? sum : sum + ms), 0)
  const linearWidth = 1 - GAP_WIDTH * gapCount
  let end = 0
  const pieces = intervals.map((interval) => {
    const ms = interval.to - interval.from
    const start = end
    end += isGap(ms) ? GAP_WIDTH : (ms / linearLength) * linearWidth
    return { ...interval, start, end, isGap: isGap(ms) }
  })
  return {
    gaps: pieces.filter((piece) => piece.isGap),
    position(at) {
      const clamped = Math.min(range.to, Math.max(range.from, at))
      const piece = pieces.find(({ to }) => clamped <= to)
      if (piece === undefined) return 1
      return piece.start + ((clamped - piece.from) / (piece.to - piece.from)) * (piece.end - piece.start)
    },
  }
}
