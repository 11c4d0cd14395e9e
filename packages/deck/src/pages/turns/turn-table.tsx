import './turn-table.css'
import { type ReactElement, useState } from 'react'
import { Link } from 'wouter'
import type { TurnRecord } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { Badge, type BadgeTone } from '../../components/badge.tsx'
import { Button } from '../../components/button.tsx'
import { PagedTable, type Pages } from '../../components/paged-table.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatAmount, formatInteger } from '../../format-number.ts'
import { formatMilliseconds } from '../../time/format-time.ts'
import { modelOf } from './turn-sentence.ts'
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

/** Turns with what they used and how long they took; each can be asked why. */
export function TurnTable(props: { turns: readonly TurnRecord[]; log: Pages; hasUser?: boolean }): ReactElement {
  const { turns, log, hasUser = true } = props
  const [asked, setAsked] = useState<TurnRecord | null>(null)
  const columns = [
    { name: 'When' },
    ...(hasUser ? [{ name: 'User' }] : []),
    { name: 'Outcome' },
    { name: 'Model' },
    { name: 'Cache' },
    { name: 'Tokens in', isNumeric: true },
    { name: 'Tokens out', isNumeric: true },
    { name: 'Cost', isNumeric: true },
    { name: 'Overhead', isNumeric: true },
    { name: 'Total', isNumeric: true },
    { name: '' },
  ]
  return (
    <div className="turn-table">
      <PagedTable label="Turns" columns={columns} log={log} compact>
        {turns.map((turn) => (
          <TurnRow key={turn.id} turn={turn} hasUser={hasUser} ask={() => setAsked(turn)} />
        ))}
      </PagedTable>
      {asked !== null && <WhyDialog turn={asked} close={() => setAsked(null)} />}
    </div>
  )
}

function TurnRow({ turn, hasUser, ask }: { turn: TurnRecord; hasUser: boolean; ask(): void }): ReactElement {
  const { at, user, outcome, code, limit, cache, inputTokens, outputTokens, cost, overheadMs, totalMs } = turn
  const reason = limit ?? code
  return (
    <tr>
      <td className="turn-table__when">
        <RelativeTime at={at} />
      </td>
      {hasUser && (
        <th scope="row">
          <Link href={userPath(user)} className="turn-table__user">
            <bdi>{user}</bdi>
          </Link>
        </th>
      )}
      <td className="turn-table__outcome">
        <Badge tone={TONES[outcome]} text={outcome} />
        {reason !== null && <span className="muted small"> {reason}</span>}
      </td>
      <td>{modelOf(turn) ?? <span className="muted">–</span>}</td>
      <td className="muted">{cache}</td>
      <td className="data-table__number">{formatInteger(inputTokens)}</td>
      <td className="data-table__number">{formatInteger(outputTokens)}</td>
      <td className="data-table__number">{cost === null ? <span className="muted">–</span> : formatAmount(cost)}</td>
      <td className="data-table__number">{formatMilliseconds(overheadMs)}</td>
      <td className="data-table__number">{formatMilliseconds(totalMs)}</td>
      <td className="data-table__number">
        <Button size="small" onClick={ask} aria-label={`Why? The turn of ${user} at ${at}`}>
          Why?
        </Button>
      </td>
    </tr>
  )
}
