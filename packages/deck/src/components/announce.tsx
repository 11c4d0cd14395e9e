import type { ReactElement } from 'react'
import { useSyncExternalStore } from 'react'
import { after } from '../browser/effects.ts'

/** What is said politely to those who hear the page; shown to nobody. Newer words replace older ones. */
const CLEAR_MS = 10_000

let words = ''
let cancel: (() => void) | undefined
const listeners = new Set<() => void>()

function say(next: string): void {
  words = next
  for (const listener of listeners) listener()
}

/** Says one sentence through the page's polite live region. */
export function announce(sentence: string): void {
  cancel?.()
  say(sentence)
  cancel = after(CLEAR_MS, () => say(''))
}

export function Announcer(): ReactElement {
  const sentence = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => words,
  )
  return (
    <p className="unseen" role="status" aria-live="polite">
      {sentence}
    </p>
  )
}
