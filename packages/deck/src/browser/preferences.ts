import { useSyncExternalStore } from 'react'
import type { Zone } from '../time/instants.ts'

/** What one operator likes, kept in this browser only. What is looked at stands in the URL instead. */
export interface Preferences {
  readonly theme: 'system' | 'light' | 'dark'
  /** In which zone instants are told: the reader's, UTC, or that of the user they are about. */
  readonly zone: 'mine' | 'utc' | 'user'
  /** Whether single keys (J, K, /, ?) act; WCAG 2.1.4 asks for a way to turn them off. */
  readonly singleKeys: boolean
}

const KEY = 'purser.deck'
const DEFAULTS: Preferences = { theme: 'system', zone: 'mine', singleKeys: true }

let current = read()
const listeners = new Set<() => void>()

function read(): Preferences {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}')
    return typeof kept === 'object' && kept !== null ? { ...DEFAULTS, ...kept } : DEFAULTS
  } catch {
    return DEFAULTS
  }
}

/** Changes some preferences; where the browser keeps nothing they hold for this visit. */
export function prefer(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(KEY, JSON.stringify(current))
  } catch {
    // A private window may refuse to keep things.
  }
  applyTheme()
  for (const listener of listeners) listener()
}

/** `light-dark()` in the style sheet follows `color-scheme`, which follows this attribute. */
export function applyTheme(): void {
  const root = document.documentElement
  if (current.theme === 'system') delete root.dataset.theme
  else root.dataset.theme = current.theme
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
}

export function singleKeysAct(): boolean {
  return current.singleKeys
}

/** The zone to tell instants in; `userZone` is the zone of the user who is looked at, if any. */
export function useZone(userZone?: string | null): Zone {
  const { zone } = usePreferences()
  if (zone === 'utc') return { name: 'UTC', label: 'UTC' }
  if (zone === 'user' && userZone) return { name: userZone, label: userZone }
  const mine = Intl.DateTimeFormat().resolvedOptions().timeZone
  return { name: undefined, label: mine }
}
