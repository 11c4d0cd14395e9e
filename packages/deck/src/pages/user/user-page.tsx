import './user-page.css'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, type ReactElement, useEffect, useState } from 'react'
import { useLocation } from 'wouter'
import { bondQuery, eventsQuery, useVocabulary } from '../../api/queries.ts'
import type { Vocabulary } from '../../api/vocabulary.ts'
import type { Bond, Event } from '../../api/wire.ts'
import { useShortcuts } from '../../browser/keyboard.ts'
import { useSearchParam } from '../../browser/use-search-param.ts'
import { Surface } from '../../components/card.tsx'
import { EmptyState } from '../../components/empty-state.tsx'
import { QueryResult } from '../../components/query-result.tsx'
import { Page, usePageTitle } from '../../layout/page.tsx'
import { ContextPreview } from './context-preview.tsx'
import { EventList } from './event-list.tsx'
import { RuntimePanel } from './runtime-panel.tsx'
import { Sidebar } from './sidebar.tsx'
import { Timeline } from './timeline.tsx'
import { TurnsPanel } from './turns-panel.tsx'
import { UserHeader } from './user-header.tsx'

const TABS = [
  ['events', 'Events'],
  ['turns', 'Turns'],
  ['context', 'Context'],
  ['runtime', 'Runtime'],
] as const

type TabName = (typeof TABS)[number][0]

/** One user, updated live. */
export function UserPage({ user }: { user: string }): ReactElement {
  const bond = useQuery(bondQuery(user))
  const vocabulary = useVocabulary()
  const [, navigate] = useLocation()
  usePageTitle(user)
  useEffect(() => window.scrollTo({ top: 0 }), [user])
  useShortcuts({ u: () => navigate('/users') })
  return (
    <QueryResult query={bond} name={user} lines={8}>
      {(data) => (data.exists ? <ExistingUser bond={data} vocabulary={vocabulary} /> : <UnknownUser user={user} />)}
    </QueryResult>
  )
}

function UnknownUser({ user }: { user: string }): ReactElement {
  return (
    <EmptyState title="Unknown user">
      <p>
        <strong className="mono">{user}</strong> has never been seen, or was erased.
      </p>
      <p>
        <a href="#/users">All users</a>
      </p>
    </EmptyState>
  )
}

function ExistingUser({ bond, vocabulary }: { bond: Bond; vocabulary: Vocabulary }): ReactElement {
  const log = useInfiniteQuery(eventsQuery(bond.user))
  const events: readonly Event[] = log.data?.pages.flatMap(({ data }) => data) ?? []
  const [tabParam, setTabParam] = useSearchParam('tab')
  const [types, setTypes] = useSearchParam('types')
  const [openSequence, setOpenSequence] = useState<number | null>(null)
  const tab = TABS.find(([name]) => name === tabParam)?.[0] ?? 'events'

  function selectTab(name: TabName): void {
    setTabParam(name === 'events' ? '' : name)
  }

  function openEvent(sequence: number): void {
    selectTab('events')
    setTypes('')
    // Reset first, so that an event that is opened again is scrolled into view again.
    setOpenSequence(null)
    requestAnimationFrame(() => setOpenSequence(sequence))
  }

  return (
    <Page>
      <UserHeader
        bond={bond}
        vocabulary={vocabulary}
        riskSince={events.find(({ type }) => type === 'risk_change')?.at ?? null}
      />
      <div className="user-page__grid">
        <div className="user-page__timeline">
          {log.data !== undefined && (
            <Timeline
              bond={bond}
              events={events}
              isComplete={!log.hasNextPage}
              vocabulary={vocabulary}
              openEvent={openEvent}
            />
          )}
        </div>
        <Sidebar bond={bond} />
        <Surface className="user-page__details" label="Details">
          <Tabs selected={tab} select={selectTab} />
          <div role="tabpanel" id={`panel-${tab}`} aria-labelledby={`tab-${tab}`} className="user-page__panel">
            {tab === 'turns' && <TurnsPanel bond={bond} />}
            {tab === 'context' && <ContextPreview bond={bond} />}
            {tab === 'runtime' && <RuntimePanel bond={bond} />}
            {tab === 'events' && (
              <EventPanel
                bond={bond}
                vocabulary={vocabulary}
                types={types}
                setTypes={setTypes}
                openSequence={openSequence}
              />
            )}
          </div>
        </Surface>
      </div>
    </Page>
  )
}

/** The log of some types; all types are shared with the timeline. */
function EventPanel(props: {
  bond: Bond
  vocabulary: Vocabulary
  types: string
  setTypes(types: string): void
  openSequence: number | null
}): ReactElement {
  const { bond, types } = props
  const log = useInfiniteQuery(eventsQuery(bond.user, types))
  return (
    <QueryResult query={log} name="events" lines={6}>
      {({ pages }) => (
        <EventList
          types={types}
          setTypes={props.setTypes}
          events={pages.flatMap(({ data }) => data)}
          timeZone={bond.timeZone}
          vocabulary={props.vocabulary}
          openSequence={props.openSequence}
          loadMore={log.hasNextPage ? () => void log.fetchNextPage() : undefined}
          isLoadingMore={log.isFetchingNextPage}
        />
      )}
    </QueryResult>
  )
}

/** Arrow keys select the next or previous tab; only the selected tab is in the tab order. */
function Tabs({ selected, select }: { selected: TabName; select(name: TabName): void }): ReactElement {
  function onKeyDown(event: KeyboardEvent): void {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const index = TABS.findIndex(([name]) => name === selected)
    const [next] = TABS[(index + step + TABS.length) % TABS.length] ?? TABS[0]
    select(next)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div role="tablist" aria-label="Details" className="tabs" onKeyDown={onKeyDown}>
      {TABS.map(([name, label]) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          className="tabs__tab"
          aria-selected={selected === name}
          aria-controls={selected === name ? `panel-${name}` : undefined}
          tabIndex={selected === name ? 0 : -1}
          onClick={() => select(name)}
        >
          {label}
        </button>
      ))}
    </div>
  )
}
