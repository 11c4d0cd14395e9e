import './why-dialog.css'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { Link } from 'wouter'
import { capitalize, LIMIT_CHANGES } from '../../api/event-labels.ts'
import { formatLimitAmount, limitPhrase, measureName, windowName } from '../../api/limit-names.ts'
import { bondQuery, limitReachedQuery, limitsQuery } from '../../api/queries.ts'
import type { TurnRecord } from '../../api/wire.ts'
import { auditPath, userPath } from '../../browser/location.ts'
import { BlockSentence } from '../../components/block-sentence.tsx'
import { Button } from '../../components/button.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { DescriptionItem, DescriptionList } from '../../components/description-list.tsx'
import { Dialog } from '../../components/dialog.tsx'
import { AbsoluteTime, RelativeTime, ZonedTime } from '../../components/timestamps.tsx'
import { formatCost, formatInteger } from '../../format-number.ts'
import { formatDuration, formatMilliseconds } from '../../time/format-time.ts'
import { modelOf, neededText, turnSentence, usedThenText } from './turn-sentence.ts'

/** Why a turn went as it did: what was checked, what the model was given, which upstreams were called, and the time. */
export function WhyDialog({ turn, close }: { turn: TurnRecord; close(): void }): ReactElement {
  return (
    <Dialog labelledBy="why-title" className="why" closesOnBackdrop close={close}>
      <div className="dialog__content">
        <h2 id="why-title">{turnSentence(turn)}</h2>
        <p className="dialog__lead">
          <Link href={userPath(turn.user)}>
            <bdi>{turn.user}</bdi>
          </Link>
          , <AbsoluteTime at={turn.at} />
        </p>
        {turn.limit !== null && <LimitExplained turn={turn} limit={turn.limit} />}
        {turn.code === 'user_blocked' && <BlockExplained user={turn.user} />}
        {turn.outcome === 'failed' && <Attempts turn={turn} />}
        <Decision turn={turn} />
        {turn.outcome !== 'refused' && <TimeSpent turn={turn} />}
        {turn.outcome !== 'refused' && <ContextSections turn={turn} />}
        {turn.outcome !== 'failed' && <Attempts turn={turn} />}
        <div className="dialog__actions">
          <Button onClick={close}>Close</Button>
        </div>
      </div>
    </Dialog>
  )
}

/** What the turn needed under the limit that refused it, how the limit is now, and where it can be seen and changed. */
function LimitExplained({ turn, limit: name }: { turn: TurnRecord; limit: string }): ReactElement {
  const { user } = turn
  const limit = useQuery(limitsQuery(user)).data?.data.find((state) => state.name === name)
  const zone = useQuery(bondQuery(user)).data?.timeZone
  const reached = useQuery(limitReachedQuery(turn)).data?.data.find(({ data }) => data.limit === name)
  return (
    <div className="why__limit">
      {limit !== undefined && (
        <>
          <p>
            {capitalize(limitPhrase(name))} allows{' '}
            {limit.max === null ? 'any number of' : <strong>{formatLimitAmount(limit, limit.max)}</strong>}{' '}
            {measureName(limit.measure)} ({windowName(limit)}). {neededText(turn, limit.measure)}
            {reached !== undefined && ` ${usedThenText(reached, limit.measure)}`}
          </p>
          <p>
            Now <strong>{formatLimitAmount(limit, limit.used)}</strong> are used
            {Number(limit.held) > 0 && `, and ${formatLimitAmount(limit, limit.held)} held by turns in progress`}
            {limit.resetAt !== null && (
              <>
                ; it resets <RelativeTime at={limit.resetAt} zone={zone ?? null} />
                {zone !== undefined && (
                  <>
                    , at <ZonedTime at={limit.resetAt} zone={zone} />
                  </>
                )}
              </>
            )}
            .
          </p>
        </>
      )}
      <p className="why__links">
        <Link href={userPath(user)}>Limits of the user</Link>
        <Link href={auditPath({ user, action: LIMIT_CHANGES })}>Who changed them</Link>
      </p>
    </div>
  )
}

/** Who blocked the user, why and until when, if the block is still there. */
function BlockExplained({ user }: { user: string }): ReactElement {
  const bond = useQuery(bondQuery(user)).data
  return (
    <div className="why__limit">
      {bond !== undefined && (
        <p>
          {bond.blocked === null ? (
            'The user is no longer blocked.'
          ) : (
            <BlockSentence block={bond.blocked} timeZone={bond.timeZone} />
          )}
        </p>
      )}
      <p className="why__links">
        <Link href={userPath(user)}>The user</Link>
        <Link href={auditPath({ user, action: 'block,unblock' })}>All blocks of the user</Link>
      </p>
    </div>
  )
}

