import './turn-table.css'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import type { TurnRecord } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { useIsNarrow } from '../../browser/use-is-narrow.ts'
import { Badge, type BadgeTone } from '../../components/badge.tsx'
import { LoadOlder, PagedTable, type Pages } from '../../components/paged-table.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatCost, formatInteger, pluralize } from '../../format-number.ts'
import { formatMilliseconds } from '../../time/format-time.ts'
import { TurnList, WhyButton } from './turn-list.tsx'
import { modelOf, turnReason } from './turn-sentence.ts'
import { WhyDialog } from './why-dialog.tsx'

export const TURN_EXPORT_COLUMNS = [
  'id',
  'at',
  'user',
  'endpoint',
  'outcome',
  'code',
  'limit',
  'provider',
  'model',
  'cache',
  'inputTokens',
  'outputTokens',
  'cost',
  'overheadMs',
  'firstChunkMs',
  'upstreamMs',
  'totalMs',
  'requestId',
].map((name) => ({
  name,
  valueOf: (turn: TurnRecord) => turn[name as 'id'] as string | number | null,
}))

const TONES: Readonly<Record<TurnRecord['outcome'], BadgeTone>> = {
  completed: 'neutral',
  refused: 'warning',
  failed: 'warning',
  cancelled: 'neutral',
}

/** Turns with what they used and how long they took; each can be asked why. A list of cards on a narrow page. */
export function TurnTable(props: { turns: readonly TurnRecord[]; log: Pages; hasUser?: boolean }): ReactElement {
  const { turns, log, hasUser = true } = props
  const [asked, setAsked] = useState<TurnRecord | null>(null)
  const isNarrow = useIsNarrow()
  const columns = [
    { name: 'When' },
    ...(hasUser ? [{ name: 'User' }] : []),
    { name: 'Outcome' },
    { name: 'Model' },
    ...(hasUser ? [{ name: 'Cache' }] : []),
    { name: 'Tokens in', isNumeric: true },
    { name: 'Tokens out', isNumeric: true },
    { name: 'Cost', isNumeric: true },
    ...(hasUser ? [{ name: 'Overhead', isNumeric: true }] : []),
    { name: 'Total', isNumeric: true },
    { name: '' },
  ]
  return (
    <div className={hasUser ? 'turn-table turn-table--all' : 'turn-table'}>
      {isNarrow ? (
        <div className="paged-table">
          <TurnList label="Turns" turns={turns} hasUser={hasUser} ask={setAsked}>
            {(turn) => <TurnText turn={turn} />}
          </TurnList>
          <LoadOlder label="Turns" log={log} />
        </div>
      ) : (
        <PagedTable label="Turns" columns={columns} log={log} compact>
          {turns.map((turn) => (
            <TurnRow key={turn.id} turn={turn} hasUser={hasUser} ask={() => setAsked(turn)} />
          ))}
        </PagedTable>
      )}
      {asked !== null && <WhyDialog turn={asked} close={() => setAsked(null)} />}
    </div>
  )
}

/** The outcome with its reason; of a turn that was answered, what it took. */
function TurnText({ turn }: { turn: TurnRecord }): ReactElement {
  const { inputTokens, outputTokens, totalMs } = turn
  const reason = turnReason(turn)
  return (
    <>
      <Badge tone={TONES[turn.outcome]} text={turn.outcome} />{' '}
      <span className="muted small">
        {reason ??
          `${modelOf(turn) ?? ''}, ${pluralize(inputTokens + outputTokens, 'token')}, ${formatMilliseconds(totalMs)}`}
      </span>
    </>
  )
}

/** The page of a user is too narrow for the cache and the overhead, which “Why?” has. */
function TurnRow({ turn, hasUser, ask }: { turn: TurnRecord; hasUser: boolean; ask(): void }): ReactElement {
  const { at, user, outcome, cache, inputTokens, outputTokens, cost, overheadMs, totalMs } = turn
  const reason = turnReason(turn)
  return (
    <tr>
      <td className="turn-table__when">
        <RelativeTime at={at} />
      </td>
      {hasUser && (
        <th scope="row">
          <Link href={userPath(user)} className="turn-table__user" title={user}>
            <bdi>{user}</bdi>
          </Link>
        </th>
      )}
      <td className="turn-table__outcome">
        <Badge tone={TONES[outcome]} text={outcome} />
        {reason !== null && <span className="muted small"> {reason}</span>}
      </td>
      <td>{modelOf(turn) ?? <span className="muted">–</span>}</td>
      {hasUser && <td className="muted">{cache}</td>}
      <td className="data-table__number">{formatInteger(inputTokens)}</td>
      <td className="data-table__number">{formatInteger(outputTokens)}</td>
      <td className="data-table__number">{cost === null ? <span className="muted">–</span> : formatCost(cost)}</td>
      {hasUser && <td className="data-table__number">{formatMilliseconds(overheadMs)}</td>}
      <td className="data-table__number">{formatMilliseconds(totalMs)}</td>
      <td className="data-table__number">
        <WhyButton turn={turn} ask={ask} />
      </td>
    </tr>
  )
}
