import type { ReactElement } from 'react'
import { useZone } from '../browser/preferences.ts'
import { useNow } from '../time/clock.ts'
import { duration, fullInstant, relative } from '../time/instants.ts'

/** An instant, told relative to now; the exact one is its title. */
export function Instant({ at, zone }: { at: string | null | undefined; zone?: string | null }): ReactElement {
  const now = useNow()
  const told = useZone(zone)
  if (!at) return <span className="quiet">never</span>
  return (
    <time dateTime={at} title={fullInstant(at, told)}>
      {relative(at, now)}
    </time>
  )
}

/** An instant, told exactly. */
export function ExactInstant({ at, zone }: { at: string; zone?: string | null }): ReactElement {
  return <time dateTime={at}>{fullInstant(at, useZone(zone))}</time>
}

/** How long it has been since an instant; the instant itself is its title. */
export function Span({ since, zone }: { since: string; zone?: string | null }): ReactElement {
  const now = useNow()
  const told = useZone(zone)
  return (
    <time dateTime={since} title={`since ${fullInstant(since, told)}`}>
      {duration(Math.max(0, now - Date.parse(since)))}
    </time>
  )
}
