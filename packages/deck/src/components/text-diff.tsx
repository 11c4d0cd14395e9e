import './text-diff.css'
import type { ReactElement } from 'react'
import { diffLines } from './line-diff.ts'
import { ScrollArea } from './scroll-area.tsx'

const SIGNS = { same: ' ', added: '+', removed: '−' } as const
const NAMES = { same: '', added: 'added: ', removed: 'removed: ' } as const

/** Two texts line by line; what changed has a sign and a tint. */
export function TextDiff({ before, after, label }: { before: string; after: string; label: string }): ReactElement {
  return (
    <ScrollArea label={label}>
      <ol className="text-diff">
        {diffLines(before, after).map(({ kind, text }, index) => (
          <li key={index} className="text-diff__line" data-kind={kind}>
            <span aria-hidden="true">{SIGNS[kind]} </span>
            <span className="sr-only">{NAMES[kind]}</span>
            {text}
          </li>
        ))}
      </ol>
    </ScrollArea>
  )
}
