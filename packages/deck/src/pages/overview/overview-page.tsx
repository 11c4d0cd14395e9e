import './overview-page.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { overviewQuery } from '../../api/queries.ts'
import { buildVocabulary } from '../../api/vocabulary.ts'
import { ErrorMessage } from '../../components/error-message.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { FirstUser } from '../users/first-user.tsx'
import { UsersOverview } from '../users/users-overview.tsx'
import { AttentionCard } from './attention-card.tsx'
import { HealthCards } from './health-cards.tsx'
import { LiveTail } from './live-tail.tsx'
import { PeopleCharts } from './people-charts.tsx'
import { RefusalsCard } from './refusals-card.tsx'
import { UsageCharts } from './usage-charts.tsx'

/** Who needs attention, and how all users are. */
export function OverviewPage(): ReactElement {
  const overview = useQuery(overviewQuery)
  const vocabulary = buildVocabulary(overview.data)
  usePageTitle('Overview')
  if (overview.isError && overview.data === undefined) {
    return (
      <Page>
        <PageHeader title="Overview" />
        <ErrorMessage error={overview.error} retry={() => void overview.refetch()} />
      </Page>
    )
  }
  if (overview.data?.users === 0) return <FirstUser />
  return (
    <Page>
      <PageHeader title="Overview" />
      <div className="overview">
        <AttentionCard vocabulary={vocabulary} />
        <RefusalsCard />
        <div className="overview__main">
          <QueryResult query={overview} name="the overview" lines={3} shape="card">
            {(data) => <UsersOverview overview={data} vocabulary={vocabulary} />}
          </QueryResult>
          <PeopleCharts vocabulary={vocabulary} />
          <UsageCharts />
          <HealthCards />
        </div>
        <LiveTail vocabulary={vocabulary} />
      </div>
    </Page>
  )
}
