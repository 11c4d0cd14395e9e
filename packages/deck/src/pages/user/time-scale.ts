/** A long quiet stretch that is drawn short. Places are parts of the whole width, 0 to 1. */
export interface Fold {
  readonly from: number
  readonly to: number
  readonly start: number
  readonly end: number
}

export interface Scale {
  /** Where an instant (epoch ms) stands, 0 to 1. */
  place(at: number): number
  readonly folds: readonly Fold[]
}

/** A gap is folded when it lasts at least an hour, takes more than this part of the time … */
const LEAST_MS = 3_600_000
const LONG = 0.25
/** … and is this many times as long as the gap in the middle. */
const UNUSUAL = 6
/** A fold takes this part of the width, however long it is. At most three gaps can be long, so most is left. */
const FOLDED = 0.08

/**
 * Puts instants on a line on which nothing happens for weeks and then five things in an hour: gaps far longer than
 * usual are drawn short and marked, everything else is drawn true to time.
 */
export function createScale(moments: readonly number[], span: { from: number; to: number }): Scale {
  const whole = Math.max(1, span.to - span.from)
  const stops = [...new Set([span.from, ...moments.filter((at) => at > span.from && at < span.to), span.to])].sort(
    (a, b) => a - b,
  )
  const gaps = stops.slice(1).map((to, index) => ({ from: stops[index] ?? to, to }))
  const lengths = gaps.map(({ from, to }) => to - from).sort((a, b) => a - b)
  const usual = lengths[Math.floor((lengths.length - 1) / 2)] ?? whole
  const drawn = gaps.map(({ from, to }) => {
    const length = to - from
    const folded = length >= LEAST_MS && length > whole * LONG && length > usual * UNUSUAL
    return { from, to, folded, length: folded ? 0 : length }
  })
  const open = drawn.reduce((sum, { length }) => sum + length, 0)
  const left = 1 - FOLDED * drawn.filter(({ folded }) => folded).length
  let edge = 0
  const pieces = drawn.map((piece) => {
    const start = edge
    edge += piece.folded ? FOLDED : (piece.length / open) * left
    return { ...piece, start, end: edge }
  })
  return {
    folds: pieces.filter(({ folded }) => folded),
    place(at) {
      const within = Math.min(span.to, Math.max(span.from, at))
      const piece = pieces.find(({ to }) => within <= to)
      if (piece === undefined) return 1
      return piece.start + ((within - piece.from) / (piece.to - piece.from)) * (piece.end - piece.start)
    },
  }
}
