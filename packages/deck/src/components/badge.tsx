import './badge.css'
import type { ReactElement } from 'react'

export type BadgeTone = 'neutral' | 'accent' | 'warning'

/** A short status word in a pill. */
export function Badge({ tone, text }: { tone: BadgeTone; text: string }): ReactElement {
  return <span className={`badge badge--${tone}`}>{text}</span>
}
