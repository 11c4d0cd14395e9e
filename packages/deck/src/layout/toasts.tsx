import './toasts.css'
import { type ReactElement, useSyncExternalStore } from 'react'
import { setTimer } from '../browser/effects.ts'
import { Button } from '../components/button.tsx'

interface Toast {
  readonly text: string
  readonly undo: (() => Promise<unknown>) | undefined
}

const SHOWN_MS = 12_000

let current: Toast | undefined
let cancelTimer: (() => void) | undefined
const listeners = new Set<() => void>()

function setToast(toast: Toast | undefined): void {
  cancelTimer?.()
  current = toast
  cancelTimer = toast === undefined ? undefined : setTimer(() => setToast(undefined), SHOWN_MS)
  for (const listener of listeners) listener()
}

/** Shows a message for 12 s and replaces the previous one; with `undo` it has a button that runs it. */
export function showToast(text: string, undo?: () => Promise<unknown>): void {
  setToast({ text, undo })
}

/** Renders the current toast. */
export function Toasts(): ReactElement {
  const toast = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => current,
  )
  async function undo(): Promise<void> {
    setToast(undefined)
    try {
      await toast?.undo?.()
      showToast('Undone.')
    } catch (error) {
      showToast(`Undo failed: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return (
    <div className="toasts" role="status">
      {toast !== undefined && (
        <div className="toast">
          <span>{toast.text}</span>
          {toast.undo !== undefined && (
            <Button size="small" onClick={() => void undo()}>
              Undo
            </Button>
          )}
          <Button size="small" onClick={() => setToast(undefined)}>
            Close
          </Button>
        </div>
      )}
    </div>
  )
}
