import './connection-status.css'
import { type ReactElement, useEffect, useRef } from 'react'
import { useLiveConnection } from '../api/live-connection.tsx'
import { Button } from '../components/button.tsx'
import { announce } from '../components/live-region.tsx'
import { useNow } from '../time/clock.ts'
import { formatDuration } from '../time/format-time.ts'

const LABELS = { live: 'Live', stale: 'Disconnected', connecting: 'Connecting' } as const

/** The state of the live connection in one word. */
export function ConnectionStatus(): ReactElement {
  const { state, staleSince } = useLiveConnection()
  const shown = staleSince !== null ? 'stale' : state === 'open' ? 'live' : 'connecting'
  return (
    <span className="connection-status" data-state={shown}>
      <span className="connection-status__dot" aria-hidden="true" />
      {LABELS[shown]}
    </span>
  )
}

/** Warns that the shown data may be out of date while the connection is lost, and offers to reconnect at once. */
export function StaleBanner(): ReactElement | null {
  const { staleSince, reconnect } = useLiveConnection()
  const now = useNow()
  const isStale = staleSince !== null
  const wasStale = useRef(false)
  useEffect(() => {
    if (wasStale.current && !isStale) announce('Reconnected.')
    wasStale.current = isStale
  }, [isStale])
  if (!isStale) return null
  return (
    <div className="stale-banner" role="status">
      <p>
        <strong>Live connection lost.</strong> The data shown may be {formatAge(now - staleSince)} old. Reconnecting
        automatically.
      </p>
      <Button onClick={reconnect}>Reconnect now</Button>
    </div>
  )
}

function formatAge(ms: number): string {
  return ms < 10_000 ? 'a few seconds' : formatDuration(ms)
}
