import { useCallback, useEffect, useRef, useState } from 'react'
import { now, setTimer } from './effects.ts'

/** State that changes at most once in `intervalMs`: at once where it rested before, and to the latest value at the end. */
export function useThrottledState<Value>(initial: Value, intervalMs: number): [Value, (value: Value) => void] {
  const [value, setValue] = useState(initial)
  const waiting = useRef<{ latest: Value; cancel(): void } | null>(null)
  const changedAt = useRef(Number.NEGATIVE_INFINITY)
  useEffect(() => () => waiting.current?.cancel(), [])
  const set = useCallback(
    (next: Value) => {
      const apply = (latest: Value): void => {
        waiting.current = null
        changedAt.current = now()
        setValue(latest)
      }
      if (waiting.current !== null) {
        waiting.current.latest = next
        return
      }
      const waitMs = changedAt.current + intervalMs - now()
      if (waitMs <= 0) return apply(next)
      const cancel = setTimer(() => waiting.current !== null && apply(waiting.current.latest), waitMs)
      waiting.current = { latest: next, cancel }
    },
    [intervalMs],
  )
  return [value, set]
}
