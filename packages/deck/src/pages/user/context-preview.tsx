import './context-preview.css'
import { useQuery } from '@tanstack/react-query'
import type { Context, ContextSection, Mode } from 'purser'
import { type ReactElement, useState } from 'react'
import { contextQuery } from '../../api/queries.ts'
import { Badge, type BadgeTone } from '../../components/badge.tsx'
import { Button } from '../../components/button.tsx'
import { CodeBlock } from '../../components/code-block.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { SegmentedControl } from '../../components/segmented-control.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { pluralize } from '../../format-number.ts'
import { PanelToolbar } from './panel-toolbar.tsx'

type Status = Context['status'] | ContextSection['status']

const MODES = [
  ['plain', 'Plain'],
  ['reuse', 'Ongoing conversation'],
  ['create', 'New conversation'],
] as const

const DESCRIPTIONS: Readonly<Record<Context['status'], string>> = {
  fresh: 'All sections are up to date.',
  stale: 'At least one section is out of date.',
  partial: 'At least one section is unavailable.',
  default: 'No section could be loaded, and the text states that.',
}

const TONES: Readonly<Record<Status, BadgeTone>> = {
  fresh: 'accent',
  stale: 'warning',
  partial: 'warning',
  default: 'neutral',
  empty: 'neutral',
  unavailable: 'danger',
}

/** The context that the model would get with the next message of this user, word for word. */
export function ContextPreview({ user }: { user: string }): ReactElement {
  const [mode, setMode] = useState<Mode>('plain')
  const context = useQuery(contextQuery(user, mode))
  return (
    <>
      <PanelToolbar>
        <SegmentedControl
          legend="Mode"
          variant="small"
          options={MODES}
          value={mode}
          onChange={(next) => setMode(next)}
        />
        <Button size="small" onClick={() => void context.refetch()} disabled={context.isFetching}>
          Resolve again
        </Button>
      </PanelToolbar>
      <QueryResult query={context} name="the context" lines={6}>
        {({ status, sections, text }) => (
          <>
            <p className="small">
              <StatusBadge status={status} /> {DESCRIPTIONS[status]}
            </p>
            <ul className="context-sections">
              {sections.map((section) => (
                <Section key={section.name} section={section} />
              ))}
            </ul>
            <CodeBlock text={text} label="Context text" copyLabel="Copy the text" />
          </>
        )}
      </QueryResult>
    </>
  )
}

function Section({ section }: { section: ContextSection }): ReactElement {
  const { name, status, loadedAt, cut } = section
  return (
    <li>
      <strong>{name}</strong> <StatusBadge status={status} />{' '}
      <span className="muted small">
        {loadedAt !== null && (
          <>
            loaded <RelativeTime at={loadedAt} />
          </>
        )}
        {cut > 0 && `, ${pluralize(cut, 'item')} omitted`}
      </span>
    </li>
  )
}

function StatusBadge({ status }: { status: Status }): ReactElement {
  return <Badge tone={TONES[status]} text={status} />
}
