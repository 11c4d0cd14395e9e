import type { Effects } from './effects.ts'

/** A clock that was ahead by more is followed back. */
const MAX_AHEAD_MS = 1_000
const COUNTER_MAX = 0xfff
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const TIME_ORDERED_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}[\w-]{1,64}$/
/** Where the random part of a UUID of version 4 begins that remains. */
const RANDOM_FROM = 18

/**
 * Ids that rise with time as text: UUIDs of version 7 (RFC 9562) with a counter, so that ids of one process also rise
 * within a millisecond, in which they differ by the counter alone.
 */
export function createTimeOrderedIds({ now, randomId }: Pick<Effects, 'now' | 'randomId'>): () => string {
  let last = 0
  let counter = 0
  let prefix = firstIdAt(last)
  let suffix = ''
  return () => {
    const at = Math.trunc(now())
    const isOther = at > last || at < last - MAX_AHEAD_MS
    if (isOther || counter === COUNTER_MAX) {
      last = isOther ? at : last + 1
      prefix = firstIdAt(last)
      suffix = suffixOf(randomId())
      counter = 0
    } else counter++
    return `${prefix}-7${counter.toString(16).padStart(3, '0')}${suffix}`
  }
}

function suffixOf(random: string): string {
  return UUID.test(random) ? random.slice(RANDOM_FROM) : `-${random}`
}

export function isTimeOrderedId(id: string): boolean {
  return TIME_ORDERED_ID.test(id)
}

/** A text that no id of an earlier instant reaches. Epoch ms. */
export function firstIdAt(epochMs: number): string {
  const hex = Math.max(0, Math.trunc(epochMs)).toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}
