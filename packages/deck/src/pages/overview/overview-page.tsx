import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { overviewQuery } from '../../api/queries.ts'
import { buildVocabulary } from '../../api/vocabulary.ts'
import { QueryResult } from '../../components/query-result.tsx'
import { Page, PageHeader, usePageTitle } from '../../layout/page.tsx'
import { FirstUser } from '../users/first-user.tsx'
import { UsersOverview } from '../users/users-overview.tsx'

/** Who needs attention, and how all users are. */
export function OverviewPage(): ReactElement {
  const overview = useQuery(overviewQuery)
  usePageTitle('Overview')
  if (overview.data?.users === 0) return <FirstUser />
  return (
    <Page>
      <PageHeader title="Overview" />
      <QueryResult query={overview} name="the overview">
        {(data) => <UsersOverview overview={data} vocabulary={buildVocabulary(data)} />}
      </QueryResult>
    </Page>
  )
}
