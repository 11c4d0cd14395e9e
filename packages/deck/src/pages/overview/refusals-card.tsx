import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import { capitalize } from '../../api/event-labels.ts'
import { latestRefusalsQuery } from '../../api/queries.ts'
import type { TurnRecord } from '../../api/wire.ts'
import { turnsPath } from '../../browser/location.ts'
import { Card } from '../../components/card.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { TurnList } from '../turns/turn-list.tsx'
import { turnReason } from '../turns/turn-sentence.ts'
import { WhyDialog } from '../turns/why-dialog.tsx'

/** The requests that were refused last, each with its reason. */
export function RefusalsCard(): ReactElement {
  const refusals = useQuery(latestRefusalsQuery)
  const [asked, setAsked] = useState<TurnRecord | null>(null)
  return (
    <Card
      title="Refused requests"
      id="refusals"
      aside={<Link href={turnsPath({ outcome: 'refused' })}>All refused</Link>}
    >
      <QueryResult query={refusals} name="refused requests" lines={17}>
        {({ data }) =>
          data.length === 0 ? (
            <p className="muted">No request was refused.</p>
          ) : (
            <TurnList label="Refused requests" turns={data} ask={setAsked}>
              {(turn) => capitalize(turnReason(turn) ?? '')}
            </TurnList>
          )
        }
      </QueryResult>
      {asked !== null && <WhyDialog turn={asked} close={() => setAsked(null)} />}
    </Card>
  )
}
