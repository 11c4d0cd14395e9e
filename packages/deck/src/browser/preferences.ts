import { useSyncExternalStore } from 'react'

/** Preferences of the reader, stored in this browser only. Filters and selections are in the URL instead. */
export interface Preferences {
  readonly theme: 'system' | 'light' | 'dark'
  /** Time zone of shown times: the browser's, UTC, or that of the user they belong to. */
  readonly zone: 'mine' | 'utc' | 'user'
  /** Whether single-key shortcuts (J, K, /, ?) are enabled; WCAG 2.1.4 requires a way to turn them off. */
  readonly singleKeys: boolean
  /** Ids of the columns of the user list; null: the default ones. */
  readonly columns: readonly string[] | null
  /** Views of the user list, as paths. */
  readonly views: readonly SavedView[]
}

export interface SavedView {
  readonly name: string
  readonly path: string
}

const STORAGE_KEY = 'purser.deck'
const DEFAULTS: Preferences = { theme: 'system', zone: 'mine', singleKeys: true, columns: null, views: [] }

let current = load()
const listeners = new Set<() => void>()

function load(): Preferences {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? '{}')
    return typeof stored === 'object' && stored !== null ? { ...DEFAULTS, ...stored } : DEFAULTS
  } catch {
    return DEFAULTS
  }
}

/** Changes preferences; without local storage they last until the page is closed. */
export function setPreferences(change: Partial<Preferences>): void {
  current = { ...current, ...change }
  try {
    localStorage.setItem(STORAGE_KEY, JSON.stringify(current))
  } catch {
    // Local storage may be disabled, as in a private window.
  }
  applyTheme()
  for (const listener of listeners) listener()
}

/** Sets the attribute from which the style sheet derives `color-scheme`, and with it every `light-dark()` color. */
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

export function areSingleKeysEnabled(): boolean {
  return current.singleKeys
}

const darkQuery = window.matchMedia('(prefers-color-scheme: dark)')

/** The colors that are in use now, for what is drawn and not styled. */
export function useColorScheme(): 'light' | 'dark' {
  const { theme } = usePreferences()
  const isSystemDark = useSyncExternalStore(
    (listener) => {
      darkQuery.addEventListener('change', listener)
      return () => darkQuery.removeEventListener('change', listener)
    },
    () => darkQuery.matches,
  )
  if (theme !== 'system') return theme
  return isSystemDark ? 'dark' : 'light'
}
