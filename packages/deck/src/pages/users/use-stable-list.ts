import { useEffect, useRef, useState } from 'react'
import type { Bond } from '../../api/wire.ts'
import { after, now } from '../../browser/effects.ts'
import { announce } from '../../components/announce.tsx'
import { plural } from '../../time/instants.ts'
import { arrange, arrivals } from './stable-order.ts'

/** Rows change places at most this often; figures change at once, and who is new is shown at once. */
const CALM_MS = 3_000

const keyOf = (bond: Bond): string => bond.user

export interface CalmList {
  readonly rows: readonly Bond[]
  /** Users who came while somebody was reading, and wait to be shown. */
  readonly waiting: number
  /** Shows them, on top. */
  release(): void
}

/**
 * The rows of a live list, calm enough to read: they stay in place while somebody is among them, and otherwise change
 * places no more often than an eye can follow. Says who has come. `question` tells when the list became another one.
 */
export function useCalmList(
  fresh: readonly Bond[] | undefined,
  question: string,
  table: { readonly current: HTMLElement | null },
): CalmList {
  const shown = useRef<{ question: string; rows: readonly Bond[]; at: number }>({ question, rows: [], at: 0 })
  const previous = useRef<{ question: string; rows: readonly Bond[] | undefined }>({ question, rows: undefined })
  const [, again] = useState(0)
  const known = shown.current.question === question ? shown.current.rows : []
  const held = arrange(known, fresh ?? [], { hold: true, keyOf })
  const reading = known.length > 0 && isRead(table.current)
  const resting = held.waiting === 0 && known.length > 0 && now() - shown.current.at < CALM_MS
  const list = reading || resting ? held : arrange(known, fresh ?? [], { hold: false, keyOf })
  const moved = list.rows.length !== known.length || list.rows.some((bond, index) => bond.user !== known[index]?.user)
  shown.current = { question, rows: list.rows, at: moved ? now() : shown.current.at }

  useEffect(() => {
    const come = arrivals(
      previous.current.question === question ? previous.current.rows : undefined,
      fresh ?? [],
      keyOf,
    )
    const [only] = come
    if (come.length === 1 && only !== undefined) announce(`${only.user} is on the list now.`)
    else if (come.length > 1) announce(`${plural(come.length, 'user')} came to the list.`)
    previous.current = { question, rows: fresh }
  }, [fresh, question])
  // The order that was held back is taken up when the rest is over.
  useEffect(() => (resting ? after(CALM_MS, () => again((count) => count + 1)) : undefined), [resting, fresh])

  return {
    ...list,
    release() {
      shown.current = { question, rows: [], at: 0 }
      window.scrollTo({ top: 0 })
      again((count) => count + 1)
    },
  }
}

/** Whether somebody is among the rows, with the keyboard or by having scrolled into them. */
function isRead(table: HTMLElement | null): boolean {
  return table !== null && (table.contains(document.activeElement) || table.getBoundingClientRect().top < 0)
}
