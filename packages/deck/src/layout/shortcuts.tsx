import { type ReactElement, useEffect, useRef } from 'react'
import { COMMAND } from '../browser/keyboard.ts'

const SHORTCUTS = [
  [`${COMMAND} K`, 'Go to a user or a place'],
  ['/', 'Find a user'],
  ['J', 'Next user, or next event'],
  ['K', 'The one before'],
  ['Enter', 'Open it'],
  ['U', 'Back to all users'],
  ['?', 'This sheet'],
  ['Esc', 'Close'],
] as const

/** Which keys do what. */
export function Shortcuts({ close }: { close(): void }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} className="dialog small-dialog" aria-labelledby="shortcuts-title" onClose={close}>
      <h2 id="shortcuts-title">Keys</h2>
      <dl className="keys">
        {SHORTCUTS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <p className="hint">They rest while you type, and the menu switches them off.</p>
      <form method="dialog" className="dialog-actions">
        <button type="submit" className="button">
          Close
        </button>
      </form>
    </dialog>
  )
}
