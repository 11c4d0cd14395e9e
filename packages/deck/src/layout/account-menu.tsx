import './account-menu.css'
import { useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useId } from 'react'
import { callApi } from '../api/client.ts'
import { clearTail } from '../api/event-tail.ts'
import { sessionQuery } from '../api/queries.ts'
import { setPreferences, usePreferences } from '../browser/preferences.ts'
import { Button } from '../components/button.tsx'
import { Checkbox } from '../components/checkbox.tsx'
import { Popover } from '../components/popover.tsx'
import { SegmentedControl } from '../components/segmented-control.tsx'
import { useSession } from './session.ts'

const THEMES = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const
const ZONES = [
  ['mine', 'Local'],
  ['utc', 'UTC'],
  ['user', 'User’s'],
] as const

/** The signed-in key, the preferences of this browser, and sign-out. */
export function AccountMenu({ openShortcuts }: { openShortcuts(): void }): ReactElement {
  const session = useSession()
  const preferences = usePreferences()
  const queryClient = useQueryClient()
  const id = useId()

  async function signOut(): Promise<void> {
    await callApi('DELETE /api/session').catch(() => undefined)
    queryClient.setQueryData(sessionQuery.queryKey, null)
    clearTail()
    queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] })
  }

  return (
    <>
      <button
        type="button"
        className="account-button"
        popoverTarget={id}
        aria-label={`Account menu of ${session.name}`}
      >
        <span className="account-button__avatar" aria-hidden="true">
          {(session.name[0] ?? '?').toUpperCase()}
        </span>
      </button>
      <Popover id={id} className="account-menu">
        <p className="account-menu__session">
          <strong>{session.name}</strong>
          <span className="muted">{session.role}</span>
        </p>
        <SegmentedControl
          legend="Appearance"
          variant="stretched"
          options={THEMES}
          value={preferences.theme}
          onChange={(theme) => setPreferences({ theme })}
        />
        <SegmentedControl
          legend="Time zone"
          variant="stretched"
          options={ZONES}
          value={preferences.zone}
          onChange={(zone) => setPreferences({ zone })}
        />
        <Checkbox
          label="Single-key shortcuts"
          checked={preferences.singleKeys}
          onChange={(singleKeys) => setPreferences({ singleKeys })}
        />
        <div className="account-menu__actions">
          <Button onClick={openShortcuts} popoverTarget={id} popoverTargetAction="hide">
            Shortcuts
          </Button>
          <Button onClick={() => void signOut()}>Sign out</Button>
        </div>
      </Popover>
    </>
  )
}
