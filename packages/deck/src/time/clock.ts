import { useSyncExternalStore } from 'react'
import { now, setRepeatingTimer } from '../browser/effects.ts'
import { usePreferences } from '../browser/preferences.ts'
import type { Zone } from './format-time.ts'

/** One timer for all relative times on the page. */
const TICK_MS = 10_000

let current = now()
let stop: (() => void) | undefined
const listeners = new Set<() => void>()

function tick(): void {
  current = now()
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  stop ??= setRepeatingTimer(tick, TICK_MS)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    stop?.()
    stop = undefined
  }
}

/** The current time, epoch ms, updated every 10 s and by `advanceClock`. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => current)
}

/** Updates the clock when fresh data has arrived, so that new timestamps are not shown as future times. */
export function advanceClock(): void {
  if (now() - current > 1_000) tick()
}

/** The preferred time zone; `userZone` is the zone of the user that is shown, if there is one. */
export function useZone(userZone?: string | null): Zone {
  const { zone } = usePreferences()
  if (zone === 'utc') return { name: 'UTC', label: 'UTC' }
  if (zone === 'user' && userZone) return { name: userZone, label: userZone }
  return { name: undefined, label: Intl.DateTimeFormat().resolvedOptions().timeZone }
}
