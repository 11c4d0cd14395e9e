import './shortcuts-dialog.css'
import type { ReactElement } from 'react'
import { COMMAND_KEY } from '../browser/keyboard.ts'
import { Button } from '../components/button.tsx'
import { Dialog } from '../components/dialog.tsx'

const SHORTCUTS = [
  [`${COMMAND_KEY} K`, 'Find a user, a page or an action'],
  ['/', 'Search users'],
  ['J', 'Next user or event'],
  ['K', 'Previous user or event'],
  ['Enter', 'Show the user beside the list; open the event'],
  ['O', 'Open the page of the user beside the list'],
  ['B', 'Block or unblock the user'],
  ['C', 'Set the cap of the user'],
  ['U', 'Back to all users'],
  ['?', 'Show this list'],
  ['Esc', 'Close'],
] as const

/** The list of keyboard shortcuts. */
export function ShortcutsDialog({ close }: { close(): void }): ReactElement {
  return (
    <Dialog labelledBy="shortcuts-title" close={close}>
      <div className="dialog__content">
        <h2 id="shortcuts-title">Keyboard shortcuts</h2>
        <dl className="shortcuts">
          {SHORTCUTS.map(([key, action]) => (
            <div key={key} className="shortcuts__item">
              <dt>
                <kbd>{key}</kbd>
              </dt>
              <dd>{action}</dd>
            </div>
          ))}
        </dl>
        <p className="muted small">
          Single-key shortcuts are disabled while you type. Turn them off in the account menu.
        </p>
        <div className="dialog__actions">
          <Button onClick={close}>Close</Button>
        </div>
      </div>
    </Dialog>
  )
}
