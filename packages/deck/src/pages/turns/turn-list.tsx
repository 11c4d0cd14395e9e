import './turn-list.css'
import type { ReactElement, ReactNode } from 'react'
import { Link } from 'wouter'
import type { TurnRecord } from '../../api/wire.ts'
import { userPath } from '../../browser/location.ts'
import { Button } from '../../components/button.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'

/** Turns as a narrow list: whose and when, one line of text, and “Why?”. */
export function TurnList(props: {
  label: string
  turns: readonly TurnRecord[]
  hasUser?: boolean
  ask(turn: TurnRecord): void
  /** What is said of a turn. */
  children(turn: TurnRecord): ReactNode
}): ReactElement {
  const { turns, hasUser = true, ask } = props
  return (
    <ol className="turn-list" aria-label={props.label}>
      {turns.map((turn) => (
        <li key={turn.id} className="turn-list__item">
          <span className="turn-list__head">
            {hasUser && (
              <Link href={userPath(turn.user)} className="turn-list__user">
                <bdi>{turn.user}</bdi>
              </Link>
            )}
            <span className="turn-list__when muted small">
              <RelativeTime at={turn.at} />
            </span>
          </span>
          <span className="turn-list__text">{props.children(turn)}</span>
          <WhyButton turn={turn} ask={() => ask(turn)} />
        </li>
      ))}
    </ol>
  )
}

/** Opens the explanation of a turn. */
export function WhyButton({ turn, ask }: { turn: TurnRecord; ask(): void }): ReactElement {
  return (
    <Button size="small" onClick={ask} aria-label={`Why? The turn of ${turn.user} at ${turn.at}`}>
      Why?
    </Button>
  )
}
