import { type ReactElement, useSyncExternalStore } from 'react'
import { setTimer } from '../browser/effects.ts'

/** An announcement is removed after this time; a newer one replaces it. */
const CLEAR_AFTER_MS = 10_000

let text = ''
let cancelClear: (() => void) | undefined
const listeners = new Set<() => void>()

function setText(next: string): void {
  text = next
  for (const listener of listeners) listener()
}

/** Announces one sentence to screen readers through the page's polite live region. */
export function announce(sentence: string): void {
  cancelClear?.()
  setText(sentence)
  cancelClear = setTimer(() => setText(''), CLEAR_AFTER_MS)
}

export function LiveRegion(): ReactElement {
  const sentence = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => text,
  )
  return (
    <p className="sr-only" role="status" aria-live="polite">
      {sentence}
    </p>
  )
}
