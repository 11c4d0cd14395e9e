import type { ReactElement } from 'react'
import { useNow, useZone } from '../time/clock.ts'
import {
  formatCoarseDuration,
  formatDuration,
  formatInstant,
  formatNearInstant,
  formatRelative,
} from '../time/format-time.ts'

/** An instant relative to now; the exact time is its title. */
export function RelativeTime({ at, zone }: { at: string | null | undefined; zone?: string | null }): ReactElement {
  const now = useNow()
  const shownZone = useZone(zone)
  if (!at) return <span className="muted">never</span>
  return (
    <time dateTime={at} title={formatInstant(at, shownZone)}>
      {formatRelative(at, now)}
    </time>
  )
}

/** The exact date and time of an instant. */
export function AbsoluteTime({ at, zone }: { at: string; zone?: string | null }): ReactElement {
  return <time dateTime={at}>{formatInstant(at, useZone(zone))}</time>
}

/** The time that has passed since an instant, in one unit where it is `coarse`; the instant is its title. */
export function ElapsedTime(props: { since: string; zone?: string | null; coarse?: boolean }): ReactElement {
  const { since, zone } = props
  const format = props.coarse === true ? formatCoarseDuration : formatDuration
  const now = useNow()
  const shownZone = useZone(zone)
  return (
    <time dateTime={since} title={`since ${formatInstant(since, shownZone)}`}>
      {format(Math.max(0, now - Date.parse(since)))}
    </time>
  )
}

/** The time of day in a zone, with its date unless it is soon; for what happens in the zone of a user. */
export function ZonedTime({ at, zone }: { at: string; zone: string }): ReactElement {
  const now = useNow()
  return <time dateTime={at}>{formatNearInstant(at, { name: zone, label: zone }, now)}</time>
}
