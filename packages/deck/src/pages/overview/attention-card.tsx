import './attention-card.css'
import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import { ATTENTION_ROWS, attentionQuery } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Attention } from '../../api/wire.ts'
import { userPath, usersPath } from '../../browser/location.ts'
import { useIsNarrow } from '../../browser/use-is-narrow.ts'
import { Button } from '../../components/button.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { PhaseTag, RiskTag } from '../../components/tags.tsx'
import { formatInteger } from '../../format-number.ts'
import { useNow } from '../../time/clock.ts'
import { attentionSentence, reasonParams, ruleSentence } from './attention-sentence.ts'

type Row = Attention['rows'][number]

/** The users who need attention, the most urgent one first, each with one sentence of reason. */
export function AttentionCard({ vocabulary }: { vocabulary: Vocabulary }): ReactElement {
  const [limit, setLimit] = useState<number>(ATTENTION_ROWS.first)
  const attention = useQuery(attentionQuery(limit))
  const isNarrow = useIsNarrow()
  const total = attention.data?.total
  return (
    <section className="card overview__attention" aria-labelledby="attention">
      <div className="card__header">
        <h2 id="attention">Needs attention{total !== undefined && ` (${formatInteger(total)})`}</h2>
        <details className="attention__rules">
          <summary>Rules</summary>
          <ul className="muted small">
            {attention.data?.rules.map((rule) => (
              <li key={rule.rule}>{ruleSentence(rule)}</li>
            ))}
            <li>Change them in the configuration file: server.attention…</li>
          </ul>
        </details>
      </div>
      <QueryResult query={attention} name="who needs attention" lines={isNarrow ? 30 : 15}>
        {({ rows, total: all, complete }) =>
          rows.length === 0 ? (
            <p className="muted">No user needs attention now.</p>
          ) : (
            <>
              <ol className="attention">
                {rows.map((row) => (
                  <AttentionItem key={row.user} row={row} vocabulary={vocabulary} />
                ))}
              </ol>
              <p className="muted small attention__more">
                {all > rows.length && limit < ATTENTION_ROWS.most && (
                  <Button size="small" onClick={() => setLimit(ATTENTION_ROWS.most)}>
                    Show {formatInteger(Math.min(all, ATTENTION_ROWS.most) - rows.length)} more
                  </Button>
                )}{' '}
                {all > rows.length &&
                  limit >= ATTENTION_ROWS.most &&
                  `${formatInteger(all - rows.length)} more, less urgent. `}
                {!complete && 'Only the newest events were looked at. '}
                <Link href={usersPath({ orderBy: 'capUsed', order: 'desc' })}>All users</Link>
              </p>
            </>
          )
        }
      </QueryResult>
    </section>
  )
}

function AttentionItem({ row, vocabulary }: { row: Row; vocabulary: Vocabulary }): ReactElement {
  const now = useNow()
  const others = row.others.map((reason) => attentionSentence({ ...reason, riskLevel: row.riskLevel }, now)).join('. ')
  return (
    <li className="attention__item" data-rule={row.rule}>
      <RiskTag level={row.riskLevel} vocabulary={vocabulary} />
      <Link href={userPath(row.user)} className="attention__user" title={row.user}>
        <bdi>{row.user}</bdi>
      </Link>
      <span className="attention__reasons">
        <Link href={userPath(row.user, reasonParams(row))} className="attention__reason">
          {attentionSentence(row, now)}
        </Link>
        {row.others.length > 0 && (
          <span className="attention__others muted small" title={others}>
            +{row.others.length} more<span className="sr-only">: {others}</span>
          </span>
        )}
      </span>
      <span className="attention__phase">
        <PhaseTag phase={row.phase} vocabulary={vocabulary} />
      </span>
    </li>
  )
}
