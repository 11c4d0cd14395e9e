import './runtime-panel.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement, ReactNode } from 'react'
import { authorizationsQuery, runtimesQuery, secretsQuery, sessionsQuery, settingsQuery } from '../../api/queries.ts'
import type { Bond, RuntimeSession, SecretInfo } from '../../api/wire.ts'
import { Badge } from '../../components/badge.tsx'
import { Button } from '../../components/button.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { useCan } from '../../layout/session.ts'
import { useEndSession } from './use-user-mutations.ts'

const FIELDS = [
  ['provider', 'Provider'],
  ['model', 'Model'],
  ['region', 'Region'],
  ['deployment', 'Deployment'],
  ['baseURL', 'Base URL'],
  ['preset', 'Preset'],
  ['mcpServers', 'MCP servers'],
  ['allowedModels', 'Allowed models'],
  ['fallbacks', 'Fallbacks'],
  ['parameters', 'Parameters'],
] as const

/** The effective settings of a user with their origins, the names of secrets, and the sessions. */
export function RuntimePanel({ bond }: { bond: Bond }): ReactElement {
  const { user } = bond
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
          <Sessions bond={bond} />
          <h3 className="runtime-panel__title">Authorizations</h3>
          <Authorizations user={user} />
          <h3 className="runtime-panel__title">Live clients</h3>
          <LiveClients user={user} />
        </>
      )}
    </QueryResult>
  )
}

function formatSetting(value: unknown): ReactNode {
  if (value === null || value === undefined) return <span className="muted">–</span>
  if (typeof value !== 'object') return String(value)
  const parts = Array.isArray(value)
    ? value.map((item) => (typeof item === 'object' ? Object.values(item as object).join('/') : String(item)))
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

function Sessions({ bond }: { bond: Bond }): ReactElement {
  const sessions = useQuery(sessionsQuery(bond.user))
  return (
    <QueryResult query={sessions} name="sessions">
      {({ data }) =>
        data.length === 0 ? (
          <p className="muted small">No open sessions.</p>
        ) : (
          <ul className="runtime-panel__list">
            {data.map((session) => (
              <SessionItem key={session.id} bond={bond} session={session} />
            ))}
          </ul>
        )
      }
    </QueryResult>
  )
}

function SessionItem({ bond, session }: { bond: Bond; session: RuntimeSession }): ReactElement {
  const endSession = useEndSession(bond)
  const canEnd = useCan('admin')
  return (
    <li className="runtime-panel__session">
      <span>
        <strong className="mono">{session.id}</strong>{' '}
        {session.policy === 'pin' ? 'pinned settings' : 'follows the user’s settings'}{' '}
        <span className="muted small">
          last used <RelativeTime at={session.lastUsedAt} />
          {session.models.length > 0 &&
            `, on ${session.models.map(({ provider, model }) => `${provider}/${model}`).join(', ')}`}
        </span>
      </span>
      {canEnd && (
        <Button
          size="small"
          aria-label={`End the session ${session.id}`}
          disabled={endSession.isPending}
          onClick={() => endSession.mutate({ session: session.id })}
        >
          End
        </Button>
      )}
    </li>
  )
}

function Authorizations({ user }: { user: string }): ReactElement {
  const authorizations = useQuery(authorizationsQuery(user))
  return (
    <QueryResult query={authorizations} name="authorizations">
      {({ data }) =>
        data.length === 0 ? (
          <p className="muted small">No MCP server is authorized.</p>
        ) : (
          <ul className="runtime-panel__list">
            {data.map(({ name, issuer, scopes, authorizedAt, isUsable }) => (
              <li key={name}>
                <strong>{name}</strong> at {issuer} <span className="mono">{scopes.join(' ')}</span>{' '}
                <span className="muted small">
                  authorized <RelativeTime at={authorizedAt} />
                </span>{' '}
                {!isUsable && <Badge tone="warning" text="must be authorized again" />}
              </li>
            ))}
          </ul>
        )
      }
    </QueryResult>
  )
}

/** The live clients of the user in the process that answers. */
function LiveClients({ user }: { user: string }): ReactElement {
  const runtimes = useQuery(runtimesQuery)
  return (
    <QueryResult query={runtimes} name="live clients">
      {({ data }) => {
        const runtime = data.find((candidate) => candidate.user === user)
        if (runtime === undefined || runtime.clients.length === 0) {
          return <p className="muted small">None in this instance. They open with the next chat request.</p>
        }
        return (
          <ul className="runtime-panel__list">
            {runtime.clients.map(({ kind, name, state, inUse }) => (
              <li key={`${kind} ${name}`}>
                {kind} <strong>{name}</strong>{' '}
                <span className="muted small">
                  {state}, {inUse === 0 ? 'idle' : `${inUse} in use`}
                </span>
              </li>
            ))}
          </ul>
        )
      }}
    </QueryResult>
  )
}
