import './settings-page.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { configurationQuery } from '../../api/queries.ts'
import type { Configuration } from '../../api/wire.ts'
import { Badge } from '../../components/badge.tsx'
import { Card } from '../../components/card.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { formatInteger } from '../../format-number.ts'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { useCan } from '../../layout/session.ts'
import { formatCoarseDuration } from '../../time/format-time.ts'
import { KeysCard } from './keys-card.tsx'
import { WebhooksCard } from './webhooks-card.tsx'

/** Keys, and what the server runs with. */
export function SettingsPage(): ReactElement {
  const configuration = useQuery(configurationQuery)
  const isAdmin = useCan('admin')
  usePageTitle('Settings')
  return (
    <Page>
      <PageHeader
        title="Settings"
        lead={
          isAdmin
            ? 'Keys and webhooks are managed here; everything else is in the configuration file.'
            : 'Keys and webhooks are shown to admins; everything else is in the configuration file.'
        }
      />
      {isAdmin && (
        <>
          <KeysCard />
          <WebhooksCard />
        </>
      )}
      <QueryResult query={configuration} name="the configuration" lines={6} shape="card">
        {(data) => (
          <div className="settings-page__grid">
            <ProvidersCard configuration={data} />
            <McpServersCard configuration={data} />
            <DataCard configuration={data} />
          </div>
        )}
      </QueryResult>
    </Page>
  )
}

function ProvidersCard({ configuration }: { configuration: Configuration }): ReactElement {
  const { providers, defaults } = configuration
  return (
    <Card title="Providers" id="providers">
      {providers.length === 0 ? (
        <p className="muted">No provider is configured. Add one under “providers” in the configuration file.</p>
      ) : (
        <ul className="settings-page__list">
          {providers.map(({ name, kind, models }) => (
            <li key={name}>
              <strong>{name}</strong> {kind !== null && <span className="muted">{kind}</span>}{' '}
              {name === defaults.provider && <Badge tone="accent" text="default" />}
              <p className="muted small settings-page__models">
                {models.length === 0 ? 'any model' : models.join(', ')}
              </p>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function McpServersCard({ configuration }: { configuration: Configuration }): ReactElement {
  const { mcpServers } = configuration
  return (
    <Card title="MCP servers" id="mcp-servers">
      {mcpServers.length === 0 ? (
        <p className="muted">No MCP server is configured. Add one under “mcpServers” in the configuration file.</p>
      ) : (
        <ul className="settings-page__list">
          {mcpServers.map(({ name, transport }) => (
            <li key={name}>
              <strong>{name}</strong>{' '}
              <span className="muted">{transport === 'http' ? 'over HTTP' : 'a process of this server'}</span>
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

function DataCard({ configuration }: { configuration: Configuration }): ReactElement {
  const { keepEvents, keepTurns, answers, context, timeZone, window, currency } = configuration
  return (
    <Card title="Retention and defaults" id="data">
      <DescriptionList>
        <DescriptionItem name="Events">
          {keepEvents === null ? 'all are stored' : `the newest ${formatInteger(keepEvents)} of each user`}
        </DescriptionItem>
        <DescriptionItem name="Turns">{turnRetention(keepTurns)}</DescriptionItem>
        <DescriptionItem name="Answers">
          {answers.enabled ? `cached for ${durationOrForever(answers.ttlMs)}` : 'not cached'}
        </DescriptionItem>
        <DescriptionItem name="Context">
          {context.mode}, up to {formatInteger(context.maxTokens)} tokens, reloaded after{' '}
          {durationOrForever(context.ttlMs)}
        </DescriptionItem>
        <DescriptionItem name="Cap window">{window === 'day' ? 'the user’s day' : window}</DescriptionItem>
        <DescriptionItem name="Time zone">{timeZone}</DescriptionItem>
        <DescriptionItem name="Currency">{currency}</DescriptionItem>
      </DescriptionList>
    </Card>
  )
}

function turnRetention({ maxAgeMs, maxPerUser }: Configuration['keepTurns']): string {
  const age = maxAgeMs === null ? 'for ever' : `for ${formatCoarseDuration(maxAgeMs)}`
  return `stored ${age}${maxPerUser === null ? '' : `, the newest ${formatInteger(maxPerUser)} of each user`}`
}

function durationOrForever(ms: number | null): string {
  return ms === null ? 'ever' : formatCoarseDuration(ms)
}
