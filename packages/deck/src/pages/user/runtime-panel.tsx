import './runtime-panel.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement, ReactNode } from 'react'
import { secretsQuery, sessionsQuery, settingsQuery } from '../../api/queries.ts'
import type { RuntimeSession, SecretInfo } from '../../api/responses.ts'
import { Badge } from '../../components/badge.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'

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

/** The effective settings of a user with their origins, the names of secrets, and the sessions. */
export function RuntimePanel({ user }: { user: string }): ReactElement {
  const settings = useQuery(settingsQuery(user))
  return (
    <QueryResult query={settings} name="settings" lines={6}>
      {(data) => (
        <>
          <DataTable columns={[{ name: 'Setting' }, { name: 'Value' }, { name: 'Origin' }]} compact>
            {FIELDS.map(([field, name]) => (
              <tr key={field}>
                <th scope="row">{name}</th>
                <td className="mono">{formatSetting(data[field])}</td>
                <td>
                  <Badge tone={data.origin[field] === 'default' ? 'neutral' : 'accent'} text={data.origin[field]} />
                </td>
              </tr>
            ))}
          </DataTable>
          <p className="muted small">Settings version {data.version}.</p>
          <h3 className="runtime-panel__title">Secrets</h3>
          <Secrets user={user} />
          <h3 className="runtime-panel__title">Sessions</h3>
          <Sessions user={user} />
        </>
      )}
    </QueryResult>
  )
}

function formatSetting(value: unknown): ReactNode {
  if (value === null || value === undefined) return <span className="muted">–</span>
  if (typeof value !== 'object') return String(value)
  const parts = Array.isArray(value)
    ? value.map(String)
    : Object.entries(value).map(([name, parameter]) => `${name} ${JSON.stringify(parameter)}`)
  return parts.length === 0 ? <span className="muted">none</span> : parts.join(', ')
}

function Secrets({ user }: { user: string }): ReactElement {
  const secrets = useQuery(secretsQuery(user))
  return (
    <QueryResult query={secrets} name="secrets">
      {({ data }) =>
        data.length === 0 ? (
          <p className="muted small">No user secrets; using the operator’s.</p>
        ) : (
          <ul className="runtime-panel__list">
            {data.map((secret) => (
              <SecretItem key={secret.name} secret={secret} />
            ))}
          </ul>
        )
      }
    </QueryResult>
  )
}

function SecretItem({ secret }: { secret: SecretInfo }): ReactElement {
  return (
    <li>
      <strong>{secret.name}</strong> <span className="mono">{secret.fields.join(', ')}</span>{' '}
      <span className="muted small">
        set <RelativeTime at={secret.updatedAt} />, encrypted
      </span>
    </li>
  )
}

function Sessions({ user }: { user: string }): ReactElement {
  const sessions = useQuery(sessionsQuery(user))
  return (
    <QueryResult query={sessions} name="sessions">
      {({ data }) =>
        data.length === 0 ? (
          <p className="muted small">No open sessions.</p>
        ) : (
          <ul className="runtime-panel__list">
            {data.map((session) => (
              <SessionItem key={session.id} session={session} />
            ))}
          </ul>
        )
      }
    </QueryResult>
  )
}

function SessionItem({ session }: { session: RuntimeSession }): ReactElement {
  return (
    <li>
      <strong className="mono">{session.id}</strong>{' '}
      {session.policy === 'pin' ? 'pinned settings' : 'follows the user’s settings'}{' '}
      <span className="muted small">
        last used <RelativeTime at={session.lastUsedAt} />
      </span>
    </li>
  )
}