function Decision({ turn }: { turn: TurnRecord }): ReactElement {
  const { plan, limit, code, weight, requestedModel, estimate, inputTokens, outputTokens, cachedTokens, cost } = turn
  const isRefused = turn.outcome === 'refused'
  return (
    <section>
      <h3>Decision</h3>
      <DescriptionList variant="small">
        <DescriptionItem name="Plan">{plan ?? 'none'}</DescriptionItem>
        <DescriptionItem name="Limit">{limit ?? 'none refused it'}</DescriptionItem>
        {code !== null && (
          <DescriptionItem name="Code">
            <code>{code}</code>
          </DescriptionItem>
        )}
        <DescriptionItem name="Counted">
          {isRefused ? 'not counted; no model was called' : weight === 1 ? '1 turn' : `${weight} turns`}
        </DescriptionItem>
        <DescriptionItem name="Model">
          {modelOf(turn) ?? '–'}
          {requestedModel !== null && <span className="muted"> asked for as {requestedModel}</span>}
        </DescriptionItem>
        {!isRefused && (
          <>
            <DescriptionItem name="Tokens">
              {formatInteger(inputTokens)} in ({formatInteger(cachedTokens)} cached), {formatInteger(outputTokens)} out;
              held before: {formatInteger(estimate.inputTokens)} in, {formatInteger(estimate.outputTokens)} out
            </DescriptionItem>
            <DescriptionItem name="Cost">{cost === null ? 'no price' : formatCost(cost)}</DescriptionItem>
            <DescriptionItem name="Cache">{turn.cache}</DescriptionItem>
          </>
        )}
        {turn.tools.length > 0 && (
          <DescriptionItem name="Tools">
            {turn.tools.map(({ name, calls }) => `${name} × ${calls}`).join(', ')}
          </DescriptionItem>
        )}
        <DescriptionItem name="Endpoint">{turn.endpoint}</DescriptionItem>
        {turn.session !== null && <DescriptionItem name="Session">{turn.session}</DescriptionItem>}
        {turn.requestId !== null && <DescriptionItem name="Request">{turn.requestId}</DescriptionItem>}
      </DescriptionList>
    </section>
  )
}

/** Where the time went: in Purser, in the upstreams, and in the rest, such as a slow reader. */
function TimeSpent({ turn }: { turn: TurnRecord }): ReactElement {
  const { overheadMs, upstreamMs, totalMs, firstChunkMs } = turn
  const parts = [
    { name: 'Purser', ms: overheadMs },
    { name: 'Upstream', ms: upstreamMs },
    { name: 'Other', ms: Math.max(0, totalMs - overheadMs - upstreamMs) },
  ]
  // Shares that add up to less than 1 would not fill the bar.
  const sumMs = parts.reduce((sum, { ms }) => sum + ms, 0) || 1
  return (
    <section>
      <h3>Time</h3>
      <div className="why__time" aria-hidden="true">
        {parts.map(({ name, ms }) => (
          <span key={name} data-part={name} style={{ '--share': String(ms / sumMs) } as Record<string, string>} />
        ))}
      </div>
      <p className="small why__parts">
        {parts.map(({ name, ms }) => (
          <span key={name} data-part={name}>
            {name} <span className="tabular-nums">{formatMilliseconds(ms)}</span>
          </span>
        ))}
        <span>
          Total <span className="tabular-nums">{formatMilliseconds(totalMs)}</span>
        </span>
        {firstChunkMs !== null && (
          <span>
            First chunk after <span className="tabular-nums">{formatMilliseconds(firstChunkMs)}</span>
          </span>
        )}
      </p>
    </section>
  )
}

function ContextSections({ turn }: { turn: TurnRecord }): ReactElement {
  return (
    <section>
      <h3>Context</h3>
      {turn.context.length === 0 ? (
        <p className="muted small">Nothing about the user was in the prompt.</p>
      ) : (
        <DataTable
          label="Context"
          compact
          columns={[
            { name: 'Section' },
            { name: 'Status' },
            { name: 'Age', isNumeric: true },
            { name: 'Tokens', isNumeric: true },
            { name: 'Cut', isNumeric: true },
          ]}
        >
          {turn.context.map(({ section, status, ageMs, tokens, cut }) => (
            <tr key={section}>
              <th scope="row">{section}</th>
              <td>{status}</td>
              <td className="data-table__number">{ageMs === null ? '–' : formatDuration(ageMs)}</td>
              <td className="data-table__number">{formatInteger(tokens)}</td>
              <td className="data-table__number">{cut === 0 ? '–' : formatInteger(cut)}</td>
            </tr>
          ))}
        </DataTable>
      )}
    </section>
  )
}

function Attempts({ turn }: { turn: TurnRecord }): ReactElement | null {
  if (turn.attempts.length === 0) return null
  return (
    <section>
      <h3>Upstream calls</h3>
      <DataTable
        label="Upstream calls"
        compact
        columns={[{ name: 'Model' }, { name: 'Status' }, { name: 'Code' }, { name: 'Took', isNumeric: true }]}
      >
        {turn.attempts.map((attempt, index) => (
          <tr key={`${index} ${attempt.provider}`}>
            <th scope="row">
              {attempt.provider}/{attempt.model}
            </th>
            <td>{attempt.status ?? '–'}</td>
            <td>{attempt.code ?? '–'}</td>
            <td className="data-table__number">{formatMilliseconds(attempt.ms)}</td>
          </tr>
        ))}
      </DataTable>
    </section>
  )
}
