import './event-marker.css'
import type { ReactElement } from 'react'
import type { EventKind } from '../../api/event-labels.ts'

/** The shape of an event's kind. */
export function EventMarker({ kind }: { kind: EventKind }): ReactElement {
  return <span className="event-marker" data-kind={kind} aria-hidden="true" />
}
