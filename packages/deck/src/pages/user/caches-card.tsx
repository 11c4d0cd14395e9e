import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { storedAnswersQuery, turnSummaryQuery } from '../../api/queries.ts'
import type { Bond, StoredAnswers, TurnSummary } from '../../api/wire.ts'
import { Button } from '../../components/button.tsx'
import { Card } from '../../components/card.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatBytes, formatCompact, formatPercent, pluralize } from '../../format-number.ts'
import { useCan } from '../../layout/session.ts'
import { useForgetAnswers } from './use-user-mutations.ts'

/** What saves calls and tokens: the provider's prompt cache, and the answers that are stored. */
export function CachesCard({ bond }: { bond: Bond }): ReactElement {
  const summary = useQuery(turnSummaryQuery(bond.user))
  const answers = useQuery(storedAnswersQuery(bond.user))
  const forget = useForgetAnswers(bond)
  const isAdmin = useCan('admin')
  const hasAnswers = (answers.data?.answers ?? 0) > 0
  return (
    <Card
      title="Caches"
      id="caches"
      aside={
        isAdmin && hasAnswers ? (
          <Button
            size="small"
            onClick={() => forget.mutate()}
            disabled={forget.isPending}
            aria-label="Forget the stored answers"
          >
            Forget
          </Button>
        ) : undefined
      }
    >
      <DescriptionList>
        <DescriptionItem name="Equal prefix">
          <QueryResult query={summary} name="turns" shape="words">
            {prefixText}
          </QueryResult>
        </DescriptionItem>
        <DescriptionItem name="Cached tokens">
          <QueryResult query={summary} name="tokens" shape="words">
            {cachedText}
          </QueryResult>
        </DescriptionItem>
        <DescriptionItem name="Answers">
          <QueryResult query={answers} name="answers" shape="words">
            {(data) => <AnswersText stored={data} timeZone={bond.timeZone} />}
          </QueryResult>
        </DescriptionItem>
      </DescriptionList>
    </Card>
  )
}

/** Of the turns with one before them in their session. */
function prefixText({ prefixes: { same, changed } }: TurnSummary): string {
  const compared = same + changed
  return compared === 0 ? 'no second turn yet' : `${formatPercent(same / compared)} of ${pluralize(compared, 'turn')}`
}

function cachedText({ inputTokens, cachedTokens }: TurnSummary): string {
  return inputTokens === 0 ? 'none' : `${formatPercent(cachedTokens / inputTokens)} of ${formatCompact(inputTokens)}`
}

function AnswersText({ stored, timeZone }: { stored: StoredAnswers; timeZone: string }): ReactElement {
  const { answers, bytes, newestAt } = stored
  if (answers === 0) return <>none stored</>
  return (
    <>
      {pluralize(answers, 'answer')}, {formatBytes(bytes)}, last <RelativeTime at={newestAt} zone={timeZone} />
    </>
  )
}
