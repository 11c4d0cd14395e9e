/** Numbers that look random and are the same at every start: a linear congruential generator with a final mix. */
export interface SeededRandom {
  /** 0 to 1, without 1. */
  next(): number
  /** True in this share of calls. */
  chance(share: number): boolean
  /** An integer from `from` to `to`, both included. */
  between(from: number, to: number): number
  pick<Value>(values: readonly [Value, ...Value[]]): Value
}

export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    const mixed = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d)
    return ((mixed ^ (mixed >>> 13)) >>> 0) / 2 ** 32
  }
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    chance: (share) => next() < share,
    between,
    pick: (values) => values[between(0, values.length - 1)] ?? values[0],
  }
}
