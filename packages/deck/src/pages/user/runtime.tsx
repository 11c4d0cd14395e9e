import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { secretsQuery, sessionsQuery, settingsQuery } from '../../api/queries.ts'
import type { Settings } from '../../api/wire.ts'
import { Instant } from '../../components/instant.tsx'
import { Failure, Waiting } from '../../components/states.tsx'

const FIELDS = [
  ['provider', 'Provider'],
  ['model', 'Model'],
  ['region', 'Region'],
  ['deployment', 'Deployment'],
  ['baseURL', 'Base URL'],
  ['preset', 'Preset'],
  ['mcpServers', 'MCP servers'],
  ['allowedModels', 'Allowed models'],
  ['parameters', 'Parameters'],
] as const

/** What this user runs on, and where each setting came from. */
export function Runtime({ user }: { user: string }): ReactElement {
  const settings = useQuery(settingsQuery(user))
  if (settings.isError && settings.data === undefined) {
    return <Failure error={settings.error} retry={() => void settings.refetch()} />
  }
  if (settings.data === undefined) return <Waiting of="settings" lines={6} />
  return (
    <>
      <table className="plain settings">
        <thead>
          <tr>
            <th scope="col">Setting</th>
            <th scope="col">Value</th>
            <th scope="col">Origin</th>
          </tr>
        </thead>
        <tbody>
          {FIELDS.map(([field, name]) => (
            <tr key={field}>
              <th scope="row">{name}</th>
              <td className="mono">{shown(settings.data, field)}</td>
              <td>
                <Origin origin={settings.data.origin[field]} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="quiet small">Version {settings.data.version} of the user’s settings.</p>
      <Secrets user={user} />
      <Sessions user={user} />
    </>
  )
}

function shown(settings: Settings, field: string): ReactElement | string {
  const value = settings[field]
  if (value === null || value === undefined) return <span className="quiet">–</span>
  if (Array.isArray(value)) return value.length === 0 ? <span className="quiet">none</span> : value.join(', ')
  if (typeof value !== 'object') return String(value)
  const entries = Object.entries(value)
  if (entries.length === 0) return <span className="quiet">none</span>
  return entries.map(([name, given]) => `${name} ${JSON.stringify(given)}`).join(', ')
}

function Origin({ origin }: { origin: string | undefined }): ReactElement {
  return (
    <span className="origin" data-origin={origin}>
      {origin ?? 'default'}
    </span>
  )
}

function Secrets({ user }: { user: string }): ReactElement {
  const secrets = useQuery(secretsQuery(user))
  const names = secrets.data?.data ?? []
  return (
    <>
      <h3>Secrets</h3>
      {names.length === 0 ? (
        <p className="quiet small">None of their own; the operator’s are used.</p>
      ) : (
        <ul className="lines">
          {names.map(({ name, fields, updatedAt }) => (
            <li key={name}>
              <strong>{name}</strong> <span className="mono">{fields.join(', ')}</span>{' '}
              <span className="quiet small">
                set <Instant at={updatedAt} />, sealed
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

function Sessions({ user }: { user: string }): ReactElement {
  const sessions = useQuery(sessionsQuery(user))
  const rows = sessions.data?.data ?? []
  return (
    <>
      <h3>Sessions</h3>
      {rows.length === 0 ? (
        <p className="quiet small">No session is open.</p>
      ) : (
        <ul className="lines">
          {rows.map(({ id, policy, lastUsedAt }) => (
            <li key={id}>
              <strong className="mono">{id}</strong> {policy === 'pin' ? 'keeps its settings' : 'follows the settings'}{' '}
              <span className="quiet small">
                used <Instant at={lastUsedAt} />
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
