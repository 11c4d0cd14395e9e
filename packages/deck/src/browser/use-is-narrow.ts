import { useSyncExternalStore } from 'react'

/** The width below which rows of a list have two lines; the same as in the style sheets. */
const query = window.matchMedia('(width < 720px)')

function subscribe(listener: () => void): () => void {
  query.addEventListener('change', listener)
  return () => query.removeEventListener('change', listener)
}

export function useIsNarrow(): boolean {
  return useSyncExternalStore(subscribe, () => query.matches)
}
