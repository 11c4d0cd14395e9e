import { useSyncExternalStore } from 'react'
import { every, now } from '../browser/effects.ts'

/** The page's own slow clock: one timer for everything that is told relative to now. */
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
  stop ??= every(TICK_MS, tick)
  return () => {
    listeners.delete(listener)
    if (listeners.size > 0) return
    stop?.()
    stop = undefined
  }
}

/** The present moment, epoch ms, renewed every ten seconds and whenever news arrives (`wakeClock`). */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => current)
}

/** Called when fresh data has arrived, so that nothing fresh is told to be in the future. */
export function wakeClock(): void {
  if (now() - current > 1_000) tick()
}
