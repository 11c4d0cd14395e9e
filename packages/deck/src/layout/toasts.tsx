import { type ReactElement, useSyncExternalStore } from 'react'
import { after } from '../browser/effects.ts'

/** What was just done, with a way to take it back. One at a time; it goes by itself. */
interface Notice {
  readonly text: string
  readonly undo: (() => Promise<unknown>) | undefined
}

const SHOWN_MS = 12_000

let present: Notice | undefined
let cancel: (() => void) | undefined
const listeners = new Set<() => void>()

function show(notice: Notice | undefined): void {
  cancel?.()
  present = notice
  cancel = notice === undefined ? undefined : after(SHOWN_MS, () => show(undefined))
  for (const listener of listeners) listener()
}

/** Tells what was done; `undo` does the opposite, which stands in the log as well. */
export function notify(text: string, undo?: () => Promise<unknown>): void {
  show({ text, undo })
}

export function Notices(): ReactElement {
  const notice = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => present,
  )
  async function undo(): Promise<void> {
    const back = notice?.undo
    show(undefined)
    try {
      await back?.()
      notify('Taken back.')
    } catch (error) {
      notify(`Could not be taken back: ${error instanceof Error ? error.message : String(error)}`)
    }
  }
  return (
    <div className="notices" role="status">
      {notice !== undefined && (
        <div className="toast">
          <span>{notice.text}</span>
          {notice.undo !== undefined && (
            <button type="button" className="button tiny" onClick={() => void undo()}>
              Undo
            </button>
          )}
          <button type="button" className="button tiny" onClick={() => show(undefined)}>
            Close
          </button>
        </div>
      )}
    </div>
  )
}
