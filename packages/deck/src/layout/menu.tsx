import { useQueryClient } from '@tanstack/react-query'
import { type ReactElement, useId } from 'react'
import { apiUrl, call } from '../api/client.ts'
import { sessionQuery } from '../api/queries.ts'
import { type Preferences, prefer, usePreferences } from '../browser/preferences.ts'
import { useSession } from './session.ts'

const THEMES = [
  ['system', 'System'],
  ['light', 'Light'],
  ['dark', 'Dark'],
] as const
const ZONES = [
  ['mine', 'Mine'],
  ['utc', 'UTC'],
  ['user', 'The user’s'],
] as const

/** Who is signed in, and how they like the page; a native popover, which closes on Escape and on a click elsewhere. */
export function Menu({ openShortcuts }: { openShortcuts(): void }): ReactElement {
  const session = useSession()
  const preferences = usePreferences()
  const queries = useQueryClient()
  const id = useId()

  async function signOut(): Promise<void> {
    await call(apiUrl(['session']), { method: 'DELETE' }).catch(() => undefined)
    queries.setQueryData(sessionQuery.queryKey, null)
    queries.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== sessionQuery.queryKey[0] })
  }

  return (
    <>
      <button type="button" className="menu-button" popoverTarget={id} aria-label={`Menu of ${session.name}`}>
        <span className="avatar" aria-hidden="true">
          {(session.name[0] ?? '?').toUpperCase()}
        </span>
      </button>
      <div id={id} popover="auto" className="menu">
        <p className="menu-who">
          <strong>{session.name}</strong>
          <span className="quiet">{session.role}</span>
        </p>
        <Choice
          legend="Appearance"
          options={THEMES}
          value={preferences.theme}
          onChange={(theme) => prefer({ theme: theme as Preferences['theme'] })}
        />
        <Choice
          legend="Time zone shown"
          options={ZONES}
          value={preferences.zone}
          onChange={(zone) => prefer({ zone: zone as Preferences['zone'] })}
        />
        <label className="check">
          <input
            type="checkbox"
            checked={preferences.singleKeys}
            onChange={(event) => prefer({ singleKeys: event.currentTarget.checked })}
          />
          Single-key shortcuts
        </label>
        <div className="menu-actions">
          <button
            type="button"
            className="button"
            onClick={openShortcuts}
            popoverTarget={id}
            popoverTargetAction="hide"
          >
            Shortcuts
          </button>
          <button type="button" className="button" onClick={() => void signOut()}>
            Sign out
          </button>
        </div>
      </div>
    </>
  )
}

function Choice(props: {
  legend: string
  options: readonly (readonly [string, string])[]
  value: string
  onChange(value: string): void
}): ReactElement {
  const name = useId()
  return (
    <fieldset className="choice">
      <legend>{props.legend}</legend>
      <div className="segments">
        {props.options.map(([value, label]) => (
          <label key={value}>
            <input
              type="radio"
              name={name}
              value={value}
              checked={props.value === value}
              onChange={() => props.onChange(value)}
            />
            <span>{label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
