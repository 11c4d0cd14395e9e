import './context-preview.css'
import { useQuery } from '@tanstack/react-query'
import { type ReactElement, useState } from 'react'
import { contextQuery } from '../../api/queries.ts'
import type { Bond, Context } from '../../api/wire.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { Badge, type BadgeTone } from '../../components/badge.tsx'
import { Button } from '../../components/button.tsx'
import { Callout } from '../../components/callout.tsx'
import { CodeBlock } from '../../components/code-block.tsx'
import { DataTable } from '../../components/data-table.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { ScrollArea } from '../../components/scroll-area.tsx'
import { SegmentedControl } from '../../components/segmented-control.tsx'
import { Select } from '../../components/select.tsx'
import { TextDiff } from '../../components/text-diff.tsx'
import { RelativeTime } from '../../components/timestamps.tsx'
import { formatInteger } from '../../format-number.ts'
import { useCan } from '../../layout/session.ts'
import { formatDuration } from '../../time/format-time.ts'
import { PanelToolbar } from './panel-toolbar.tsx'
import { useInvalidateContext } from './use-user-mutations.ts'

type Section = Context['sections'][number]
type Status = Context['status'] | Section['status']

const MODES = [
  ['plain', 'Plain'],
  ['reuse', 'Ongoing'],
  ['create', 'New'],
] as const

/** '' is the configured budget. */
const TOKEN_BUDGETS = [
  ['', 'configured budget'],
  ['200', '200 tokens'],
  ['1000', '1,000 tokens'],
  ['4000', '4,000 tokens'],
  ['16000', '16,000 tokens'],
] as const

const DESCRIPTIONS: Readonly<Record<Context['status'], string>> = {
  fresh: 'All sections are up to date.',
  stale: 'At least one section is out of date.',
  partial: 'At least one section is unavailable.',
  default: 'No section could be loaded.',
}

const TONES: Readonly<Record<Status, BadgeTone>> = {
  fresh: 'accent',
  stale: 'warning',
  partial: 'warning',
  default: 'neutral',
  empty: 'neutral',
  unavailable: 'warning',
}

/** The context that the model would get with the next message of this user, word for word, with its receipt. */
export function ContextPreview({ bond }: { bond: Bond }): ReactElement {
  const [modeParam, setMode] = useSearchParam('mode')
  const mode = MODES.find(([name]) => name === modeParam)?.[0] ?? 'plain'
  const [maxTokens, setMaxTokens] = useState<string>('')
  const context = useQuery(contextQuery(bond.user, { mode, maxTokens }))
  const invalidate = useInvalidateContext(bond)
  const isAdmin = useCan('admin')
  return (
    <>
      <PanelToolbar>
        <div className="context-preview__options">
          <SegmentedControl
            legend="Mode"
            variant="small"
            options={MODES}
            value={mode}
            onChange={(next) => setMode(next === 'plain' ? '' : next)}
          />
          <Select aria-label="Token budget" value={maxTokens} options={TOKEN_BUDGETS} onChange={setMaxTokens} />
        </div>
        <div className="context-preview__options">
          <Button size="small" onClick={() => void context.refetch()} disabled={context.isFetching}>
            Resolve again
          </Button>
          {isAdmin && (
            <Button size="small" onClick={() => invalidate.mutate()} disabled={invalidate.isPending}>
              Invalidate
            </Button>
          )}
        </div>
      </PanelToolbar>
      <QueryResult query={context} name="the context" lines={6}>
        {(data) => <Receipt context={data} timeZone={bond.timeZone} />}
      </QueryResult>
    </>
  )
}

function Receipt({ context, timeZone }: { context: Context; timeZone: string }): ReactElement {
  const { status, sections, text, tokens, prefixHash, enabled } = context
  return (
    <>
      {enabled === false && <Callout>The person has switched their context off: nothing is sent.</Callout>}
      <p className="small">
        <StatusBadge status={status} /> {DESCRIPTIONS[status]} {formatInteger(tokens)} tokens, stable prefix{' '}
        <span className="mono">{prefixHash.slice(0, 8)}</span>.
      </p>
      <ScrollArea label="Sections">
        <DataTable
          label="Sections"
          compact
          columns={[
            { name: 'Section' },
            { name: 'Status' },
            { name: 'Source' },
            { name: 'Age', isNumeric: true },
            { name: 'Tokens', isNumeric: true },
            { name: 'Cut', isNumeric: true },
            { name: 'Why' },
          ]}
        >
          {sections.map((section) => (
            <SectionRow key={section.name} section={section} />
          ))}
        </DataTable>
      </ScrollArea>
      <ContextText context={context} text={text} timeZone={timeZone} />
    </>
  )
}

function SectionRow({ section }: { section: Section }): ReactElement {
  const { name, status, source, ageMs, tokens, cut, reason } = section
  return (
    <tr>
      <th scope="row">{name}</th>
      <td>
        <StatusBadge status={status} />
      </td>
      <td>{source === 'store' ? 'Purser’s store' : source}</td>
      <td className="data-table__number">{ageMs === null || ageMs === undefined ? '–' : formatDuration(ageMs)}</td>
      <td className="data-table__number">{formatInteger(tokens)}</td>
      <td className="data-table__number">{cut === 0 ? '–' : formatInteger(cut)}</td>
      <td>{reason?.replaceAll('_', ' ') ?? '–'}</td>
    </tr>
  )
}

const VIEWS = [
  ['text', 'Text'],
  ['diff', 'Changes'],
] as const

/** The text, or what changed in it since an equal call before. */
function ContextText(props: { context: Context; text: string; timeZone: string }): ReactElement {
  const { text, timeZone } = props
  const { previous } = props.context
  const [view, setView] = useState<'text' | 'diff'>('text')
  if (previous === null || previous === undefined) {
    return <CodeBlock text={text} label="Context text" copyLabel="Copy the text" />
  }
  return (
    <>
      <PanelToolbar>
        <SegmentedControl
          legend="View"
          variant="small"
          options={VIEWS}
          value={view}
          onChange={(next) => setView(next)}
        />
        <span className="muted small">
          Compared with <RelativeTime at={previous.at} zone={timeZone} />
          {previous.text === text && ': no change'}
        </span>
      </PanelToolbar>
      {view === 'text' ? (
        <CodeBlock text={text} label="Context text" copyLabel="Copy the text" />
      ) : (
        <TextDiff before={previous.text} after={text} label="Changes of the context" />
      )}
    </>
  )
}

function StatusBadge({ status }: { status: Status }): ReactElement {
  return <Badge tone={TONES[status]} text={status} />
}
